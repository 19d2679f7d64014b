// The matrix product for results of at most eight columns (a velocity field's last layer in few dimensions) whose factors
// both lie dense along the inner index: eight invocations share ROWS rows and take every eighth quad of inner indices;
// then each adds up one row, in a fixed order. For what a kernel defines, see product_lanes.wgsl.
override COLUMNS: u32 = 1u;
override ROWS: u32 = 4u;
override THREADS: u32 = 64u;
override TILE_ROWS: u32 = 8u * ROWS;
override TILE_COLUMNS: u32 = 8u;

override SUMS: u32 = ROWS * COLUMNS;
var<workgroup> lane_sums: array<f32, THREADS * SUMS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let place = tile(group);
  let first_row = place.x * TILE_ROWS + local / 8u * ROWS;
  let lane = local % 8u;

  var sums: array<array<f32, 8>, 4>;
  for (var k = lane; k < u.inner / 4u; k += 8u) {
    var factors: array<vec4f, 8>;
    for (var j = 0u; j < COLUMNS; j++) { factors[j] = right(j, k); }
    for (var i = 0u; i < ROWS; i++) {
      let value = left(min(first_row + i, u.rows - 1u), k);
      for (var j = 0u; j < COLUMNS; j++) { sums[i][j] += dot(value, factors[j]); }
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) { lane_sums[local * SUMS + i * COLUMNS + j] = sums[i][j]; }
  }
  workgroupBarrier();
  let row = first_row + lane;
  if (lane >= ROWS || row >= u.rows) { return; }
  for (var j = 0u; j < COLUMNS; j++) {
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) { sum += lane_sums[(local - lane + i) * SUMS + lane * COLUMNS + j]; }
    if (EPILOGUE) { finish(row, j, group, sum); } else { put(row, j, group, sum); }
  }
  finish_row(row);
}
