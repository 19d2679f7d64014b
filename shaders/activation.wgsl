// y = act(x), element by element.
#include "activations.wgsl"
#include "grid.wgsl"

struct Uniforms { length: u32, beta: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.length) { return; }
  y[i] = activate(x[i], u.beta);
}
