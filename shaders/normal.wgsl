// Standard normals for rows first … of an endless matrix: an invocation takes four neighbouring columns of a row.
#include "grid.wgsl"
#include "normals.wgsl"

struct Uniforms { rows: u32, columns: u32, blocks: u32, seed_low: u32, seed_high: u32, stream: u32 }
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
  let z = normals(draw(vec2u(u.seed_low, u.seed_high), u.stream, PURPOSE_LATENT, first[0] + row, 0u, block));
  for (var d = 0u; d < min(4u, u.columns - 4u * block); d++) {
    y[row * u.columns + 4u * block + d] = z[d];
  }
}
