// The loss of a velocity in memory and its gradient: one workgroup a row.
#include "group_sum.wgsl"

struct Uniforms { rows: u32, columns: u32, first_row: u32, factor: f32, weight: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read_write> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= u.rows) { return; }
  var squares = 0.0;
  for (var d = local; d < u.columns; d += 256u) {
    let at = row * u.columns + d;
    let residual = v[at] - target_[at];
    delta[at] = u.factor * residual;
    squares += residual * residual;
  }
  let sum = group_sum(local, squares);
  if (local == 0u) { row_loss[u.first_row + row] = u.weight * sum; }
}
