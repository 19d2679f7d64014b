// dweight = dyᵀ x, dbias = Σ_b dy, dtime_weight = Σ_b t·dy. The batch is cut into `splits` parts of `part` rows (z of the
// launch); with one part the results are final, else each part writes its sums to `parts`, and
// linear_backward_weight_sum.wgsl adds them up in order. The workgroups past the last tile of columns do the bias.
#include "product.wgsl"

struct Uniforms { rows: u32, columns: u32, inner: u32, part: u32, column_tiles: u32 }
override SPLIT: bool = false;
override HAS_TIME: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(6) var<storage, read_write> dtime_weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> parts: array<f32>;

const LEFT_DENSE_IN_K = false;
const RIGHT_DENSE_IN_K = false;
const EPILOGUE = false;

// a part holds [N, K] weights, N biases, N time weights
fn part_start(group: vec3u) -> u32 {
  return group.z * u.rows * (u.columns + 2u);
}

fn left(row: u32, k: u32) -> f32 {
  return dy[k * u.rows + row];
}

fn right(k: u32, column: u32) -> f32 {
  return x[k * u.columns + column];
}

fn put(row: u32, column: u32, group: vec3u, sum: f32) {
  let at = row * u.columns + column;
  if (SPLIT) { parts[part_start(group) + at] = sum; } else { dweight[at] = sum; }
}

fn take(row: u32, column: u32) -> f32 {
  return 0.0;
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  put(row, column, group, sum);
}

fn extent(group: vec3u) -> vec2u {
  return vec2u(group.z * u.part, min((group.z + 1u) * u.part, u.inner));
}

fn tile(group: vec3u) -> vec2u {
  return vec2u(group.y, group.x);
}

fn aside(group: vec3u, local: u32) -> bool {
  if (group.x < u.column_tiles) { return false; }
  let span = extent(group);
  let first_row = group.y * TILE_ROWS;
  for (var row = first_row + local; row < min(first_row + TILE_ROWS, u.rows); row += THREADS) {
    var bias = 0.0;
    var time = 0.0;
    for (var k = span.x; k < span.y; k++) {
      let value = left(row, k);
      bias += value;
      if (HAS_TIME) { time += t[k] * value; }
    }
    if (SPLIT) {
      let biases = part_start(group) + u.rows * u.columns;
      parts[biases + row] = bias;
      parts[biases + u.rows + row] = time;
    } else {
      dbias[row] = bias;
      if (HAS_TIME) { dtime_weight[row] = time; }
    }
  }
  return true;
}
