// Second launch of linear_loss: row_loss[b] = Σ_d (delta·B·D/2)² / D. One invocation a row.
#include "grid.wgsl"

struct Uniforms { rows: u32, columns: u32, factor: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(2) var<storage, read_write> row_loss: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = linear_index(group, groups, local);
  if (row >= u.rows) { return; }
  var sum = 0.0;
  for (var i = row * u.columns; i < (row + 1u) * u.columns; i++) {
    let residual = delta[i] * u.factor;
    sum += residual * residual;
  }
  row_loss[row] = sum / f32(u.columns);
}
