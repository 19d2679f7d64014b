// y = scale·act(conv(x) + bias + shift) + residual, with stages combined into what is read or written.
#include "activations.wgsl"
#include "elements.wgsl"
#include "weights.wgsl"
#include "activate.wgsl"
#include "patches.wgsl"
#include "product.wgsl"

struct Uniforms {
  coefficients: array<vec4f, 2>,
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
  // rows of the shift, Elements of one, and where the window begins
  shifts: u32,
  shift_columns: u32,
  shift_first: u32,
  residual_start: u32,
  residual_picture: u32,
  residual_line: u32,
  residual_pixel: u32,
  residual_channel: u32,
  stages: u32,
  stage_pitch: u32,
  // Weights before the first that counts
  weight_at: u32,
  beta: f32,
  scale: f32,
}
// the residual: none, one as large as y, or one of half its extents
override RESIDUAL: u32 = 0u;
// stages: none, combined into x, or into y (numbers of which are then loaded and stored one at a time)
const INPUT = 1u;
const OUTPUT = 2u;
override COMBINE: u32 = 0u;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Weight>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> shift: array<Element>;
@group(0) @binding(5) var<storage, read> residual: array<Element>;
@group(0) @binding(6) var<storage, read> stages: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;

const SIGN = 1;
const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = false;

fn combined(at: u32) -> f32 {
  var sum = 0.0;
  for (var s = 0u; s < u.stages; s++) {
    let coefficient = u.coefficients[s / 4u][s % 4u];
    if (coefficient != 0.0) { sum += coefficient * stages[s * u.stage_pitch + at]; }
  }
  return sum;
}

fn source(at: u32) -> Factor {
  if (COMBINE == INPUT) { return x[at] + combined(at); }
  return x[at];
}

fn left_scale() -> f32 {
  return 1.0;
}

fn right(tap: u32, major: u32, minor: u32) -> Weight {
  return weight[u.weight_at + (tap * u.inner + major) * (u.columns / WIDTH) + minor];
}

fn put(at: u32, sum: Element) {
  y[at] = sum;
}

fn take(at: u32) -> Element {
  return y[at];
}

fn finish(pixel: vec3u, column: u32, at: u32, sum: Element) {
  var pre = sum + bias[column];
  // none, one for all pictures, or one for each
  if (u.shifts > 0u) { pre += shift[select(pixel.x, 0u, u.shifts == 1u) * u.shift_columns + u.shift_first + column]; }
  var value = u.scale * activate_each(pre, u.beta);
  if (RESIDUAL > 0u) {
    let place = pixel.yz / max(RESIDUAL, 1u);
    value += residual[u.residual_start + pixel.x * u.residual_picture + place.x * u.residual_line +
      place.y * u.residual_pixel + column * u.residual_channel];
  }
  if (COMBINE == OUTPUT) { value += combined(at); }
  y[at] = value;
}
