// [cos f_k t …, sin f_k t …], f_k = 10000^(−k/half): an invocation takes a pair of a row; the first also writes the zero of an odd width.
#include "grid.wgsl"
#include "numeric.wgsl"

const LN_10000 = 9.21034037;
struct Uniforms { rows: u32, width: u32, half: u32, pairs: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(GROUP_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_index(group, groups, local);
  let row = i / u.pairs;
  if (row >= u.rows) { return; }
  let k = i % u.pairs;
  let first = row * u.width;
  if (k == 0u && u.width % 2u == 1u) { y[first + u.width - 1u] = 0.0; }
  if (k >= u.half) { return; }
  let frequency = exponential(-LN_10000 * (f32(k) / f32(u.half)));
  let wave = sine_cosine_of_product(frequency, t[row]);
  y[first + k] = wave.y;
  y[first + u.half + k] = wave.x;
}
