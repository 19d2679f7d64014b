// A field's last layer and the Runge–Kutta stage that uses it: v = scale·(x Wᵀ + bias + t·time weight); sums, where they
// are kept, become (base, sums or the next stage's point) + share·v; that point is base + reach·v, and what is written for the
// next stage its input_features. The bias is the first of `shifts`, the time weight follows from `time_at` on.
#include "numeric.wgsl"
#include "elements.wgsl"
#include "product.wgsl"
#include "whole_product.wgsl"

struct Uniforms {
  frequencies: array<vec4f, 4>,
  rows: u32,
  columns: u32,
  inner: u32,
  time_at: u32,
  stride: u32,
  timed: u32,
  sums_part: u32,
  has_point: u32,
  conditions: u32,
  frequency_count: u32,
  width: u32,
  t: f32,
  scale: f32,
  share: f32,
  reach: f32,
}
// of `sums`: the stage begins them, goes on, or begins the next step's; else there are none
const BEGINS = 1u;
const GOES_ON = 2u;
const OF_NEXT = 3u;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<Factor>;
@group(0) @binding(2) var<storage, read> weight: array<Factor>;
@group(0) @binding(3) var<storage, read> shifts: array<f32>;
@group(0) @binding(4) var<storage, read> base: array<f32>;
@group(0) @binding(5) var<storage, read> condition: array<f32>;
@group(0) @binding(6) var<storage, read_write> sums_: array<f32>;
@group(0) @binding(7) var<storage, read_write> next: array<f32>;
@group(0) @binding(8) var<storage, read_write> point: array<f32>;

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
  next[row * u.width + column] = sum;
}

fn take(row: u32, column: u32) -> Element {
  return next[row * u.width + column];
}

fn finish(row: u32, column: u32, group: vec3u, sum: Element) {
  var v = sum + shifts[column];
  if (u.timed == 1u) { v += u.t * shifts[u.time_at + column]; }
  v *= u.scale;
  let before = base[row * u.stride + column];
  let at = row * u.columns + column;
  if (u.sums_part == BEGINS) { sums_[at] = before + u.share * v; }
  if (u.sums_part == GOES_ON) { sums_[at] += u.share * v; }
  let value = before + u.reach * v;
  if (u.sums_part == OF_NEXT) { sums_[at] = value + u.share * v; }
  if (u.has_point == 1u) { point[at] = value; }
  let first = row * u.width;
  next[first + column] = value;
  for (var c = column; c < u.conditions; c += u.columns) {
    next[first + u.columns + c] = condition[row * u.conditions + c];
  }
  for (var f = 0u; f < u.frequency_count; f++) {
    let wave = sine_cosine_of_product(u.frequencies[f / 4u][f % 4u], value);
    let place = first + u.columns + u.conditions + 2u * f * u.columns + column;
    next[place] = wave.x;
    next[place + u.columns] = wave.y;
  }
}

fn finish_row(row: u32) {}
