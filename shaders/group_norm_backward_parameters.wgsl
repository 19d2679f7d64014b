// dgamma, dbeta and dmodulation, after group_norm_backward_sums.wgsl: one invocation a channel, over all pictures in order.
#include "grid.wgsl"

struct Uniforms {
  pictures: u32,
  channels: u32,
  modulations: u32,
  modulation_columns: u32,
  modulation_first: u32,
}
override HAS_PARAMETERS: bool = false;
override HAS_MODULATION: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read> modulation: array<f32>;
@group(0) @binding(4) var<storage, read> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(6) var<storage, read_write> dbeta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dmodulation: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let c = linear_index(group, groups, local);
  if (c >= u.channels) { return; }
  var of_gamma = 0.0;
  var of_beta = 0.0;
  for (var picture = 0u; picture < u.pictures; picture++) {
    let sum = vec2f(sums[picture * u.channels + c], sums[(u.pictures + picture) * u.channels + c]);
    var scale = 1.0;
    if (u.modulations > 0u) {
      let row = select(picture, 0u, u.modulations == 1u) * u.modulation_columns + u.modulation_first;
      scale += modulation[row + c];
    }
    of_gamma += scale * sum.y;
    of_beta += scale * sum.x;
    if (HAS_MODULATION) {
      let row = picture * u.modulation_columns + u.modulation_first;
      dmodulation[row + c] = gamma[c] * sum.y + beta[c] * sum.x;
      dmodulation[row + u.channels + c] = sum.x;
    }
  }
  if (HAS_PARAMETERS) {
    dgamma[c] = of_gamma;
    dbeta[c] = of_beta;
  }
}
