// dy = scale·(dx Wᵀ) ⊙ act'(saved) for T tangents of every row; row τ·B + b belongs to row b of saved.
#include "activations.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, batch: u32, beta: f32, scale: f32 }
override HAS_SAVED: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dx: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> saved: array<f32>;
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = true;
const EPILOGUE = true;

fn left(row: u32, k: u32) -> f32 {
  return dx[row * u.inner + k];
}

fn right(k: u32, column: u32) -> f32 {
  return weight[column * u.inner + k];
}

fn put(row: u32, column: u32, group: vec3u, sum: f32) {
  dy[row * u.columns + column] = sum;
}

fn take(row: u32, column: u32) -> f32 {
  return dy[row * u.columns + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  var slope = u.scale;
  if (HAS_SAVED) { slope *= derivative(saved[row % u.batch * u.columns + column], u.beta); }
  dy[row * u.columns + column] = sum * slope;
}
