// Derivative of input_features along tangents: an invocation takes a column of [e, dcondition], with all its
// frequencies.
#include "grid.wgsl"
#include "numeric.wgsl"

struct Uniforms { rows: u32, batch: u32, columns: u32, frequencies: u32, width: u32, features: u32 }
override HAS_PROBES: bool = false;
override HAS_CONDITION: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> frequencies: array<f32>;
@group(0) @binding(3) var<storage, read> probes: array<f32>;
@group(0) @binding(4) var<storage, read> dcondition: array<f32>;
@group(0) @binding(5) var<storage, read_write> dy: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  let row = i / u.features;
  if (row >= u.rows) { return; }
  let d = i - row * u.features;
  let first = row * u.width;
  if (d >= u.columns) {
    var along = 0.0;
    if (HAS_CONDITION) { along = dcondition[row * (u.features - u.columns) + d - u.columns]; }
    dy[first + d] = along;
    return;
  }
  let tangent = row / u.batch;
  var e = select(0.0, 1.0, tangent == d);
  if (HAS_PROBES) { e = probes[row * u.columns + d]; }
  dy[first + d] = e;
  let value = x[(row - tangent * u.batch) * u.columns + d];
  for (var f = 0u; f < u.frequencies; f++) {
    let frequency = frequencies[f];
    let wave = sine_cosine_of_product(frequency, value);
    let at = first + u.features + 2u * f * u.columns + d;
    dy[at] = frequency * wave.y * e;
    dy[at + u.columns] = -frequency * wave.x * e;
  }
}
