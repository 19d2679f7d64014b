// Probes of ±1: an invocation takes the 32 columns that share a random word.
#include "grid.wgsl"
#include "philox.wgsl"

struct Uniforms { rows: u32, columns: u32, blocks: u32, batch: u32, seed_low: u32, seed_high: u32, stream: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> first: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  let row = i / u.blocks;
  if (row >= u.rows) { return; }
  let block = i - row * u.blocks;
  let probe = row / u.batch;
  let index = first[0] + row - probe * u.batch;
  let words = draw(vec2u(u.seed_low, u.seed_high), u.stream, PURPOSE_PROBE, index, probe, block / 4u);
  let word = words[block % 4u];
  for (var d = 0u; d < min(32u, u.columns - 32u * block); d++) {
    y[row * u.columns + 32u * block + d] = select(-1.0, 1.0, ((word >> d) & 1u) == 1u);
  }
}
