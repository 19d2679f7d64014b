// Second launch of linear_loss in float16: row_loss[b] = Σ_d residual² / (D·scale²) and delta = 2 residual / (B·D·scale), times
// the loss scale of the state, where there is one. One invocation a row.
#include "grid.wgsl"
#include "half.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"

struct Uniforms { rows: u32, columns: u32, scale: f32, factor: f32 }
override HAS_STATE: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> residuals: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> delta: array<f16>;
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = linear_index(group, groups, local);
  if (row >= u.rows) { return; }
  var factor = u.factor;
  if (HAS_STATE) { factor *= power_of_two(i32(state[STATE_LOSS_EXPONENT])); }
  var sum = 0.0;
  for (var i = row * u.columns; i < (row + 1u) * u.columns; i++) {
    let residual = residuals[i];
    delta[i] = half(residual * factor);
    sum += residual * residual;
  }
  row_loss[row] = sum / (f32(u.columns) * u.scale * u.scale);
}
