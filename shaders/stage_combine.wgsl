// out = y + Σ_s coefficients[s]·stages[s], element by element. A stage whose coefficient is zero is not read.
#include "grid.wgsl"

struct Uniforms { coefficients: array<vec4f, 2>, length: u32, count: u32, stride: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> stages: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.length) { return; }
  var sum = y[i];
  for (var s = 0u; s < u.count; s++) {
    let coefficient = u.coefficients[s / 4u][s % 4u];
    if (coefficient != 0.0) { sum += coefficient * stages[s * u.stride + i]; }
  }
  out[i] = sum;
}
