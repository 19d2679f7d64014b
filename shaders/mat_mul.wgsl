// y = op(a) op(b), op the identity or the transpose.
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32 }
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override LEFT_DENSE_IN_K: bool = !TRANSPOSE_A;
override RIGHT_DENSE_IN_K: bool = TRANSPOSE_B;
const EPILOGUE = false;

fn left(row: u32, k: u32) -> f32 {
  return a[select(row * u.inner + k, k * u.rows + row, TRANSPOSE_A)];
}

fn right(k: u32, column: u32) -> f32 {
  return b[select(k * u.columns + column, column * u.inner + k, TRANSPOSE_B)];
}

fn put(row: u32, column: u32, group: vec3u, sum: f32) {
  y[row * u.columns + column] = sum;
}

fn take(row: u32, column: u32) -> f32 {
  return y[row * u.columns + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  put(row, column, group, sum);
}
