// Mean and 1/√(variance + epsilon) of each group of each picture: one workgroup a group, which reads it twice.
#include "group_sum.wgsl"

struct Uniforms { pictures: u32, pixels: u32, groups: u32, group_channels: u32, x_channels: u32, x_first: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let count = u.pixels * u.group_channels;
  let first = group.y * u.pixels * u.x_channels + u.x_first + group.x * u.group_channels;
  var sum = 0.0;
  for (var i = local; i < count; i += 256u) {
    sum += x[first + i / u.group_channels * u.x_channels + i % u.group_channels];
  }
  let mean = group_sum(local, sum) / f32(count);
  // all have read the sum
  workgroupBarrier();
  var squares = 0.0;
  for (var i = local; i < count; i += 256u) {
    let difference = x[first + i / u.group_channels * u.x_channels + i % u.group_channels] - mean;
    squares += difference * difference;
  }
  let variance = group_sum(local, squares) / f32(count);
  if (local == 0u) {
    let at = 2u * group.y * u.groups + group.x;
    statistics[at] = mean;
    statistics[at + u.groups] = 1.0 / sqrt(variance + u.epsilon);
  }
}
