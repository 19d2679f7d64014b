// dx = rstd·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)) + add + add2, after group_norm_backward_groups.wgsl: an invocation takes an
// Element of channels through a span of pixels.
#include "grid.wgsl"
#include "activations.wgsl"
#include "elements.wgsl"
#include "activate.wgsl"
#include "dropout.wgsl"
#include "channels.wgsl"

struct Uniforms {
  pictures: u32,
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
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> dy: array<Element>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read> add: array<Element>;
@group(0) @binding(5) var<storage, read> add2: array<Element>;
@group(0) @binding(6) var<storage, read> sums: array<Element>;
@group(0) @binding(7) var<storage, read> of_group: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<Element>;

fn group_value(i: u32) -> f32 {
  return of_group[i];
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
  let at = 4u * picture * u.groups;
  let mean = of_groups(at, column);
  let rstd = of_groups(at + u.groups, column);
  let of_dx = of_groups(at + 2u * u.groups, column);
  let along = of_groups(at + 3u * u.groups, column);
  let plane = u.pictures * columns;
  let factor = sums[2u * plane + picture * columns + column];
  let offset = sums[3u * plane + picture * columns + column];
  for (var p = first; p < min(first + u.span, u.pixels); p++) {
    let pixel = picture * u.pixels + p;
    let to = pixel * columns + column;
    let normal = (x[pixel * u.x_channels + u.x_first + column] - mean) * rstd;
    let dz = dropout_each(to) * dy[to] * derivative_each(factor * normal + offset, 1.0);
    var sum = rstd * (factor * dz - of_dx - normal * along);
    if (u.add_channels > 0u) { sum += add[pixel * u.add_channels + u.add_first + column]; }
    if (u.add2_channels > 0u) { sum += add2[pixel * u.add2_channels + u.add2_first + column]; }
    dx[to] = sum;
  }
}
