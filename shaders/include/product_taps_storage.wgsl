// The weight gradient of a convolution (conv2d_backward_weight.wgsl) from storage alone, for channels of any number and
// pictures of any layout: an invocation computes ROWS taps and channels by COLUMNS Elements of dy's channels in registers.
override ROWS: u32 = 4u;
override COLUMNS: u32 = 4u;
override THREAD_ROWS: u32 = 8u;
override THREAD_COLUMNS: u32 = 8u;
override THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;
override TILE_ROWS: u32 = THREAD_ROWS * ROWS;
override TILE_COLUMNS: u32 = THREAD_COLUMNS * COLUMNS;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let span = extent(group);
  let first_row = group.y * TILE_ROWS + local / THREAD_COLUMNS * ROWS;
  let first_column = group.x * TILE_COLUMNS + local % THREAD_COLUMNS;
  let last_column = u.columns / WIDTH - 1u;
  let origin = grid_pixel(span.x);

  var rows: array<TapRow, 4>;
  for (var i = 0u; i < ROWS; i++) { rows[i] = tap_row(min(first_row + i, u.rows - 1u)); }
  var sums: array<array<Element, 4>, 4>;
  for (var k = span.x; k < span.y; k++) {
    let pixel = pixel_after(origin, k - span.x);
    let under = row_of(pixel);
    var factors: array<Element, 4>;
    for (var j = 0u; j < COLUMNS; j++) { factors[j] = right_of(pixel, min(first_column + j * THREAD_COLUMNS, last_column)); }
    for (var i = 0u; i < ROWS; i++) {
      let place = source_under(under, rows[i].offset);
      let value = select(Factor(), left(place.at + rows[i].channel * u.source_channel), place.inside);
      for (var j = 0u; j < COLUMNS; j++) { sums[i][j] += value * factors[j]; }
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      let column = first_column + j * THREAD_COLUMNS;
      if (first_row + i < u.rows && column <= last_column) { put(first_row + i, column, group, sums[i][j]); }
    }
  }
}
