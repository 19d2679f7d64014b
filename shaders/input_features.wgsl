// y[b] = [x, condition, sin f₀x, cos f₀x, sin f₁x, …]: an invocation takes a column of x or of the condition, with all its
// frequencies.
#include "grid.wgsl"
#include "numeric.wgsl"
#include "stored.wgsl"

struct Uniforms { rows: u32, columns: u32, conditions: u32, frequencies: u32, width: u32, lanes: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> condition: array<f32>;
@group(0) @binding(3) var<storage, read> frequencies: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  let row = i / u.lanes;
  if (row >= u.rows) { return; }
  let d = i - row * u.lanes;
  let first = row * u.width;
  if (d < u.conditions) { y[first + u.columns + d] = stored(condition[row * u.conditions + d]); }
  if (d < u.columns) {
    let value = x[row * u.columns + d];
    y[first + d] = stored(value);
    for (var f = 0u; f < u.frequencies; f++) {
      let wave = sine_cosine_of_product(frequencies[f], value);
      let at = first + u.columns + u.conditions + 2u * f * u.columns + d;
      y[at] = stored(wave.x);
      y[at + u.columns] = stored(wave.y);
    }
  }
}
