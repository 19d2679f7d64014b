// dy = scale·(dx Wᵀ + dt·time_weight) ⊙ act'(saved) for T tangents of every row; row τ·B + b belongs to row b of saved.
#include "activations.wgsl"
#include "elements.wgsl"
#include "activate.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, batch: u32, times: u32, beta: f32, scale: f32 }
override HAS_SAVED: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dx: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Factor>;
@group(0) @binding(3) var<storage, read> saved: array<Element>;
@group(0) @binding(4) var<storage, read> dt: array<f32>;
@group(0) @binding(5) var<storage, read> time_weight: array<Element>;
@group(0) @binding(6) var<storage, read_write> dy: array<Element>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;
const EPILOGUE = true;

fn left(major: u32, minor: u32) -> Factor {
  return dx[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return weight[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  dy[row * (u.columns / WIDTH) + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return dy[row * (u.columns / WIDTH) + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  var value = sum;
  // no tangent in time, one for all rows, or one for each
  if (u.times > 0u) { value += dt[select(row, 0u, u.times == 1u)] * time_weight[column]; }
  var slope = Element(u.scale);
  if (HAS_SAVED) { slope *= derivative_each(saved[row % u.batch * (u.columns / WIDTH) + column], u.beta); }
  dy[row * (u.columns / WIDTH) + column] = value * slope;
}

fn finish_row(row: u32) {}
