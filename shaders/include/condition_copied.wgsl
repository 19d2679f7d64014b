// The conditions of a batch are those of its rows of the pool, or zeros where they are dropped; the blocks of a row share the
// work.
@group(0) @binding(2) var<storage, read> pool_condition: array<f32>;
@group(0) @binding(8) var<storage, read_write> condition: array<f32>;

fn copy_condition(row: u32, left: u32, block: u32, chance: f32) {
  let kept = chance >= u.drop;
  for (var c = block; c < u.conditions; c += u.blocks) {
    condition[row * u.conditions + c] = select(0.0, pool_condition[left * u.conditions + c], kept);
  }
}
