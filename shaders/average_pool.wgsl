// factor times the sum of each 2 × 2 pixels: one invocation an element of y.
#include "grid.wgsl"

struct Uniforms { length: u32, width: u32, channels: u32, x_channels: u32, x_first: u32, factor: f32 }
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
  let pixel = i / u.channels;
  // rows of y over all pictures; each is two of x
  let row = pixel / u.width;
  let above = ((2u * row * 2u * u.width) + 2u * (pixel % u.width)) * u.x_channels + u.x_first + i % u.channels;
  let below = above + 2u * u.width * u.x_channels;
  y[i] = u.factor * ((x[above] + x[above + u.x_channels]) + (x[below] + x[below + u.x_channels]));
}
