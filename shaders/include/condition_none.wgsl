// Batches without conditions.
fn copy_condition(row: u32, left: u32, block: u32, chance: f32) {}
