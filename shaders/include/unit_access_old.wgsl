// Loads and stores of fragments as Dawn had them until mid-2026: «column major» is an argument, and arrays hold numbers.
fn load_left(at: u32) -> Left {
  return subgroupMatrixLoad<Left>(&left_tile, at, !LEFT_DENSE_IN_K, LEFT_PITCH);
}

fn load_right(at: u32) -> Right {
  return subgroupMatrixLoad<Right>(&right_tile, at, RIGHT_DENSE_IN_K, RIGHT_PITCH);
}

fn store_sums(at: u32, value: Sums) {
  subgroupMatrixStore(&results, at, value, false, FRAGMENT);
}
