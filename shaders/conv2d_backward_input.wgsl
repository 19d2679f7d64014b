// dx = scale·(convᵀ dy) ⊙ act'(saved) + add. With a state, dy is multiplied by its loss scale before it is rounded to float16, and
// the sums are divided by it.
#include "activations.wgsl"
#include "elements.wgsl"
#include "weights.wgsl"
#include "loss_scale.wgsl"
#include "activate.wgsl"
#include "patches.wgsl"
#include "product.wgsl"

struct Uniforms {
  rows: u32,
  columns: u32,
  inner: u32,
  column_tiles: u32,
  grid: u32,
  grid_h: u32,
  grid_w: u32,
  result_h: u32,
  result_w: u32,
  result_start: u32,
  result_picture: u32,
  result_pixel: u32,
  result_channel: u32,
  source_h: u32,
  source_w: u32,
  source_start: u32,
  source_picture: u32,
  source_pixel: u32,
  source_channel: u32,
  kernel_h: u32,
  kernel_w: u32,
  taps_y: u32,
  taps_x: u32,
  padding_y: u32,
  padding_x: u32,
  multiply: u32,
  halvings: u32,
  copies: u32,
  tap_step: u32,
  // Elements of a pixel, and where the window begins
  saved_pixel: u32,
  saved_start: u32,
  add_pixel: u32,
  add_start: u32,
  // Weights before the first that counts
  weight_at: u32,
  beta: f32,
  scale: f32,
}
override HAS_SAVED: bool = false;
override HAS_ADD: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Weight>;
@group(0) @binding(3) var<storage, read> saved: array<Element>;
@group(0) @binding(4) var<storage, read> add: array<Element>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
@group(0) @binding(6) var<storage, read_write> dx: array<Element>;

const SIGN = -1;
const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;

fn source(at: u32) -> Factor {
  return dy[at];
}

fn left_scale() -> f32 {
  return loss_scale();
}

fn right(tap: u32, major: u32, minor: u32) -> Weight {
  return weight[u.weight_at + (tap * u.columns + major) * (u.inner / FACTOR_WIDTH) + minor];
}

fn put(at: u32, sum: Element) {
  dx[at] = sum;
}

fn take(at: u32) -> Element {
  return dx[at];
}

fn finish(pixel: vec3u, column: u32, at: u32, sum: Element) {
  let number = (pixel.x * u.result_h + pixel.y) * u.result_w + pixel.z;
  var value = u.scale * (unscale() * sum);
  if (HAS_SAVED) { value *= derivative_each(saved[u.saved_start + number * u.saved_pixel + column], u.beta); }
  if (HAS_ADD) { value += add[u.add_start + number * u.add_pixel + column]; }
  dx[at] = value;
}
