// Loads and stores of fragments, with the layout as a template argument; places are counted in HalfFactors.
fn load_left(at: u32) -> Left {
  let first = at / HALF_WIDTH;
  if (LEFT_DENSE_IN_K) { return subgroupMatrixLoad<Left, row_major>(&left_tile, first, LEFT_PITCH / HALF_WIDTH); }
  return subgroupMatrixLoad<Left, col_major>(&left_tile, first, LEFT_PITCH / HALF_WIDTH);
}

fn load_right(at: u32) -> Right {
  let first = at / HALF_WIDTH;
  if (RIGHT_DENSE_IN_K) { return subgroupMatrixLoad<Right, col_major>(&right_tile, first, RIGHT_PITCH / HALF_WIDTH); }
  return subgroupMatrixLoad<Right, row_major>(&right_tile, first, RIGHT_PITCH / HALF_WIDTH);
}

fn store_sums(at: u32, value: Sums) {
  subgroupMatrixStore<row_major>(&results, at, value, FRAGMENT);
}
