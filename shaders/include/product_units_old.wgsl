// The float16 product by matrix units, with the older form of loads.
#include "half_sizes_fixed.wgsl"
#include "half_factors_1.wgsl"
#include "half_product.wgsl"
#include "fragments_units.wgsl"
#include "unit_access_old.wgsl"

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) team: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  if (aside(group, local)) { return; }
  half_product(group, local, team, lane);
}
