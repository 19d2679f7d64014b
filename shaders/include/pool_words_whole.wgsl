// The words of a pool that one binding holds.
fn pool_word(at: u32) -> u32 {
  return pool[at];
}
