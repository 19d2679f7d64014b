// First launch of linear_loss with x, weight and delta in float16: the residuals scale·(x Wᵀ + bias + t·time_weight) − target,
// in float32. Loss and delta follow from them in linear_loss_half_rows.wgsl.
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, weight_at: u32, times: u32, scale: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<HalfFactor>;
@group(0) @binding(2) var<storage, read> weight: array<HalfFactor>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> t: array<f32>;
@group(0) @binding(5) var<storage, read> time_weight: array<f32>;
@group(0) @binding(6) var<storage, read> target_: array<f32>;
@group(0) @binding(7) var<storage, read_write> residuals: array<f32>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;

fn left(major: u32, minor: u32) -> HalfFactor {
  return x[major * (u.inner / HALF_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> HalfFactor {
  return weight[u.weight_at / HALF_WIDTH + major * (u.inner / HALF_WIDTH) + minor];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  var v = sum + bias[column];
  // no time, one for all rows, or one for each
  if (u.times > 0u) { v += t[select(row, 0u, u.times == 1u)] * time_weight[column]; }
  let at = row * u.columns + column;
  residuals[at] = u.scale * v - target_[at];
}
