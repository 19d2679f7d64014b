// Velocity and divergence of an MLP: a tile of rows and their tangents through all layers in one launch.
#include "mlp_tile.wgsl"
#include "mlp_velocity.wgsl"

struct Uniforms {
  hidden: array<vec4u, 4>,
  frequencies: array<vec4f, 4>,
  layers: u32,
  conditions: u32,
  inputs: u32,
  every_time: u32,
  batch: u32,
  times: u32,
  beta: f32,
  scale: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> condition: array<f32>;
@group(0) @binding(5) var<storage, read> probes: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> divergence: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = (group.y * groups.x + group.x) * POINTS;
  if (first >= u.batch) { return; }
  first_point = first;
  evaluate(local);
  for (var point = local; point < min(POINTS, u.batch - first_point); point += THREADS) {
    divergence[first_point + point] = divergence_of(point);
  }
}
