// A list of evaluations (src/ode/evaluations.ts) of one sub-flow, a tile of rows through all of them in one launch; with
// HAS_LOG_DET the integral of the divergence beside them. The state of a step leaves the workgroup only if a later launch
// continues from it.
#include "mlp_tile.wgsl"

struct Uniforms {
  hidden: array<vec4u, 4>,
  frequencies: array<vec4f, 4>,
  layers: u32,
  conditions: u32,
  inputs: u32,
  every_time: u32,
  batch: u32,
  evaluations: u32,
  has_ahead: u32,
  leaves_ahead: u32,
  beta: f32,
  scale: f32,
}
override HAS_LOG_DET: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4f>;
@group(0) @binding(3) var<storage, read> y: array<f32>;
@group(0) @binding(4) var<storage, read> condition: array<f32>;
@group(0) @binding(5) var<storage, read> log_det: array<f32>;
@group(0) @binding(6) var<storage, read> probes: array<f32>;
@group(0) @binding(7) var<storage, read> ahead: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
@group(0) @binding(9) var<storage, read_write> log_det_out: array<f32>;
@group(0) @binding(10) var<storage, read_write> ahead_out: array<f32>;

// the state before a step, and what the step has become with the stages until now: each number is one invocation's own
var<workgroup> state: array<f32, POINTS * DIMENSION>;
var<workgroup> next_state: array<f32, POINTS * DIMENSION>;
var<workgroup> volume: array<f32, POINTS>;
var<private> time: f32;

fn time_of(point: u32) -> f32 {
  return time;
}

fn note(layer: u32, point: u32, c: u32, z: vec4f, y: vec4f) {}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (group.y * groups.x + group.x) * POINTS;
  if (first >= u.batch) { return; }
  first_point = first;
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    var value = 0.0;
    if (first_point + e / DIMENSION < u.batch) { value = y[first_point * DIMENSION + e]; }
    state[e] = value;
    points[e] = table[0].w * value;
    if (u.has_ahead == 1u && first_point + e / DIMENSION < u.batch) { value = ahead[first_point * DIMENSION + e]; }
    next_state[e] = value;
  }
  if (HAS_LOG_DET) {
    for (var point = local; point < POINTS; point += THREADS) {
      volume[point] = log_det[min(first_point + point, u.batch - 1u)];
    }
  }
  for (var evaluation = 0u; evaluation < u.evaluations; evaluation++) {
    let how = table[2u * evaluation];
    let parts = table[2u * evaluation + 1u];
    time = how.x;
    let ends = u32(parts.x) % 2u == 1u;
    let share = parts.y;
    let reach = parts.z;
    let carry = parts.w;
    let next_place = table[2u * min(evaluation + 1u, u.evaluations - 1u)].w;
    workgroupBarrier();
    fill_features(local);
    let head = hidden_layers(local);
    last_layer(head, local);
    for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
      let k = how.y * velocity(head, e / DIMENSION, e % DIMENSION) + how.z * points[e];
      let sum = next_state[e] + share * k;
      next_state[e] = select(sum, sum + carry * k, ends);
      points[e] = next_place * select(state[e] + reach * k, sum, ends);
      if (ends) { state[e] = sum; }
    }
    if (HAS_LOG_DET) {
      for (var point = local; point < POINTS; point += THREADS) {
        volume[point] += (share + carry) * how.y * how.w * divergence_of(point);
      }
    }
  }
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    if (first_point + e / DIMENSION < u.batch) {
      out[first_point * DIMENSION + e] = state[e];
      if (u.leaves_ahead == 1u) { ahead_out[first_point * DIMENSION + e] = next_state[e]; }
    }
  }
  if (HAS_LOG_DET) {
    for (var point = local; point < min(POINTS, u.batch - first_point); point += THREADS) {
      log_det_out[first_point + point] = volume[point];
    }
  }
}
