// Draws one training batch: see src/kernels/draw_batch.ts. An invocation takes four neighbouring columns of a row, since one
// Philox block gives four normals; the first of a row writes its time, and all of a row share its condition.
#include "condition.wgsl"
#include "grid.wgsl"
#include "normals.wgsl"
#include "path.wgsl"
#include "permutation.wgsl"
#include "pool.wgsl"
#include "right.wgsl"
#include "state.wgsl"
#include "stored.wgsl"

struct Uniforms {
  rows: u32,
  columns: u32,
  blocks: u32,
  conditions: u32,
  pool_rows: u32,
  pool_words: u32,
  mirror: u32,
  pairs: u32,
  times_per_pair: u32,
  batches_per_epoch: u32,
  quantiles: u32,
  path_knots: u32,
  seed_low: u32,
  seed_high: u32,
  stream: u32,
  decay: f32,
  spread: f32,
  left_decay: f32,
  left_spread: f32,
  drop: f32,
}

const OWN = 0u;
const SHUFFLED = 1u;
const INDEPENDENT = 2u;
const NONE = 3u;
const STORED = 4u;
override PAIRING: u32 = OWN;
override LEFT_NOISE: bool = false;
override REPLACEMENT: bool = false;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> pool: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read> quantiles: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<Stored>;
@group(0) @binding(6) var<storage, read_write> t: array<f32>;
@group(0) @binding(7) var<storage, read_write> target_: array<f32>;

// the two permutations' keys are the same for all rows: drawn once in a group
var<workgroup> row_keys: PermutationKeys;
var<workgroup> batch_keys: PermutationKeys;

fn seed() -> vec2u {
  return vec2u(u.seed_low, u.seed_high);
}

fn left_row(pair: u32, step: u32) -> u32 {
  if (REPLACEMENT) { return below(draw(seed(), u.stream, PURPOSE_ROW, pair, step, 0u).x, u.pool_rows); }
  return permute((step % u.batches_per_epoch) * u.pairs + pair, u.pool_rows, row_keys);
}

fn right_row(left: u32, pair: u32, step: u32) -> u32 {
  switch PAIRING {
    case SHUFFLED: { return left_row(permute(pair, u.pairs, batch_keys), step); }
    case INDEPENDENT: { return below(draw(seed(), u.stream, PURPOSE_ROW, pair, step, 0u).y, u.pool_rows); }
    default: { return left; }
  }
}

fn mirror_words(pair: u32, step: u32) -> vec4u {
  if (u.mirror == 0u) { return vec4u(); }
  return draw(seed(), u.stream, PURPOSE_MIRROR, pair, step, 0u);
}

fn right_mirrored(left: bool, pair: u32, step: u32) -> bool {
  switch PAIRING {
    case SHUFFLED: { return (mirror_words(permute(pair, u.pairs, batch_keys), step).x & 1u) == 1u; }
    case INDEPENDENT: { return (mirror_words(pair, step).y & 1u) == 1u; }
    default: { return left; }
  }
}

fn time_of(uniform_: f32) -> f32 {
  if (u.quantiles == 0u) { return uniform_; }
  let last = u.quantiles - 1u;
  let position = uniform_ * f32(last);
  let knot = min(u32(position), last - 1u);
  return mix(quantiles[knot], quantiles[knot + 1u], position - f32(knot));
}

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let step = state[STATE_STEP];
  if (local == 0u) {
    if (!REPLACEMENT) {
      row_keys = permutation_keys(seed(), u.stream, PURPOSE_SHUFFLE_ROWS, step / u.batches_per_epoch);
    }
    if (PAIRING == SHUFFLED) { batch_keys = permutation_keys(seed(), u.stream, PURPOSE_SHUFFLE_BATCH, step); }
  }
  workgroupBarrier();

  let i = linear_index(group, groups, local);
  let row = i / u.blocks;
  if (row >= u.rows) { return; }
  let block = i - row * u.blocks;
  let pair = row / u.times_per_pair;
  let left = left_row(pair, step);
  let right = right_row(left, pair, step);
  let left_is_mirrored = (mirror_words(pair, step).x & 1u) == 1u;
  let right_is_mirrored = right_mirrored(left_is_mirrored, pair, step);
  let chances = draw(seed(), u.stream, PURPOSE_TIME, row, step, 0u);
  let time = time_of(uniform_from(chances.x));
  let z = normals(draw(seed(), u.stream, PURPOSE_NOISE, pair, step, block));
  var z_left = vec4f();
  if (LEFT_NOISE) { z_left = normals(draw(seed(), u.stream, PURPOSE_LEFT_NOISE, pair, step, block)); }
  let at = path_at(time);

  if (block == 0u) { t[row] = time; }
  copy_condition(row, left, block, uniform_from(chances.y));
  for (var d = 4u * block; d < min(4u * block + 4u, u.columns); d++) {
    let noise = z[d % 4u];
    var x_left = pool_value(left, d, left_is_mirrored);
    if (LEFT_NOISE) { x_left = u.left_decay * x_left + u.left_spread * z_left[d % 4u]; }
    var x_right = noise;
    switch PAIRING {
      case OWN: { x_right = u.decay * x_left + u.spread * noise; }
      case SHUFFLED, INDEPENDENT: {
        x_right = u.decay * pool_value(right, d, right_is_mirrored) + u.spread * noise;
      }
      case STORED: { x_right = stored_right(left, d, left_is_mirrored); }
      default: {}
    }
    let place = row * u.columns + d;
    x[place] = stored(interpolant(at, x_left, x_right));
    target_[place] = interpolant_rate(at, x_left, x_right);
  }
}
