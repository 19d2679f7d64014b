// Convolution (patches.wgsl) from storage alone, for channels of any number and pictures of any layout: an invocation
// computes ROWS pixels by COLUMNS Elements of channels in registers and neither shares memory nor talks to others.
// For what a kernel defines, see product_patches_lanes.wgsl.
override ROWS: u32 = 4u;
override COLUMNS: u32 = 4u;
override THREAD_ROWS: u32 = 8u;
override THREAD_COLUMNS: u32 = 8u;
override THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;
override TILE_ROWS: u32 = THREAD_ROWS * ROWS;
override TILE_COLUMNS: u32 = THREAD_COLUMNS * COLUMNS;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let class_ = class_of(group.x / u.column_tiles);
  let first_row = row_tile(group) * TILE_ROWS;
  let my_row = local / THREAD_COLUMNS * ROWS;
  let my_column = group.x % u.column_tiles * TILE_COLUMNS + local % THREAD_COLUMNS;
  let last_column = u.columns / WIDTH - 1u;
  let origin = grid_pixel(first_row);

  var rows: array<Row, 4>;
  for (var i = 0u; i < ROWS; i++) {
    let ahead = min(my_row + i, u.rows - 1u - first_row);
    rows[i] = row_of(result_pixel(pixel_after(origin, ahead), class_));
  }
  var sums: array<array<Element, 4>, 4>;
  for (var ey = 0u; ey < u.taps_y; ey++) {
    for (var ex = 0u; ex < u.taps_x; ex++) {
      let tap = tap_of(ey, ex, class_);
      if (!tap.is_there) { continue; }
      var sources: array<Source, 4>;
      for (var i = 0u; i < ROWS; i++) { sources[i] = source_under(rows[i], tap.offset); }
      for (var k = 0u; k < u.inner; k++) {
        var factors: array<Element, 4>;
        for (var j = 0u; j < COLUMNS; j++) {
          let column = min(my_column + j * THREAD_COLUMNS, last_column);
          if (RIGHT_DENSE_IN_K) { factors[j] = right(tap.number, column, k); } else { factors[j] = right(tap.number, k, column); }
        }
        for (var i = 0u; i < ROWS; i++) {
          let value = select(Factor(), source(sources[i].at + k * u.source_channel), sources[i].inside);
          for (var j = 0u; j < COLUMNS; j++) { sums[i][j] += value * factors[j]; }
        }
      }
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    let pixel = result_pixel(pixel_after(origin, my_row + i), class_);
    if (first_row + my_row + i >= u.rows || !is_result(pixel)) { continue; }
    for (var j = 0u; j < COLUMNS; j++) {
      let column = my_column + j * THREAD_COLUMNS;
      if (column <= last_column) { put(result_index(pixel, column), sums[i][j]); }
    }
  }
  // one loop over sums that went through storage: the epilogue is long, and some adapters compile slowly
  for (var row = my_row; row < min(my_row + ROWS, u.rows - first_row); row++) {
    let pixel = result_pixel(pixel_after(origin, row), class_);
    if (!is_result(pixel)) { continue; }
    for (var column = my_column; column < min(my_column + TILE_COLUMNS, last_column + 1u); column += THREAD_COLUMNS) {
      let at = result_index(pixel, column);
      finish(pixel, column, at, take(at));
    }
  }
}
