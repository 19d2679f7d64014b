// The velocity of an MLP: a tile of rows through all layers in one launch.
#include "mlp_tile.wgsl"
#include "mlp_velocity.wgsl"

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
}
