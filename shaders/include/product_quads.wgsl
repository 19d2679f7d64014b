// The matrix product for software adapters that neither unroll loops nor keep arrays in registers, such as the SwiftShader of
// browsers: what product_lanes.wgsl does, with the sums of eight rows written out. Lanes are taken in fours, a quad: each loads
// four neighbouring numbers of the left factor, and broadcasts by a constant lane, which costs these adapters one
// instruction where a shuffle by a variable one costs fifteen, share a block of four rows and four inner indices. With the
// right factor's block as a matrix, whose columns are inner indices, a row's sums gain block · row. For what a kernel
// defines, see product_lanes.wgsl.
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override THREADS: u32 = LANES;
override TILE_ROWS: u32 = 8u;
override TILE_COLUMNS: u32 = 4u * LANES;

// Four rows of the left factor at four inner indices, a column each.
fn quad_rows(row: u32, k: u32, lane: u32, end: u32) -> mat4x4f {
  let part = lane % 4u;
  var mine: vec4f;
  if (LEFT_DENSE_IN_K) {
    mine = left(min(row + part, u.rows - 1u), k / 4u);
  } else {
    let value = left(min(k + part, end - 1u), min(row / 4u, u.rows / 4u - 1u));
    mine = select(vec4f(), value, k + part < end);
  }
  let block = mat4x4f(quadBroadcast(mine, 0u), quadBroadcast(mine, 1u), quadBroadcast(mine, 2u), quadBroadcast(mine, 3u));
  if (LEFT_DENSE_IN_K) { return block; }
  return transpose(block);
}

// Four inner indices of the right factor at a lane's four columns, an inner index each.
fn quad_columns(k: u32, column: u32, end: u32) -> mat4x4f {
  if (RIGHT_DENSE_IN_K) {
    return transpose(mat4x4f(
      right(4u * column, k / 4u), right(4u * column + 1u, k / 4u),
      right(4u * column + 2u, k / 4u), right(4u * column + 3u, k / 4u),
    ));
  }
  return mat4x4f(
    right(k, column), right(min(k + 1u, end - 1u), column),
    right(min(k + 2u, end - 1u), column), right(min(k + 3u, end - 1u), column),
  );
}

fn put_row(row: u32, column: u32, group: vec3u, sum: vec4f) {
  if (row < u.rows) { put(row, column, group, sum); }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (aside(group, lane)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let column = place.y * LANES + lane;
  let my_column = min(column, u.columns / 4u - 1u);

  var sum0: vec4f;
  var sum1: vec4f;
  var sum2: vec4f;
  var sum3: vec4f;
  var sum4: vec4f;
  var sum5: vec4f;
  var sum6: vec4f;
  var sum7: vec4f;
  for (var k = span.x; k < span.y; k += 4u) {
    let factors = quad_columns(k, my_column, span.y);
    let upper = quad_rows(first_row, k, lane, span.y);
    let lower = quad_rows(first_row + 4u, k, lane, span.y);
    sum0 += factors * upper[0];
    sum1 += factors * upper[1];
    sum2 += factors * upper[2];
    sum3 += factors * upper[3];
    sum4 += factors * lower[0];
    sum5 += factors * lower[1];
    sum6 += factors * lower[2];
    sum7 += factors * lower[3];
  }

  if (column != my_column) { return; }
  put_row(first_row, column, group, sum0);
  put_row(first_row + 1u, column, group, sum1);
  put_row(first_row + 2u, column, group, sum2);
  put_row(first_row + 3u, column, group, sum3);
  put_row(first_row + 4u, column, group, sum4);
  put_row(first_row + 5u, column, group, sum5);
  put_row(first_row + 6u, column, group, sum6);
  put_row(first_row + 7u, column, group, sum7);
  if (EPILOGUE) {
    for (var row = first_row; row < min(first_row + TILE_ROWS, u.rows); row++) {
      finish(row, column, group, take(row, column));
    }
  }
}
