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
//   leave_sums(f, n, at)         puts the sums of fragment n, row by row, into `results` from element `at`, rows 16 apart,
// a half_factors_*.wgsl the numbers of a HalfFactor, and a loads_*.wgsl where they come from and where results go:
//   Loads, loads_of(group, local)           what an invocation knows of its loads all along
//   Slice, slice_at(loads, first_k, end)    what they share in a slice of inner indices, from first_k on and below end
//   left_factor(loads, slice, n, at)        HalfFactor `at` of the slice, the n-th that this invocation loads ahead
//   right_factor(loads, slice, n, at)
//   finish_fragment(loads, group, row, column, first, lane)    the epilogue of 16 × 16 of `results`, from `first` on.
// In workgroup memory a factor is dense along the same index as in storage, PITCH numbers from one to the next of the other
// index.
enable f16;

#include "team.wgsl"
#include "loads.wgsl"
const FRAGMENT = 16u;
const LANES = 32u;
// whether a slice's numbers are loaded into registers before the one before it is multiplied
override AHEAD: bool = false;
// Factors of either side that an invocation loads ahead, at most
const MOST_LOADS = 16u;
const FRAGMENTS = ROWS * COLUMNS;
var<workgroup> left_tile: array<HalfFactor, LEFT_LENGTH>;
var<workgroup> right_tile: array<HalfFactor, RIGHT_LENGTH>;
var<workgroup> results: array<f32, TEAMS * FRAGMENT * FRAGMENT>;

// Factors of a slice, and of its rows in memory: along the index that a factor lies dense along
override LEFT_FACTORS: u32 = TILE_ROWS * DEPTH / HALF_WIDTH;
override RIGHT_FACTORS: u32 = TILE_COLUMNS * DEPTH / HALF_WIDTH;
override LEFT_WIDTH: u32 = select(TILE_ROWS, DEPTH, LEFT_DENSE_IN_K) / HALF_WIDTH;
override RIGHT_WIDTH: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_DENSE_IN_K) / HALF_WIDTH;
// how many of them an invocation loads ahead; variants that do so have slices of which every invocation loads as much
override LEFT_LOADS: u32 = LEFT_FACTORS / THREADS;
override RIGHT_LOADS: u32 = RIGHT_FACTORS / THREADS;

fn left_place(at: u32) -> u32 {
  return at / LEFT_WIDTH * LEFT_PITCH / HALF_WIDTH + at % LEFT_WIDTH;
}

fn right_place(at: u32) -> u32 {
  return at / RIGHT_WIDTH * RIGHT_PITCH / HALF_WIDTH + at % RIGHT_WIDTH;
}

struct Ahead {
  left: array<HalfFactor, MOST_LOADS>,
  right: array<HalfFactor, MOST_LOADS>,
}

// Loops over what is loaded ahead run a number of times that a compiler knows, and index by their counter alone: an index that it
// does not know puts an array into memory.
fn fetch(ahead: ptr<function, Ahead>, loads: ptr<function, Loads>, slice: Slice, local: u32) {
  for (var n = 0u; n < LEFT_LOADS; n++) { ahead.left[n] = left_factor(loads, slice, n, local + n * THREADS); }
  for (var n = 0u; n < RIGHT_LOADS; n++) { ahead.right[n] = right_factor(loads, slice, n, local + n * THREADS); }
}

fn put_down(ahead: ptr<function, Ahead>, local: u32) {
  for (var n = 0u; n < LEFT_LOADS; n++) { left_tile[left_place(local + n * THREADS)] = ahead.left[n]; }
  for (var n = 0u; n < RIGHT_LOADS; n++) { right_tile[right_place(local + n * THREADS)] = ahead.right[n]; }
}

fn half_product(group: vec3u, local: u32, team: u32, lane: u32) {
  let place = tile(group);
  let span = extent(group);
  let team_row = team / TEAM_COLUMNS * ROWS * FRAGMENT;
  let team_column = team % TEAM_COLUMNS * COLUMNS * FRAGMENT;

  var fragments: Fragments;
  var ahead: Ahead;
  var loads = loads_of(group, local);
  if (AHEAD) { fetch(&ahead, &loads, slice_at(&loads, span.x, span.y), local); }
  for (var first_k = span.x; first_k < span.y; first_k += DEPTH) {
    if (AHEAD) {
      put_down(&ahead, local);
    } else {
      let slice = slice_at(&loads, first_k, span.y);
      for (var at = local; at < LEFT_FACTORS; at += THREADS) {
        left_tile[left_place(at)] = left_factor(&loads, slice, 0u, at);
      }
      for (var at = local; at < RIGHT_FACTORS; at += THREADS) {
        right_tile[right_place(at)] = right_factor(&loads, slice, 0u, at);
      }
    }
    workgroupBarrier();
    if (AHEAD && first_k + DEPTH < span.y) {
      fetch(&ahead, &loads, slice_at(&loads, first_k + DEPTH, span.y), local);
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

  // the elements of a fragment cannot be addressed: they go through memory to their epilogue
  let mine = team * FRAGMENT * FRAGMENT;
  for (var n = 0u; n < FRAGMENTS; n++) {
    leave_sums(&fragments, n, mine);
    workgroupBarrier();
    let row = place.x * TILE_ROWS + team_row + n / COLUMNS * FRAGMENT;
    let column = place.y * TILE_COLUMNS + team_column + n % COLUMNS * FRAGMENT;
    finish_fragment(&loads, group, row, column, mine, lane);
    workgroupBarrier();
  }
}
