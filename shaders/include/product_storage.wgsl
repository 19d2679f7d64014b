// The matrix product from storage alone: an invocation computes ROWS × COLUMNS elements in registers and neither shares
// memory nor talks to others. For adapters that have slow workgroup memory and no subgroups. For what a kernel
// defines, see product_lanes.wgsl.
#include "scalar_factors.wgsl"
override ROWS: u32 = 4u;
override COLUMNS: u32 = 4u;
override SIDE: u32 = 8u;
override THREADS: u32 = SIDE * SIDE;
override TILE_ROWS: u32 = SIDE * ROWS;
override TILE_COLUMNS: u32 = SIDE * COLUMNS;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (aside(group, local)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS + local / SIDE * ROWS;
  let first_column = place.y * TILE_COLUMNS + local % SIDE;
  let last_row = u.rows - 1u;
  let last_column = u.columns - 1u;

  var sums: array<array<f32, 4>, 4>;
  for (var k = span.x; k < span.y; k++) {
    var factors: array<f32, 4>;
    for (var j = 0u; j < COLUMNS; j++) { factors[j] = right_at(k, min(first_column + j * SIDE, last_column)); }
    for (var i = 0u; i < ROWS; i++) {
      let value = left_at(min(first_row + i, last_row), k);
      for (var j = 0u; j < COLUMNS; j++) { sums[i][j] += value * factors[j]; }
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      if (first_row + i <= last_row && first_column + j * SIDE <= last_column) {
        put(first_row + i, first_column + j * SIDE, group, sums[i][j]);
      }
    }
  }
  if (EPILOGUE) {
    for (var i = first_row; i < min(first_row + ROWS, u.rows); i++) {
      for (var column = first_column; column < min(first_column + SIDE * COLUMNS, u.columns); column += SIDE) {
        finish(i, column, group, take(i, column));
      }
    }
  }
}
