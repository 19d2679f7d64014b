// delta = 2 (v − target) / (B·D·scale) of the last layer v = scale·(x Wᵀ + bias + t·time_weight). The loss of each row is
// summed here by cores that finish a whole row in one invocation; else it follows in linear_loss_rows.wgsl.
#include "elements.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, times: u32, scale: f32, factor: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Factor>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> t: array<f32>;
@group(0) @binding(5) var<storage, read> time_weight: array<Element>;
@group(0) @binding(6) var<storage, read> target_: array<Element>;
@group(0) @binding(7) var<storage, read_write> delta: array<Element>;
@group(0) @binding(8) var<storage, read_write> row_loss: array<f32>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;
const EPILOGUE = true;

// squared residuals of the row so far
var<private> squares: f32;

fn left(major: u32, minor: u32) -> Factor {
  return x[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return weight[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  delta[row * (u.columns / WIDTH) + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return delta[row * (u.columns / WIDTH) + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  var v = sum + bias[column];
  // no time, one for all rows, or one for each
  if (u.times > 0u) { v += t[select(row, 0u, u.times == 1u)] * time_weight[column]; }
  let at = row * (u.columns / WIDTH) + column;
  let residual = u.scale * v - target_[at];
  squares += total(residual * residual);
  delta[at] = residual * u.factor;
}

fn finish_row(row: u32) {
  row_loss[row] = squares / (u.scale * u.scale * f32(u.columns));
}
