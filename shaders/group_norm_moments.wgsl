// Mean and Σ (x - mean)² of each channel of each picture: a workgroup takes eight Elements of channels of a picture, and
// eight invocations share the pixels of each. An invocation sums distances from its first pixel, so that a large
// mean costs no digits.
#include "elements.wgsl"

struct Uniforms { pixels: u32, channels: u32, x_channels: u32, x_first: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Element>;
// [means and squares, pictures, channels]
@group(0) @binding(2) var<storage, read_write> moments: array<Element>;

const SIDE = 8u;
const SHARERS = 8u;
var<workgroup> means: array<Element, SIDE * SHARERS>;
var<workgroup> squares: array<Element, SIDE * SHARERS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = u.channels / WIDTH;
  let column = group.x * SIDE + local % SIDE;
  let sharer = local / SIDE;
  let first = u.x_first + min(column, columns - 1u);
  let pixel = group.y * u.pixels;
  let origin = x[(pixel + min(sharer, u.pixels - 1u)) * u.x_channels + first];
  var sum = Element();
  var square = Element();
  for (var p = sharer; p < u.pixels; p += SHARERS) {
    let distance = x[(pixel + p) * u.x_channels + first] - origin;
    sum += distance;
    square += distance * distance;
  }
  let share = f32((u.pixels + SHARERS - 1u - sharer) / SHARERS);
  let mean = sum / max(share, 1.0);
  means[local] = origin + mean;
  squares[local] = square - sum * mean;
  workgroupBarrier();
  if (local >= SIDE || column >= columns) { return; }
  var total = Element();
  for (var i = 0u; i < min(SHARERS, u.pixels); i++) {
    total += f32((u.pixels + SHARERS - 1u - i) / SHARERS) * (means[i * SIDE + local] - origin);
  }
  total = origin + total / f32(u.pixels);
  square = Element();
  for (var i = 0u; i < min(SHARERS, u.pixels); i++) {
    let distance = means[i * SIDE + local] - total;
    square += squares[i * SIDE + local] + f32((u.pixels + SHARERS - 1u - i) / SHARERS) * distance * distance;
  }
  let at = group.y * columns + column;
  moments[at] = total;
  moments[groups.y * columns + at] = square;
}
