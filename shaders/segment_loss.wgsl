// The loss of a predicted end point and its gradient: one workgroup a row, its invocations share the segments.
#include "group_sum.wgsl"
#include "segments.wgsl"

override RATES: bool = false;

struct Uniforms { rows: u32, columns: u32, segments: u32, factor: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read> rates: array<f32>;
@group(0) @binding(4) var<storage, read> encoding: array<f32>;
@group(0) @binding(5) var<storage, read> starts: array<f32>;
@group(0) @binding(6) var<storage, read> gates: array<f32>;
@group(0) @binding(7) var<storage, read_write> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> row_loss: array<f32>;

fn probability(row: u32, d: u32) -> f32 {
  return target_[row + d] / encoding[d] + encoding[u.columns + d];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let b = group.y * groups.x + group.x;
  if (b >= u.rows) { return; }
  let row = b * u.columns;
  var sum = 0.0;
  for (var s = local; s < u.segments; s += 256u) {
    let first = min(u32(starts[s]), u.columns);
    let end = min(u32(starts[s + 1u]), u.columns);
    if (first >= end) { continue; }
    var weight = 1.0;
    let gate = u32(gates[s]);
    if (gate < u.columns) { weight = probability(row, gate); }
    if (end - first == 1u) {
      var aim = target_[row + first];
      if (RATES) { aim = rates[row + first]; }
      let residual = x[row + first] - aim;
      sum += 0.5 * weight * residual * residual;
      delta[row + first] = u.factor * weight * residual;
      continue;
    }
    let all = whole(row, first, end);
    let log_sum = all.top + logarithm(all.sum);
    var mass = 0.0;
    for (var d = first; d < end; d++) { mass += probability(row, d); }
    for (var d = first; d < end; d++) {
      let p = probability(row, d);
      sum += weight * p * (log_sum - x[row + d]);
      delta[row + d] = u.factor * weight * (mass * (exponential(x[row + d] - all.top) / all.sum) - p);
    }
  }
  let total = group_sum(local, sum);
  if (local == 0u) { row_loss[b] = total / f32(u.segments); }
}
