// y = op(a) op(b), op the identity or the transpose.
#include "elements.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32 }
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<Factor>;
@group(0) @binding(2) var<storage, read> b: array<Factor>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

override LEFT_DENSE_IN_K: bool = !TRANSPOSE_A;
override RIGHT_DENSE_IN_K: bool = TRANSPOSE_B;
const EPILOGUE = false;

fn left(major: u32, minor: u32) -> Factor {
  return a[major * (select(u.inner, u.rows, TRANSPOSE_A) / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return b[major * (select(u.columns, u.inner, TRANSPOSE_B) / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  y[row * (u.columns / WIDTH) + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return y[row * (u.columns / WIDTH) + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  put(row, column, group, sum);
}

fn finish_row(row: u32) {}
