// Right ends that are stored, one for each row of the pool.
@group(0) @binding(12) var<storage, read> right: array<f32>;

fn stored_right(row: u32, column: u32, mirrored: bool) -> f32 {
  return right[row * u.columns + seen_column(column, mirrored)];
}
