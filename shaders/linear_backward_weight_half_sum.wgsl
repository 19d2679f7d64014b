// Second launch of linear_backward_weight in float16 where the batch was cut into parts: adds them up, in order.
#include "grid.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"

struct Uniforms { weights: u32, rows: u32, splits: u32 }
override HAS_TIME: bool = false;
override HAS_STATE: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(5) var<storage, read_write> dtime_weight: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  let length = u.weights + 2u * u.rows;
  if (i >= length) { return; }
  var sum = 0.0;
  for (var s = 0u; s < u.splits; s++) { sum += parts[s * length + i]; }
  if (HAS_STATE) { sum *= power_of_two(-i32(state[STATE_LOSS_EXPONENT])); }
  if (i < u.weights) {
    dweight[i] = sum;
  } else if (i < u.weights + u.rows) {
    dbias[i - u.weights] = sum;
  } else if (HAS_TIME) {
    dtime_weight[i - u.weights - u.rows] = sum;
  }
}
