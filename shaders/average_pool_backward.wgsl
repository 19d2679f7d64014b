// dx = factor·dy of its 2 × 2 pixels + add: one invocation an element of dx.
#include "grid.wgsl"

struct Uniforms {
  length: u32,
  width: u32,
  channels: u32,
  dy_channels: u32,
  dy_first: u32,
  add_channels: u32,
  add_first: u32,
  factor: f32,
}
override HAS_ADD: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> add: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.length) { return; }
  let pixel = i / u.channels;
  let c = i % u.channels;
  // rows of dx over all pictures; two of them share one of dy
  let small = (pixel / u.width / 2u) * (u.width / 2u) + pixel % u.width / 2u;
  var sum = u.factor * dy[small * u.dy_channels + u.dy_first + c];
  if (HAS_ADD) { sum += add[pixel * u.add_channels + u.add_first + c]; }
  dx[i] = sum;
}
