// `steps` classical Runge–Kutta steps of size h from time `start`, a tile of rows through all of them in one launch; with
// HAS_LOG_DET the integral of the divergence beside them. y, sums and stages never leave the workgroup.
#include "mlp_tile.wgsl"

struct Uniforms {
  hidden: array<vec4u, 4>,
  frequencies: array<vec4f, 4>,
  layers: u32,
  conditions: u32,
  inputs: u32,
  every_time: u32,
  batch: u32,
  steps: u32,
  beta: f32,
  scale: f32,
  start: f32,
  h: f32,
}
override HAS_LOG_DET: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> condition: array<f32>;
@group(0) @binding(4) var<storage, read> log_det: array<f32>;
@group(0) @binding(5) var<storage, read> probes: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> log_det_out: array<f32>;

// the state before a step, and what the step has become with the stages until now: each number is one invocation's own
var<workgroup> state: array<f32, POINTS * DIMENSION>;
var<workgroup> next_state: array<f32, POINTS * DIMENSION>;
var<workgroup> volume: array<f32, POINTS>;
var<private> time: f32;

fn time_of(point: u32) -> f32 {
  return time;
}

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
    next_state[e] = value;
    points[e] = value;
  }
  if (HAS_LOG_DET) {
    for (var point = local; point < POINTS; point += THREADS) {
      volume[point] = log_det[min(first_point + point, u.batch - 1u)];
    }
  }
  for (var step = 0u; step < u.steps; step++) {
    for (var stage = 0u; stage < 4u; stage++) {
      let outer = stage == 0u || stage == 3u;
      let weight = u.h * select(1.0 / 3.0, 1.0 / 6.0, outer);
      // how far the next stage goes along this one's slope
      let reach = u.h * select(0.5, 1.0, stage == 2u);
      time = u.start + (f32(step) + 0.5 * f32((stage + 1u) / 2u)) * u.h;
      workgroupBarrier();
      fill_features(local);
      let head = hidden_layers(local);
      last_layer(head, local);
      for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
        let k = velocity(head, e / DIMENSION, e % DIMENSION);
        let sum = next_state[e] + weight * k;
        next_state[e] = sum;
        if (stage == 3u) { state[e] = sum; }
        points[e] = select(state[e] + reach * k, sum, stage == 3u);
      }
      if (HAS_LOG_DET) {
        for (var point = local; point < POINTS; point += THREADS) { volume[point] += weight * divergence_of(point); }
      }
    }
  }
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    if (first_point + e / DIMENSION < u.batch) { out[first_point * DIMENSION + e] = state[e]; }
  }
  if (HAS_LOG_DET) {
    for (var point = local; point < min(POINTS, u.batch - first_point); point += THREADS) {
      log_det_out[first_point + point] = volume[point];
    }
  }
}
