// The factors by row, inner index and column, for cores that load one number at a time.
fn left_at(row: u32, k: u32) -> f32 {
  if (LEFT_DENSE_IN_K) { return left(row, k); }
  return left(k, row);
}

fn right_at(k: u32, column: u32) -> f32 {
  if (RIGHT_DENSE_IN_K) { return right(column, k); }
  return right(k, column);
}
