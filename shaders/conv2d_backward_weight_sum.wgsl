// Last launch of conv2d_backward_weight: adds up the parts of dweight where there are several, and dbias from its sums over
// pictures, both in order.
#include "grid.wgsl"

struct Uniforms { weights: u32, columns: u32, parts: u32, pictures: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> pictures: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  var sum = 0.0;
  if (i < u.columns) {
    for (var p = 0u; p < u.pictures; p++) { sum += pictures[p * u.columns + i]; }
    dbias[i] = sum;
  } else if (i < u.columns + u.weights) {
    let at = i - u.columns;
    for (var p = 0u; p < u.parts; p++) { sum += parts[p * u.weights + at]; }
    dweight[at] = sum;
  }
}
