// The end point that a network predicts, or its sum with the state: one invocation for each segment of a row.
#include "grid.wgsl"
#include "segments.wgsl"

override VELOCITY: bool = false;
override LEAST_NOISE: f32 = 0.0009765625;

struct Uniforms { rows: u32, columns: u32, segments: u32, times: u32, knots: u32, factor: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> encoding: array<f32>;
@group(0) @binding(3) var<storage, read> starts: array<f32>;
@group(0) @binding(4) var<storage, read> state: array<f32>;
@group(0) @binding(5) var<storage, read> t: array<f32>;
@group(0) @binding(6) var<storage, read> path_table: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

// factors of the state and of the end in the velocity of a row
fn velocity_at(row: u32) -> vec2f {
  let last = u.knots - 1u;
  let place = t[select(row, 0u, u.times == 1u)] * f32(last);
  let knot = min(u32(place), last - 1u);
  let fraction = place - f32(knot);
  var at: vec4f;
  for (var i = 0u; i < 4u; i++) {
    let before = path_table[4u * knot + i];
    at[i] = before + fraction * (path_table[4u * knot + 4u + i] - before);
  }
  let of_state = at.w / max(at.y, LEAST_NOISE);
  return vec2f(of_state, at.z - at.x * of_state);
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
  let first = min(u32(starts[segment]), u.columns);
  let end = min(u32(starts[segment + 1u]), u.columns);
  if (first >= end) { return; }
  if (end - first == 1u) {
    y[row * u.columns + first] = u.factor * x[row * u.columns + first];
    return;
  }
  var velocity = vec2f(0.0, 1.0);
  if (VELOCITY) { velocity = velocity_at(row); }
  let all = whole(row * u.columns, first, end);
  for (var d = first; d < end; d++) {
    let at = row * u.columns + d;
    var own = encoding[d] * (exponential(x[at] - all.top) / all.sum - encoding[u.columns + d]);
    if (VELOCITY) { own = u.factor * fma(velocity.x, state[at], velocity.y * own); }
    y[at] = own;
  }
}
