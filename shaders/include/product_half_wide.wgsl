// The float16 product without matrix units, four numbers a load.
#include "half_sizes.wgsl"
#include "half_factors_4.wgsl"
#include "half_product.wgsl"
#include "fragments_plain.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (aside(group, local)) { return; }
  let lane = local % LANES;
  lane_row = lane / 4u * LANE_ROWS;
  lane_column = lane % 4u * LANE_COLUMNS;
  half_product(group, local, local / LANES, lane);
}
