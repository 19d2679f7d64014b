// The matrix product for GPUs: a workgroup of THREAD_ROWS × THREAD_COLUMNS invocations computes a tile of the result, each
// invocation ROWS × COLUMNS elements of it in registers, THREAD_ROWS and THREAD_COLUMNS apart, so that neighbours touch
// neighbouring addresses. Both factors pass through workgroup memory in slices of DEPTH inner indices. Past an edge a load is
// clamped, and past the last inner index the left factor is zero, so nothing branches in the loops. For what a kernel
// defines, see product_lanes.wgsl.
#include "scalar_factors.wgsl"
override THREAD_ROWS: u32 = 16u;
override THREAD_COLUMNS: u32 = 16u;
override ROWS: u32 = 4u;
override COLUMNS: u32 = 4u;
override DEPTH: u32 = 16u;
override THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;
override TILE_ROWS: u32 = THREAD_ROWS * ROWS;
override TILE_COLUMNS: u32 = THREAD_COLUMNS * COLUMNS;

// one more than the tile, so that a slice written along k does not meet one memory bank again and again
override LEFT_PITCH: u32 = TILE_ROWS + 1u;
override RIGHT_PITCH: u32 = TILE_COLUMNS + 1u;
var<workgroup> left_slice: array<f32, DEPTH * LEFT_PITCH>;
var<workgroup> right_slice: array<f32, DEPTH * RIGHT_PITCH>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (aside(group, local)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let first_column = place.y * TILE_COLUMNS;
  let my_row = local / THREAD_COLUMNS;
  let my_column = local % THREAD_COLUMNS;

  var sums: array<array<f32, 8>, 8>;
  for (var first_k = span.x; first_k < span.y; first_k += DEPTH) {
    for (var at = local; at < DEPTH * TILE_ROWS; at += THREADS) {
      let row = select(at % TILE_ROWS, at / DEPTH, LEFT_DENSE_IN_K);
      let k = select(at / TILE_ROWS, at % DEPTH, LEFT_DENSE_IN_K);
      let value = left_at(min(first_row + row, u.rows - 1u), min(first_k + k, span.y - 1u));
      left_slice[k * LEFT_PITCH + row] = select(0.0, value, first_k + k < span.y);
    }
    for (var at = local; at < DEPTH * TILE_COLUMNS; at += THREADS) {
      let column = select(at % TILE_COLUMNS, at / DEPTH, RIGHT_DENSE_IN_K);
      let k = select(at / TILE_COLUMNS, at % DEPTH, RIGHT_DENSE_IN_K);
      right_slice[k * RIGHT_PITCH + column] =
        right_at(min(first_k + k, span.y - 1u), min(first_column + column, u.columns - 1u));
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      var factors: array<f32, 8>;
      for (var j = 0u; j < COLUMNS; j++) { factors[j] = right_slice[k * RIGHT_PITCH + my_column + j * THREAD_COLUMNS]; }
      for (var i = 0u; i < ROWS; i++) {
        let value = left_slice[k * LEFT_PITCH + my_row + i * THREAD_ROWS];
        for (var j = 0u; j < COLUMNS; j++) { sums[i][j] = fma(value, factors[j], sums[i][j]); }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      let row = first_row + my_row + i * THREAD_ROWS;
      let column = first_column + my_column + j * THREAD_COLUMNS;
      if (row < u.rows && column < u.columns) {
        if (EPILOGUE) { finish(row, column, group, sums[i][j]); } else { put(row, column, group, sums[i][j]); }
      }
    }
  }
}
