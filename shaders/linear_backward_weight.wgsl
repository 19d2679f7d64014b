// dweight = dyᵀ x, dbias = Σ_b dy, dtime_weight = Σ_b t·dy. The batch is cut into parts of `part` rows (z of the launch). With
// one part the results are final; else each part writes its sums to `parts`, `pitch` numbers apart, and
// linear_backward_weight_sum.wgsl or gradient_norm_parts.wgsl adds them up in order. The workgroups past the last tile of
// columns compute dbias and dtime_weight: their invocations share the rows of the part, each four loads at a time, and their
// sums are added in order.
#include "elements.wgsl"
#include "product.wgsl"

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
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> dy: array<Factor>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<Element>;
@group(0) @binding(5) var<storage, read_write> dbias: array<Element>;
@group(0) @binding(6) var<storage, read_write> dtime_weight: array<Element>;
@group(0) @binding(7) var<storage, read_write> parts: array<Element>;

const LEFT_DENSE_IN_K = false;
const RIGHT_DENSE_IN_K = false;
const EPILOGUE = false;

fn left(major: u32, minor: u32) -> Factor {
  return dy[major * (u.rows / FACTOR_WIDTH) + minor];
}

fn right(major: u32, minor: u32) -> Factor {
  return x[major * (u.columns / FACTOR_WIDTH) + minor];
}

fn put(row: u32, column: u32, group: vec3u, sum: Element) {
  let at = row * (u.columns / WIDTH) + column;
  if (SPLIT) { parts[(group.z * u.pitch + u.weight_at) / WIDTH + at] = sum; } else { dweight[at] = sum; }
}

fn take(row: u32, column: u32) -> Element {
  return Element();
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {}

fn finish_row(row: u32) {}

fn extent(group: vec3u) -> vec2u {
  return vec2u(group.z * u.part, min((group.z + 1u) * u.part, u.inner));
}

fn tile(group: vec3u) -> vec2u {
  return vec2u(group.y, group.x);
}

// Elements of a tile's rows, and invocations that share the sums of one
override TILE_ELEMENTS: u32 = TILE_ROWS / WIDTH;
override SHARERS: u32 = clamp(THREADS / TILE_ELEMENTS, 1u, 8u);
var<workgroup> bias_shares: array<Element, SHARERS * TILE_ELEMENTS>;
var<workgroup> time_shares: array<Element, SHARERS * TILE_ELEMENTS>;

fn aside(group: vec3u, local: u32) -> bool {
  if (group.x < u.column_tiles) { return false; }
  let span = extent(group);
  let first = group.y * TILE_ELEMENTS;
  let count = u.rows / WIDTH;
  for (var at = local; at < SHARERS * TILE_ELEMENTS; at += THREADS) {
    let element = min(first + at % TILE_ELEMENTS, count - 1u);
    var bias = Element();
    var time = Element();
    for (var first_k = span.x + at / TILE_ELEMENTS; first_k < span.y; first_k += 4u * SHARERS) {
      for (var q = 0u; q < 4u; q++) {
        let k = min(first_k + q * SHARERS, span.y - 1u);
        let value = select(Element(), Element(left(k, element)), first_k + q * SHARERS < span.y);
        bias += value;
        if (HAS_TIME) { time += t[k] * value; }
      }
    }
    bias_shares[at] = bias;
    if (HAS_TIME) { time_shares[at] = time; }
  }
  workgroupBarrier();
  for (var at = local; at < min(TILE_ELEMENTS, count - first); at += THREADS) {
    var bias = bias_shares[at];
    for (var i = 1u; i < SHARERS; i++) { bias += bias_shares[i * TILE_ELEMENTS + at]; }
    if (SPLIT) { parts[(group.z * u.pitch + u.bias_at) / WIDTH + first + at] = bias; } else { dbias[first + at] = bias; }
    if (HAS_TIME) {
      var time = time_shares[at];
      for (var i = 1u; i < SHARERS; i++) { time += time_shares[i * TILE_ELEMENTS + at]; }
      if (SPLIT) {
        parts[(group.z * u.pitch + u.time_at) / WIDTH + first + at] = time;
      } else {
        dtime_weight[first + at] = time;
      }
    }
  }
  return true;
}
