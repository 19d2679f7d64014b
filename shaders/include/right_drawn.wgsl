// Right ends made from rows of the pool and noise; none is stored.
fn stored_right(row: u32, column: u32, mirrored: bool) -> f32 {
  return 0.0;
}
