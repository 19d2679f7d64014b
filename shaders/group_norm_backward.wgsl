// dx = rstd·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)) + add + add2, after group_norm_backward_sums.wgsl: one invocation an element,
// which adds up the sums of its group's channels.
#include "grid.wgsl"
#include "activations.wgsl"
#include "dropout.wgsl"

struct Uniforms {
  length: u32,
  pixels: u32,
  channels: u32,
  groups: u32,
  group_channels: u32,
  x_channels: u32,
  x_first: u32,
  add_channels: u32,
  add_first: u32,
  add2_channels: u32,
  add2_first: u32,
  seed_low: u32,
  seed_high: u32,
  stream: u32,
  block: u32,
  first_element: u32,
  drop_below: u32,
  keep_scale: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read> add: array<f32>;
@group(0) @binding(6) var<storage, read> add2: array<f32>;
@group(0) @binding(7) var<storage, read> sums: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

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
  let picture = pixel / u.pixels;
  let number = c / u.group_channels;
  let at = 2u * picture * u.groups + number;
  let rstd = statistics[at + u.groups];
  let normal = (x[pixel * u.x_channels + u.x_first + c] - statistics[at]) * rstd;
  let mine = sums[picture * u.channels + c];
  let dz = dropout(i) * dy[i] * derivative(mine.x * normal + mine.y, 1.0);
  var means = vec2f();
  for (var j = 0u; j < u.group_channels; j++) {
    let other = sums[picture * u.channels + number * u.group_channels + j];
    means += other.x * other.zw;
  }
  means /= f32(u.pixels * u.group_channels);
  var sum = rstd * (mine.x * dz - means.x - normal * means.y);
  if (u.add_channels > 0u) { sum += add[pixel * u.add_channels + u.add_first + c]; }
  if (u.add2_channels > 0u) { sum += add2[pixel * u.add2_channels + u.add2_first + c]; }
  dx[i] = sum;
}
