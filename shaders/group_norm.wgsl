// y = dropout(act((gamma·x̂ + beta)·(1 + scale) + shift)), after group_norm_statistics.wgsl: an invocation takes an Element of
// channels through a span of pixels.
#include "grid.wgsl"
#include "activations.wgsl"
#include "elements.wgsl"
#include "activate.wgsl"
#include "dropout.wgsl"
#include "channels.wgsl"
#include "modulated.wgsl"

struct Uniforms {
  pixels: u32,
  channels: u32,
  groups: u32,
  group_channels: u32,
  x_channels: u32,
  x_first: u32,
  // pixels of an invocation, and how many such spans a picture has
  span: u32,
  spans: u32,
  invocations: u32,
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
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> gamma: array<Element>;
@group(0) @binding(3) var<storage, read> beta: array<Element>;
@group(0) @binding(4) var<storage, read> modulation: array<Element>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
@group(0) @binding(6) var<storage, read> statistics: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;

fn group_value(i: u32) -> f32 {
  return statistics[i];
}

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.invocations) { return; }
  let columns = u.channels / WIDTH;
  let column = i % columns;
  let picture = i / columns / u.spans;
  let first = i / columns % u.spans * u.span;
  let at = 2u * picture * u.groups;
  let mean = of_groups(at, column);
  let affine = modulated(picture, column);
  let factor = affine.factor * of_groups(at + u.groups, column);
  for (var p = first; p < min(first + u.span, u.pixels); p++) {
    let pixel = picture * u.pixels + p;
    let z = factor * (x[pixel * u.x_channels + u.x_first + column] - mean) + affine.offset;
    let to = pixel * columns + column;
    y[to] = dropout_each(to) * activate_each(z, 1.0);
  }
}
