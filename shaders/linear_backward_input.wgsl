// dx = (dy W) ⊙ act'(saved).
#include "activations.wgsl"
#include "elements.wgsl"
#include "activate.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, beta: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Factor>;
@group(0) @binding(3) var<storage, read> saved: array<Element>;
@group(0) @binding(4) var<storage, read_write> dx: array<Element>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = false;
const EPILOGUE = true;

fn left(major: u32, minor: u32) -> Factor {
  return dy[major * (u.inner / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return weight[major * (u.columns / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  dx[row * (u.columns / WIDTH) + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return dx[row * (u.columns / WIDTH) + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  let at = row * (u.columns / WIDTH) + column;
  dx[at] = sum * derivative_each(saved[at], u.beta);
}

fn finish_row(row: u32) {}
