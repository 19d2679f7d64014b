// Velocity and divergence of an MLP: a tile of rows and their tangents through all layers in one launch.
#include "mlp_tile.wgsl"
#include "mlp_velocity.wgsl"

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
