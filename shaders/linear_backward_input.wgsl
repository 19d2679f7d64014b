// dx = (dy W) ⊙ act'(saved).
#include "activations.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, beta: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> saved: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = false;
const EPILOGUE = true;

fn left(row: u32, k: u32) -> f32 {
  return dy[row * u.inner + k];
}

fn right(k: u32, column: u32) -> f32 {
  return weight[k * u.columns + column];
}

fn put(row: u32, column: u32, group: vec3u, sum: f32) {
  dx[row * u.columns + column] = sum;
}

fn take(row: u32, column: u32) -> f32 {
  return dx[row * u.columns + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  let at = row * u.columns + column;
  dx[at] = sum * derivative(saved[at], u.beta);
}
