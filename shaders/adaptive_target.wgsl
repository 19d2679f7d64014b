// A target that weights the squared error of each row by (row_loss + offset)^-3/4: one workgroup a row.
#include "group_sum.wgsl"

struct Uniforms { rows: u32, columns: u32, offset: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
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
    let residual = v[row * u.columns + d] - target_[row * u.columns + d];
    squares += residual * residual;
  }
  let loss = group_sum(local, squares) / f32(u.columns);
  if (local == 0u) { row_loss[row] = loss; }
  let raised = loss + u.offset;
  let weight = 1.0 / sqrt(raised * sqrt(raised));
  for (var d = local; d < u.columns; d += 256u) {
    let at = row * u.columns + d;
    out[at] = v[at] - weight * (v[at] - target_[at]);
  }
}
