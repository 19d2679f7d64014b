// The matrix product for adapters whose loads are the bottleneck: software ones, where a load is a gather of one value for
// each lane, and a multiplication costs next to nothing. A workgroup is one subgroup; a lane owns COLUMNS columns, LANES
// apart, of ROWS rows. The lanes load LANES inner indices of a row of the left factor together and pass them round by
// shuffles, so that a load on either side serves many products. The inner loop is not unrolled, and sums go
// through storage before their epilogue, because these adapters inline everything and compile slowly.
// For what a kernel defines, see product_lanes.wgsl, which is used instead where widths are multiples of four.
#include "scalar_factors.wgsl"
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override ROWS: u32 = 16u;
override COLUMNS: u32 = 4u;
override THREADS: u32 = LANES;
override TILE_ROWS: u32 = ROWS;
override TILE_COLUMNS: u32 = COLUMNS * LANES;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (aside(group, lane)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let first_column = place.y * TILE_COLUMNS + lane;
  let last_row = u.rows - 1u;
  let last_column = u.columns - 1u;

  var sums: array<array<f32, 4>, 32>;
  for (var first_k = span.x; first_k < span.y; first_k += LANES) {
    var mine: array<f32, 32>;
    let my_k = min(first_k + lane, span.y - 1u);
    for (var i = 0u; i < ROWS; i++) { mine[i] = left_at(min(first_row + i, last_row), my_k); }
    let count = min(LANES, span.y - first_k);
    for (var q = 0u; q < count; q++) {
      var factors: array<f32, 4>;
      for (var j = 0u; j < COLUMNS; j++) { factors[j] = right_at(first_k + q, min(first_column + j * LANES, last_column)); }
      for (var i = 0u; i < ROWS; i++) {
        let shared_value = subgroupShuffle(mine[i], q);
        for (var j = 0u; j < COLUMNS; j++) { sums[i][j] += shared_value * factors[j]; }
      }
    }
  }

  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      if (first_row + i <= last_row && first_column + j * LANES <= last_column) {
        put(first_row + i, first_column + j * LANES, group, sums[i][j]);
      }
    }
  }
  if (EPILOGUE) {
    for (var i = first_row; i < min(first_row + ROWS, u.rows); i++) {
      for (var column = first_column; column < min(first_column + TILE_COLUMNS, u.columns); column += LANES) {
        finish(i, column, group, take(i, column));
      }
    }
  }
}
