// out[b] = y[b] + h[b]·Σ_s coefficients[s]·stages[s, b]; stage_time[b] = t[b] + node·h[b]. One invocation an element.
#include "grid.wgsl"

struct Uniforms { coefficients: array<vec4f, 2>, length: u32, columns: u32, count: u32, stride: u32, node: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> stages: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> h: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> stage_time: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.length) { return; }
  let row = i / u.columns;
  var sum = 0.0;
  for (var s = 0u; s < u.count; s++) {
    sum += u.coefficients[s / 4u][s % 4u] * stages[s * u.stride + i];
  }
  out[i] = y[i] + h[row] * sum;
  if (i == row * u.columns) { stage_time[row] = t[row] + u.node * h[row]; }
}
