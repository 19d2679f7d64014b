// y = dropout(act((gamma·x̂ + beta)·(1 + scale) + shift)), after group_norm_statistics.wgsl: one invocation an element.
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
  modulations: u32,
  modulation_columns: u32,
  modulation_first: u32,
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
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> modulation: array<f32>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
@group(0) @binding(6) var<storage, read> statistics: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

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
  let at = 2u * picture * u.groups + c / u.group_channels;
  var z = gamma[c] * (x[pixel * u.x_channels + u.x_first + c] - statistics[at]) * statistics[at + u.groups] + beta[c];
  // none, one for all pictures, or one for each
  if (u.modulations > 0u) {
    let row = select(picture, 0u, u.modulations == 1u) * u.modulation_columns + u.modulation_first;
    z = z * (1.0 + modulation[row + c]) + modulation[row + u.channels + c];
  }
  y[i] = dropout(i) * activate(z, 1.0);
}
