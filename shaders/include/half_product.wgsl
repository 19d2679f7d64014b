// The matrix product of float16 factors with float32 sums. A workgroup is TEAM_ROWS × TEAM_COLUMNS *teams* of LANES
// invocations (half_sizes.wgsl); a team computes ROWS × COLUMNS *fragments* (team_*.wgsl) of 16 × 16 elements of the result. Both
// factors pass through workgroup memory in slices of DEPTH inner indices. What a team does with a fragment is in
// fragments_plain.wgsl, for any adapter, and in fragments_units.wgsl, by an adapter's matrix units; both share all indices,
// which are here, and so are tested wherever the plain one is. Past an edge a load is clamped, and past the last inner index both
// factors are zero, so nothing branches in the loops.
//
// A fragments_*.wgsl defines
//   Fragments                    what an invocation keeps of its team's fragments, in the address space of a function
//   take_left(f, i, at)          16 × 16 of left_tile from number `at` of it, as the i-th of ROWS
//   take_right(f, j, at)         16 × 16 of right_tile, as the j-th of COLUMNS
//   multiply_add(f, inner)       to the sums of all ROWS × COLUMNS fragments; from `inner` on, at most 16, factors are zero
//   leave_sums(f, n, at)         puts the sums of fragment n, row by row, into `results` from element `at`, rows 16 apart
// and a half_factors_*.wgsl the numbers of a Factor. In workgroup memory a factor is dense along the same index as in storage,
// PITCH numbers from one to the next of the other index. A kernel that includes a half product defines what product_lanes.wgsl
// lists, except `put` and `take`: all its results go through finish, one number at a time.
enable f16;

#include "team.wgsl"
const FRAGMENT = 16u;
const LANES = 32u;
// whether a slice's numbers are loaded into registers before the one before it is multiplied
override AHEAD: bool = false;
// Factors of either side that an invocation loads ahead, at most
const MOST_LOADS = 16u;
const FRAGMENTS = ROWS * COLUMNS;
var<workgroup> left_tile: array<Factor, LEFT_LENGTH>;
var<workgroup> right_tile: array<Factor, RIGHT_LENGTH>;
var<workgroup> results: array<f32, TEAMS * FRAGMENT * FRAGMENT>;

// Factors of a slice, and of its rows in memory: along the index that a factor lies dense along
override LEFT_FACTORS: u32 = TILE_ROWS * DEPTH / FACTOR_WIDTH;
override RIGHT_FACTORS: u32 = TILE_COLUMNS * DEPTH / FACTOR_WIDTH;
override LEFT_WIDTH: u32 = select(TILE_ROWS, DEPTH, LEFT_DENSE_IN_K) / FACTOR_WIDTH;
override RIGHT_WIDTH: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_DENSE_IN_K) / FACTOR_WIDTH;
// how many of them an invocation loads ahead; variants that do so have slices of which every invocation loads as much
override LEFT_LOADS: u32 = LEFT_FACTORS / THREADS;
override RIGHT_LOADS: u32 = RIGHT_FACTORS / THREADS;

fn left_place(at: u32) -> u32 {
  return at / LEFT_WIDTH * LEFT_PITCH / FACTOR_WIDTH + at % LEFT_WIDTH;
}

fn right_place(at: u32) -> u32 {
  return at / RIGHT_WIDTH * RIGHT_PITCH / FACTOR_WIDTH + at % RIGHT_WIDTH;
}

// Factor `at` of the slice from first_k on, of inner indices below end
fn left_factor(at: u32, first_row: u32, first_k: u32, end: u32) -> Factor {
  let major = at / LEFT_WIDTH;
  let minor = at % LEFT_WIDTH;
  let k = first_k + select(major, minor * FACTOR_WIDTH, LEFT_DENSE_IN_K);
  // the last Factors that there are
  let last_row = u.rows - select(FACTOR_WIDTH, 1u, LEFT_DENSE_IN_K);
  let row_here = min(first_row + select(minor * FACTOR_WIDTH, major, LEFT_DENSE_IN_K), last_row);
  let k_here = min(k, end - select(1u, FACTOR_WIDTH, LEFT_DENSE_IN_K));
  let value =
    left(select(k_here, row_here, LEFT_DENSE_IN_K), select(row_here, k_here, LEFT_DENSE_IN_K) / FACTOR_WIDTH);
  return select(Factor(), value, k < end);
}

fn right_factor(at: u32, first_column: u32, first_k: u32, end: u32) -> Factor {
  let major = at / RIGHT_WIDTH;
  let minor = at % RIGHT_WIDTH;
  let k = first_k + select(major, minor * FACTOR_WIDTH, RIGHT_DENSE_IN_K);
  let last_column = u.columns - select(FACTOR_WIDTH, 1u, RIGHT_DENSE_IN_K);
  let column_here = min(first_column + select(minor * FACTOR_WIDTH, major, RIGHT_DENSE_IN_K), last_column);
  let k_here = min(k, end - select(1u, FACTOR_WIDTH, RIGHT_DENSE_IN_K));
  let value = right(
    select(k_here, column_here, RIGHT_DENSE_IN_K),
    select(column_here, k_here, RIGHT_DENSE_IN_K) / FACTOR_WIDTH,
  );
  return select(Factor(), value, k < end);
}

struct Ahead {
  left: array<Factor, MOST_LOADS>,
  right: array<Factor, MOST_LOADS>,
}

// Loops over what is loaded ahead run a number of times that a compiler knows, and index by their counter alone: an index
// that it does not know puts an array into memory.
fn fetch(ahead: ptr<function, Ahead>, local: u32, first_row: u32, first_column: u32, first_k: u32, end: u32) {
  for (var n = 0u; n < LEFT_LOADS; n++) {
    ahead.left[n] = left_factor(local + n * THREADS, first_row, first_k, end);
  }
  for (var n = 0u; n < RIGHT_LOADS; n++) {
    ahead.right[n] = right_factor(local + n * THREADS, first_column, first_k, end);
  }
}

fn put_down(ahead: ptr<function, Ahead>, local: u32) {
  for (var n = 0u; n < LEFT_LOADS; n++) { left_tile[left_place(local + n * THREADS)] = ahead.left[n]; }
  for (var n = 0u; n < RIGHT_LOADS; n++) { right_tile[right_place(local + n * THREADS)] = ahead.right[n]; }
}

fn half_product(group: vec3u, local: u32, team: u32, lane: u32) {
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let first_column = place.y * TILE_COLUMNS;
  let team_row = team / TEAM_COLUMNS * ROWS * FRAGMENT;
  let team_column = team % TEAM_COLUMNS * COLUMNS * FRAGMENT;

  var fragments: Fragments;
  var ahead: Ahead;
  if (AHEAD) { fetch(&ahead, local, first_row, first_column, span.x, span.y); }
  for (var first_k = span.x; first_k < span.y; first_k += DEPTH) {
    if (AHEAD) {
      put_down(&ahead, local);
    } else {
      for (var at = local; at < LEFT_FACTORS; at += THREADS) {
        left_tile[left_place(at)] = left_factor(at, first_row, first_k, span.y);
      }
      for (var at = local; at < RIGHT_FACTORS; at += THREADS) {
        right_tile[right_place(at)] = right_factor(at, first_column, first_k, span.y);
      }
    }
    workgroupBarrier();
    if (AHEAD && first_k + DEPTH < span.y) {
      fetch(&ahead, local, first_row, first_column, first_k + DEPTH, span.y);
    }
    let depth = min(DEPTH, span.y - first_k);
    for (var k = 0u; k < depth; k += FRAGMENT) {
      for (var i = 0u; i < ROWS; i++) {
        let row = team_row + i * FRAGMENT;
        take_left(&fragments, i, select(k * LEFT_PITCH + row, row * LEFT_PITCH + k, LEFT_DENSE_IN_K));
      }
      for (var j = 0u; j < COLUMNS; j++) {
        let column = team_column + j * FRAGMENT;
        take_right(&fragments, j, select(k * RIGHT_PITCH + column, column * RIGHT_PITCH + k, RIGHT_DENSE_IN_K));
      }
      multiply_add(&fragments, min(FRAGMENT, depth - k));
    }
    workgroupBarrier();
  }

  // the elements of a fragment cannot be addressed: they go through memory to their epilogue. Both loops over elements and
  // inner indices end where the result does, which also keeps compilers from unrolling them
  let mine = team * FRAGMENT * FRAGMENT;
  for (var n = 0u; n < FRAGMENTS; n++) {
    leave_sums(&fragments, n, mine);
    workgroupBarrier();
    let row_0 = first_row + team_row + n / COLUMNS * FRAGMENT;
    let last = min(FRAGMENT, max(u.rows, row_0) - row_0) * FRAGMENT;
    for (var e = lane; e < last; e += LANES) {
      let row = row_0 + e / FRAGMENT;
      let column = first_column + team_column + n % COLUMNS * FRAGMENT + e % FRAGMENT;
      if (column < u.columns) { finish(row, column, group, results[mine + e]); }
    }
    workgroupBarrier();
  }
}
