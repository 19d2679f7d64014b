// D_i = Σ_c dy_ic y_ic of each query of each head: one invocation a query.
#include "grid.wgsl"

struct Uniforms { rows: u32, positions: u32, heads: u32, channels: u32, head_channels: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> along: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = linear_index(group, groups, local);
  if (row >= u.rows) { return; }
  let head = row / u.positions % u.heads;
  let picture = row / u.positions / u.heads;
  let first = (picture * u.positions + row % u.positions) * u.channels + head * u.head_channels;
  var sum = 0.0;
  for (var c = first; c < first + u.head_channels; c++) { sum += dy[c] * y[c]; }
  along[row] = sum;
}
