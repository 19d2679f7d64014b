// Loads of a float16 product (half_product.wgsl) whose factors are matrices in float16. A kernel defines what product_lanes.wgsl
// lists, except `put` and `take`: all its results go through finish, one number at a time.
struct Loads { first_row: u32, first_column: u32 }

fn loads_of(group: vec3u, local: u32) -> Loads {
  let place = tile(group);
  return Loads(place.x * TILE_ROWS, place.y * TILE_COLUMNS);
}

struct Slice { first_k: u32, end: u32 }

fn slice_at(loads: ptr<function, Loads>, first_k: u32, end: u32) -> Slice {
  return Slice(first_k, end);
}

fn left_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let major = at / LEFT_WIDTH;
  let minor = at % LEFT_WIDTH;
  let k = slice.first_k + select(major, minor * HALF_WIDTH, LEFT_DENSE_IN_K);
  // the last HalfFactors that there are
  let last_row = u.rows - select(HALF_WIDTH, 1u, LEFT_DENSE_IN_K);
  let row_here = min(loads.first_row + select(minor * HALF_WIDTH, major, LEFT_DENSE_IN_K), last_row);
  let k_here = min(k, slice.end - select(1u, HALF_WIDTH, LEFT_DENSE_IN_K));
  let value =
    left(select(k_here, row_here, LEFT_DENSE_IN_K), select(row_here, k_here, LEFT_DENSE_IN_K) / HALF_WIDTH);
  return select(HalfFactor(), value, k < slice.end);
}

fn right_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let major = at / RIGHT_WIDTH;
  let minor = at % RIGHT_WIDTH;
  let k = slice.first_k + select(major, minor * HALF_WIDTH, RIGHT_DENSE_IN_K);
  let last_column = u.columns - select(HALF_WIDTH, 1u, RIGHT_DENSE_IN_K);
  let column_here = min(loads.first_column + select(minor * HALF_WIDTH, major, RIGHT_DENSE_IN_K), last_column);
  let k_here = min(k, slice.end - select(1u, HALF_WIDTH, RIGHT_DENSE_IN_K));
  let value = right(
    select(k_here, column_here, RIGHT_DENSE_IN_K),
    select(column_here, k_here, RIGHT_DENSE_IN_K) / HALF_WIDTH,
  );
  return select(HalfFactor(), value, k < slice.end);
}

// The loop ends where the result does, which also keeps compilers from unrolling it.
fn finish_fragment(loads: ptr<function, Loads>, group: vec3u, row_0: u32, column_0: u32, first: u32, lane: u32) {
  let last = min(FRAGMENT, max(u.rows, row_0) - row_0) * FRAGMENT;
  for (var e = lane; e < last; e += LANES) {
    let column = column_0 + e % FRAGMENT;
    if (column < u.columns) { finish(row_0 + e / FRAGMENT, column, group, results[first + e]); }
  }
}
