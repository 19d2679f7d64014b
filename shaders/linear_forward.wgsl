// y = scale·act(x Wᵀ + bias + t·time_weight), and the pre-activation z where it is asked for.
#include "activations.wgsl"
#include "elements.wgsl"
#include "activate.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, times: u32, beta: f32, scale: f32 }
override HAS_Z: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Factor>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> t: array<f32>;
@group(0) @binding(5) var<storage, read> time_weight: array<Element>;
@group(0) @binding(6) var<storage, read_write> y: array<Element>;
@group(0) @binding(7) var<storage, read_write> z: array<Element>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;
const EPILOGUE = true;

fn left(major: u32, minor: u32) -> Factor {
  return x[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return weight[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  y[row * (u.columns / WIDTH) + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return y[row * (u.columns / WIDTH) + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  var pre = sum + bias[column];
  // no time, one for all rows, or one for each
  if (u.times > 0u) { pre += t[select(row, 0u, u.times == 1u)] * time_weight[column]; }
  let at = row * (u.columns / WIDTH) + column;
  if (HAS_Z) { z[at] = pre; }
  y[at] = u.scale * activate_each(pre, u.beta);
}

fn finish_row(row: u32) {}
