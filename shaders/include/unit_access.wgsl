// Loads and stores of fragments, with the layout as a template argument.
fn load_left(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&left_tile, at, LEFT_PITCH);
}

fn load_right(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&right_tile, at, RIGHT_PITCH);
}

fn store_sums(at: u32, value: Sums) {
  subgroupMatrixStore<row_major>(&results, at, value, FRAGMENT);
}
