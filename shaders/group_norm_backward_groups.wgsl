// The means of dx̂ and dx̂·x̂ of each group of each picture, from group_norm_backward_sums.wgsl, beside mean and 1/√(variance +
// epsilon): one invocation a group.
#include "grid.wgsl"

struct Uniforms { pictures: u32, pixels: u32, channels: u32, groups: u32, group_channels: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
// [pictures, 4, groups]
@group(0) @binding(3) var<storage, read_write> of_group: array<f32>;

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
  let plane = u.pictures * u.channels;
  let first = picture * u.channels + number * u.group_channels;
  var sum = vec2f();
  for (var c = first; c < first + u.group_channels; c++) {
    sum += sums[2u * plane + c] * vec2f(sums[c], sums[plane + c]);
  }
  sum /= f32(u.pixels * u.group_channels);
  let source = 2u * picture * u.groups + number;
  let to = 4u * picture * u.groups + number;
  of_group[to] = statistics[source];
  of_group[to + u.groups] = statistics[source + u.groups];
  of_group[to + 2u * u.groups] = sum.x;
  of_group[to + 3u * u.groups] = sum.y;
}
