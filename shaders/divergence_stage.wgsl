// out = log_det + share·divergence, the divergence as in divergence.wgsl: one invocation a row.
#include "grid.wgsl"

struct Uniforms { batch: u32, columns: u32, tangents: u32, share: f32 }
override HAS_PROBES: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dv: array<f32>;
@group(0) @binding(2) var<storage, read> probes: array<f32>;
@group(0) @binding(3) var<storage, read> log_det: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let b = linear_index(group, groups, local);
  if (b >= u.batch) { return; }
  var sum = 0.0;
  for (var tangent = 0u; tangent < u.tangents; tangent++) {
    let first = (tangent * u.batch + b) * u.columns;
    if (HAS_PROBES) {
      for (var d = 0u; d < u.columns; d++) { sum += probes[first + d] * dv[first + d]; }
    } else {
      sum += dv[first + tangent];
    }
  }
  out[b] = log_det[b] + u.share * select(sum, sum / f32(u.tangents), HAS_PROBES);
}
