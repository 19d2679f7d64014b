// The matrix product for results of at most eight columns (a velocity field's last layer in few dimensions): eight
// invocations share a row and take every eighth inner index, for all columns at once; then the first adds them up, in a
// fixed order. For what a kernel defines, see product_lanes.wgsl; product_dots.wgsl is the same four numbers at a time.
#include "scalar_factors.wgsl"
override TILE_ROWS: u32 = 8u;
override TILE_COLUMNS: u32 = 8u;
override THREADS: u32 = TILE_ROWS * 8u;

var<workgroup> lane_sums: array<f32, THREADS * 8u>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (aside(group, local)) { return; }
  let place = tile(group);
  let span = extent(group);
  let row = place.x * TILE_ROWS + local / 8u;
  let lane = local % 8u;

  var sums: array<f32, 8>;
  if (row < u.rows) {
    for (var k = span.x + lane; k < span.y; k += 8u) {
      let value = left_at(row, k);
      for (var j = 0u; j < u.columns; j++) { sums[j] += value * right_at(k, j); }
    }
  }
  for (var j = 0u; j < u.columns; j++) { lane_sums[local * 8u + j] = sums[j]; }
  workgroupBarrier();
  if (row >= u.rows || lane > 0u) { return; }
  for (var j = 0u; j < u.columns; j++) {
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) { sum += lane_sums[(local + i) * 8u + j]; }
    if (EPILOGUE) { finish(row, j, group, sum); } else { put(row, j, group, sum); }
  }
  finish_row(row);
}
