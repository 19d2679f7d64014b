// dweight[i, j, c, n] = Σ dy[b, y, x, n]·(the pixel of x under tap i, j). As a matrix product: rows are the taps with the
// channels of x, columns the channels of dy, inner indices the pixels of dy, of all pictures. They are cut into parts of
// `part` pixels (z of the launch); with one part the results are final, else each writes its sums to `parts`, and
// conv2d_backward_weight_sum.wgsl adds them up in order. See include/pixels.wgsl for where a tap's pixel lies. With a state, dy is
// multiplied by its loss scale before it is rounded to float16, and the sums are divided by it.
#include "elements.wgsl"
#include "pixels.wgsl"
#include "loss_scale.wgsl"
#include "product.wgsl"

struct Uniforms {
  rows: u32,
  columns: u32,
  inner: u32,
  part: u32,
  channels: u32,
  grid_h: u32,
  grid_w: u32,
  source_h: u32,
  source_w: u32,
  source_start: u32,
  source_picture: u32,
  source_pixel: u32,
  source_channel: u32,
  dy_start: u32,
  dy_picture: u32,
  dy_pixel: u32,
  dy_channel: u32,
  kernel_w: u32,
  padding_y: u32,
  padding_x: u32,
  multiply: u32,
  halvings: u32,
}
override SPLIT: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> dy: array<Element>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<Element>;
@group(0) @binding(5) var<storage, read_write> parts: array<Element>;

fn left(at: u32) -> Factor {
  return x[at];
}

// of all pixels in order, where channels are dense
fn right(k: u32, column: u32) -> Element {
  return dy[u.dy_start + k * u.dy_pixel + column];
}

fn right_of(pixel: vec3u, column: u32) -> Element {
  return dy[u.dy_start + pixel.x * u.dy_picture + (pixel.y * u.grid_w + pixel.z) * u.dy_pixel + column * u.dy_channel];
}

fn right_scale() -> f32 {
  return loss_scale();
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  let at = row * (u.columns / WIDTH) + column;
  let value = unscale() * sum;
  if (SPLIT) { parts[group.z * u.rows * (u.columns / WIDTH) + at] = value; } else { dweight[at] = value; }
}

fn extent(group: vec3u) -> vec2u {
  return vec2u(group.z * u.part, min((group.z + 1u) * u.part, u.inner));
}

// How far a row's tap moves a pixel, and its channel
struct TapRow { offset: vec2i, channel: u32 }

fn tap_row(row: u32) -> TapRow {
  let tap = row / u.channels;
  return TapRow(vec2i(vec2u(tap / u.kernel_w, tap % u.kernel_w)) - vec2i(vec2u(u.padding_y, u.padding_x)), row % u.channels);
}
