// Mean and 1/√(variance + epsilon) of each group of each picture, from its channels' (group_norm_moments.wgsl): one
// invocation a group.
#include "grid.wgsl"

struct Uniforms { pictures: u32, pixels: u32, channels: u32, groups: u32, group_channels: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.pictures * u.groups) { return; }
  let picture = i / u.groups;
  let number = i % u.groups;
  let first = picture * u.channels + number * u.group_channels;
  let origin = moments[first];
  var sum = 0.0;
  for (var c = 0u; c < u.group_channels; c++) { sum += moments[first + c] - origin; }
  let mean = origin + sum / f32(u.group_channels);
  var squares = 0.0;
  for (var c = 0u; c < u.group_channels; c++) {
    let distance = moments[first + c] - mean;
    squares += moments[u.pictures * u.channels + first + c] + f32(u.pixels) * distance * distance;
  }
  let at = 2u * picture * u.groups + number;
  statistics[at] = mean;
  statistics[at + u.groups] = 1.0 / sqrt(squares / f32(u.pixels * u.group_channels) + u.epsilon);
}
