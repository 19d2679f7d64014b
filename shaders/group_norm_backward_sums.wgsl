// For each channel of each picture Σ dz and Σ dz·x̂ over its positions, from which all gradients of group normalisation follow,
// and factor and offset of z = factor·x̂ + offset. A workgroup takes eight Elements of channels of a picture, and eight
// invocations share the pixels of each.
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
@group(0) @binding(2) var<storage, read> dy: array<Element>;
@group(0) @binding(3) var<storage, read> gamma: array<Element>;
@group(0) @binding(4) var<storage, read> beta: array<Element>;
@group(0) @binding(5) var<storage, read> modulation: array<Element>;
@group(0) @binding(6) var<storage, read> statistics: array<f32>;
@group(0) @binding(7) var<storage, read> state: array<u32>;
// [Σ dz, Σ dz·x̂, factor, offset][pictures, channels]
@group(0) @binding(8) var<storage, read_write> sums: array<Element>;

const SIDE = 8u;
const SHARERS = 8u;
var<workgroup> of_dz: array<Element, SIDE * SHARERS>;
var<workgroup> along: array<Element, SIDE * SHARERS>;

fn group_value(i: u32) -> f32 {
  return statistics[i];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = u.channels / WIDTH;
  let picture = group.y;
  let mine = group.x * SIDE + local % SIDE;
  let column = min(mine, columns - 1u);
  let at = 2u * picture * u.groups;
  let mean = of_groups(at, column);
  let rstd = of_groups(at + u.groups, column);
  let affine = modulated(picture, column);
  var sum = Element();
  var product = Element();
  for (var p = local / SIDE; p < u.pixels; p += SHARERS) {
    let pixel = picture * u.pixels + p;
    let normal = (x[pixel * u.x_channels + u.x_first + column] - mean) * rstd;
    let i = pixel * columns + column;
    let dz = dropout_each(i) * dy[i] * derivative_each(affine.factor * normal + affine.offset, 1.0);
    sum += dz;
    product += dz * normal;
  }
  of_dz[local] = sum;
  along[local] = product;
  workgroupBarrier();
  if (local >= SIDE || mine >= columns) { return; }
  for (var i = 1u; i < SHARERS; i++) {
    sum += of_dz[i * SIDE + local];
    product += along[i * SIDE + local];
  }
  let to = picture * columns + column;
  let plane = groups.y * columns;
  sums[to] = sum;
  sums[plane + to] = product;
  sums[2u * plane + to] = affine.factor;
  sums[3u * plane + to] = affine.offset;
}
