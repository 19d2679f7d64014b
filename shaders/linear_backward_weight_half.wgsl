// linear_backward_weight.wgsl with x and dy in float16; what is written, in float32, is divided by the loss scale of the state
// where there is one.
#include "product.wgsl"
#include "loss_scale.wgsl"

struct Uniforms {
  rows: u32,
  columns: u32,
  inner: u32,
  part: u32,
  column_tiles: u32,
  pitch: u32,
  weight_at: u32,
  bias_at: u32,
  time_at: u32,
}
override SPLIT: bool = false;
override HAS_TIME: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<HalfFactor>;
@group(0) @binding(2) var<storage, read> dy: array<HalfFactor>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(6) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(7) var<storage, read_write> dtime_weight: array<f32>;
@group(0) @binding(8) var<storage, read_write> parts: array<f32>;

const LEFT_DENSE_IN_K = false;
const RIGHT_DENSE_IN_K = false;

fn left(major: u32, minor: u32) -> HalfFactor {
  return dy[major * (u.rows / HALF_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> HalfFactor {
  return x[major * (u.columns / HALF_WIDTH) + minor];
}

fn finish(row: u32, column: u32, group: vec3u, sum: f32) {
  let at = row * u.columns + column;
  let value = sum * unscale();
  if (SPLIT) { parts[group.z * u.pitch + u.weight_at + at] = value; } else { dweight[at] = value; }
}

fn extent(group: vec3u) -> vec2u {
  return vec2u(group.z * u.part, min((group.z + 1u) * u.part, u.inner));
}

fn tile(group: vec3u) -> vec2u {
  return vec2u(group.y, group.x);
}

// Factors of a tile's rows, invocations that share the sums of one, and where the sums of the times begin; both fit into
// `results`, which has eight numbers for each invocation
override TILE_FACTORS: u32 = TILE_ROWS / HALF_WIDTH;
override SHARERS: u32 = clamp(THREADS / TILE_FACTORS, 1u, 8u);
override TIMES: u32 = SHARERS * TILE_ROWS;

fn aside(group: vec3u, local: u32) -> bool {
  if (group.x < u.column_tiles) { return false; }
  let span = extent(group);
  let first_row = group.y * TILE_ROWS;
  for (var at = local; at < SHARERS * TILE_FACTORS; at += THREADS) {
    let sharer = at / TILE_FACTORS;
    let factor = at % TILE_FACTORS;
    let row = min(first_row / HALF_WIDTH + factor, u.rows / HALF_WIDTH - 1u);
    var bias: array<f32, HALF_WIDTH>;
    var time: array<f32, HALF_WIDTH>;
    // four loads at a time
    for (var first_k = span.x + sharer; first_k < span.y; first_k += 4u * SHARERS) {
      for (var q = 0u; q < 4u; q++) {
        let k = min(first_k + q * SHARERS, span.y - 1u);
        let value = select(HalfFactor(), left(k, row), first_k + q * SHARERS < span.y);
        for (var i = 0u; i < HALF_WIDTH; i++) {
          bias[i] += f32(part_of(value, i));
          if (HAS_TIME) { time[i] += t[k] * f32(part_of(value, i)); }
        }
      }
    }
    for (var i = 0u; i < HALF_WIDTH; i++) {
      results[sharer * TILE_ROWS + factor * HALF_WIDTH + i] = bias[i];
      if (HAS_TIME) { results[TIMES + sharer * TILE_ROWS + factor * HALF_WIDTH + i] = time[i]; }
    }
  }
  workgroupBarrier();
  for (var at = local; at < min(TILE_ROWS, u.rows - first_row); at += THREADS) {
    var bias = 0.0;
    var time = 0.0;
    for (var sharer = 0u; sharer < SHARERS; sharer++) {
      bias += results[sharer * TILE_ROWS + at];
      if (HAS_TIME) { time += results[TIMES + sharer * TILE_ROWS + at]; }
    }
    bias *= unscale();
    time *= unscale();
    let row = first_row + at;
    if (SPLIT) {
      parts[group.z * u.pitch + u.bias_at + row] = bias;
      if (HAS_TIME) { parts[group.z * u.pitch + u.time_at + row] = time; }
    } else {
      dbias[row] = bias;
      if (HAS_TIME) { dtime_weight[row] = time; }
    }
  }
  return true;
}
