// Σ_{y, x} dy of each picture and channel, from which dbias and, if it is wanted, dshift are made. A workgroup takes eight
// Elements of channels of a picture; eight invocations share the pixels of each, and their sums are added in order.
#include "elements.wgsl"

struct Uniforms {
  pixels: u32,
  columns: u32,
  dy_start: u32,
  dy_picture: u32,
  dy_pixel: u32,
  dy_channel: u32,
  shift_columns: u32,
  shift_first: u32,
}
override HAS_SHIFT: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<Element>;
@group(0) @binding(2) var<storage, read_write> dshift: array<Element>;
@group(0) @binding(3) var<storage, read_write> pictures: array<Element>;

const SIDE = 8u;
const SHARERS = 8u;
var<workgroup> shares: array<Element, SIDE * SHARERS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let columns = u.columns / WIDTH;
  let column = group.x * SIDE + local % SIDE;
  let picture = group.z * 32768u + group.y;
  let first = u.dy_start + picture * u.dy_picture + min(column, columns - 1u) * u.dy_channel;
  var sum = Element();
  for (var p = local / SIDE; p < u.pixels; p += SHARERS) { sum += dy[first + p * u.dy_pixel]; }
  shares[local] = sum;
  workgroupBarrier();
  if (local >= SIDE || column >= columns) { return; }
  for (var i = 1u; i < SHARERS; i++) { sum += shares[i * SIDE + local]; }
  pictures[picture * columns + column] = sum;
  if (HAS_SHIFT) { dshift[picture * u.shift_columns + u.shift_first + column] = sum; }
}
