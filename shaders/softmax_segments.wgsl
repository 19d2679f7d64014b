// The end point that a network predicts, or its sum with the state: one invocation for each segment of a row.
#include "grid.wgsl"
#include "segments.wgsl"

override COMBINED: bool = false;

struct Uniforms { rows: u32, columns: u32, segments: u32, coefficient_rows: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> encoding: array<f32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<f32>;
@group(0) @binding(5) var<storage, read> coefficients: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn put(row: u32, d: u32, own: f32) {
  let at = row * u.columns + d;
  if (COMBINED) {
    let pair = select(2u * row, 0u, u.coefficient_rows == 1u);
    y[at] = fma(coefficients[pair], state[at], coefficients[pair + 1u] * own);
  } else {
    y[at] = own;
  }
}

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  if (i >= u.rows * u.segments) { return; }
  let row = i / u.segments;
  let segment = i % u.segments;
  let first = min(starts[segment], u.columns);
  let end = min(starts[segment + 1u], u.columns);
  if (first >= end) { return; }
  if (end - first == 1u) {
    put(row, first, x[row * u.columns + first]);
    return;
  }
  let all = whole(row * u.columns, first, end);
  for (var d = first; d < end; d++) {
    let p = exponential(x[row * u.columns + d] - all.top) / all.sum;
    put(row, d, encoding[d] * (p - encoding[u.columns + d]));
  }
}
