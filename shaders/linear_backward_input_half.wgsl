// linear_backward_input.wgsl with all operands in float16.
#include "activations.wgsl"
#include "half.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, weight_at: u32, beta: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<HalfFactor>;
@group(0) @binding(2) var<storage, read> weight: array<HalfFactor>;
@group(0) @binding(3) var<storage, read> saved: array<f16>;
@group(0) @binding(4) var<storage, read_write> dx: array<f16>;

const LEFT_DENSE_IN_K = true;
const RIGHT_DENSE_IN_K = false;

fn left(major: u32, minor: u32) -> HalfFactor {
  return dy[major * (u.inner / HALF_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> HalfFactor {
  return weight[u.weight_at / HALF_WIDTH + major * (u.columns / HALF_WIDTH) + minor];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  let at = row * u.columns + column;
  dx[at] = half(sum * derivative(f32(saved[at]), u.beta));
}
