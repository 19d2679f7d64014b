// Accepts or rejects an adaptive step of every row by itself and chooses the row's next step: see
// src/kernels/adaptive_control.ts. One invocation a row.
#include "grid.wgsl"
#include "numeric.wgsl"

struct Uniforms {
  error: array<vec4f, 2>,
  rows: u32,
  columns: u32,
  stages: u32,
  stride: u32,
  log_det_stride: u32,
  cost: u32,
  rtol: f32,
  atol: f32,
  span: f32,
  end: f32,
}
override HAS_LOG_DET: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> y_new: array<f32>;
@group(0) @binding(3) var<storage, read_write> stages: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_det: array<f32>;
@group(0) @binding(5) var<storage, read> log_det_new: array<f32>;
@group(0) @binding(6) var<storage, read_write> log_det_stages: array<f32>;
@group(0) @binding(7) var<storage, read_write> t: array<f32>;
@group(0) @binding(8) var<storage, read_write> h: array<f32>;
@group(0) @binding(9) var<storage, read_write> evaluations: array<u32>;

// The error of one element as a multiple of the tolerance; bounded so that its square cannot overflow, unless it is not finite.
fn in_tolerances(error: f32, before: f32, after: f32) -> f32 {
  let ratio = error / (u.atol + u.rtol * max(abs(before), abs(after)));
  return select(ratio, 1e15, is_finite(ratio) && abs(ratio) > 1e15);
}

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = linear_index(group, groups, local);
  if (row >= u.rows) { return; }
  let step = h[row];
  if (step == 0.0) { return; }
  evaluations[row] += u.cost;

  let first = row * u.columns;
  var squares = 0.0;
  var columns = f32(u.columns);
  for (var i = first; i < first + u.columns; i++) {
    var error = 0.0;
    for (var s = 0u; s < u.stages; s++) { error += u.error[s / 4u][s % 4u] * stages[s * u.stride + i]; }
    let ratio = in_tolerances(step * error, y[i], y_new[i]);
    squares += ratio * ratio;
  }
  if (HAS_LOG_DET) {
    var error = 0.0;
    for (var s = 0u; s < u.stages; s++) {
      error += u.error[s / 4u][s % 4u] * log_det_stages[s * u.log_det_stride + row];
    }
    let ratio = in_tolerances(step * error, log_det[row], log_det_new[row]);
    squares += ratio * ratio;
    columns += 1.0;
  }
  if (!is_finite(squares)) {
    h[row] = 0.0;
    return;
  }

  let error = sqrt(squares / columns);
  var growth = clamp(0.9 * exponential(-0.2 * logarithm(max(error, 1e-10))), 0.2, 10.0);
  var time = t[row];
  if (error <= 1.0) {
    let last = u.stages - 1u;
    for (var i = first; i < first + u.columns; i++) {
      y[i] = y_new[i];
      stages[i] = stages[last * u.stride + i];
    }
    if (HAS_LOG_DET) {
      log_det[row] = log_det_new[row];
      log_det_stages[row] = log_det_stages[last * u.log_det_stride + row];
    }
    time += step;
  } else {
    growth = min(growth, 1.0);
  }

  let rest = u.end - time;
  let next = growth * step;
  let least = 1e-6 * abs(u.span);
  if (abs(rest) <= least) {
    time = u.end;
    h[row] = 0.0;
  } else if (abs(next) < least) {
    h[row] = 0.0;
  } else {
    h[row] = select(next, rest, abs(next) >= abs(rest));
  }
  t[row] = time;
}
