// The matrix product of float16 factors with float32 sums. A workgroup is TEAM_ROWS × TEAM_COLUMNS *teams* of LANES
// invocations (half_sizes.wgsl); a team computes ROWS × COLUMNS *fragments* of 16 × 16 elements of the result. Both
// factors pass through workgroup memory in slices of DEPTH inner indices. What a team does with a fragment is in
// fragments_plain.wgsl, for any adapter, and in fragments_units.wgsl, by an adapter's matrix units; all indices are here,
// for both, and so are tested wherever the plain one is. Beyond the edges the factors are zero.
//
// A fragments_*.wgsl defines
//   Fragments                    what an invocation keeps of its team's fragments, in the address space of a function
//   take_left(f, i, at)          16 × 16 of left_tile from element `at`, rows LEFT_PITCH apart, as the i-th of ROWS
//   take_right(f, j, at)         16 × 16 of right_tile, rows RIGHT_PITCH apart, as the j-th of COLUMNS
//   multiply_add(f, inner)       to the sums of all ROWS × COLUMNS fragments; from `inner` on, at most 16, factors are zero
//   leave_sums(f, i, j, at)      puts the sums of one fragment into `results` from element `at`, rows 16 apart
// A kernel that includes a half product defines what product_subgroup.wgsl lists, with left and right in float16; all
// its results go through finish.
enable f16;

const FRAGMENT = 16u;
const ROWS = 2u;
const COLUMNS = 2u;
const LANES = 32u;
var<workgroup> left_tile: array<f16, TILE_ROWS * LEFT_PITCH>;
var<workgroup> right_tile: array<f16, DEPTH * RIGHT_PITCH>;
var<workgroup> results: array<f32, TEAMS * FRAGMENT * FRAGMENT>;

fn half_product(group: vec3u, local: u32, team: u32, lane: u32) {
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let first_column = place.y * TILE_COLUMNS;
  let team_row = team / TEAM_COLUMNS * ROWS * FRAGMENT;
  let team_column = team % TEAM_COLUMNS * COLUMNS * FRAGMENT;

  var fragments: Fragments;
  for (var first_k = span.x; first_k < span.y; first_k += DEPTH) {
    for (var at = local; at < TILE_ROWS * DEPTH; at += THREADS) {
      let row = select(at % TILE_ROWS, at / DEPTH, LEFT_DENSE_IN_K);
      let k = select(at / TILE_ROWS, at % DEPTH, LEFT_DENSE_IN_K);
      var value = f16();
      if (first_row + row < u.rows && first_k + k < span.y) { value = left(first_row + row, first_k + k); }
      left_tile[row * LEFT_PITCH + k] = value;
    }
    for (var at = local; at < DEPTH * TILE_COLUMNS; at += THREADS) {
      let column = select(at % TILE_COLUMNS, at / DEPTH, RIGHT_DENSE_IN_K);
      let k = select(at / TILE_COLUMNS, at % DEPTH, RIGHT_DENSE_IN_K);
      var value = f16();
      if (first_column + column < u.columns && first_k + k < span.y) {
        value = right(first_k + k, first_column + column);
      }
      right_tile[k * RIGHT_PITCH + column] = value;
    }
    workgroupBarrier();
    let depth = min(DEPTH, span.y - first_k);
    for (var k = 0u; k < depth; k += FRAGMENT) {
      for (var i = 0u; i < ROWS; i++) { take_left(&fragments, i, (team_row + i * FRAGMENT) * LEFT_PITCH + k); }
      for (var j = 0u; j < COLUMNS; j++) { take_right(&fragments, j, k * RIGHT_PITCH + team_column + j * FRAGMENT); }
      multiply_add(&fragments, min(FRAGMENT, depth - k));
    }
    workgroupBarrier();
  }

  // fragments have no elements that could be named: they go through memory to their epilogue. Both loops over elements and
  // inner indices end where the result does, which also keeps compilers from unrolling them
  let mine = team * FRAGMENT * FRAGMENT;
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      leave_sums(&fragments, i, j, mine);
      workgroupBarrier();
      let row_0 = first_row + team_row + i * FRAGMENT;
      let last = min(FRAGMENT, max(u.rows, row_0) - row_0) * FRAGMENT;
      for (var e = lane; e < last; e += LANES) {
        let row = row_0 + e / FRAGMENT;
        let column = first_column + team_column + j * FRAGMENT + e % FRAGMENT;
        if (column < u.columns) { finish(row, column, group, results[mine + e]); }
      }
      workgroupBarrier();
    }
  }
}
