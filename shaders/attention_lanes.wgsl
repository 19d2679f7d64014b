// y_i = Σ_j p_ij v_j with a running maximum and sum (online softmax), for software adapters: rows are queries, columns keys.
// See include/attention_lanes.wgsl.
#include "attention_lanes.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

fn quad_of(part: u32, place: Place, position: u32, quad: u32) -> vec4f {
  return qkv[quad_in_parts(part, place, position, quad)];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  var most: array<f32, 16>;
  var total: array<f32, 16>;
  var sums: array<Table, 4>;
  for (var i = 0u; i < ROWS; i++) { most[i] = -3.0e38; }
  for (var first_key = 0u; first_key < u.positions; first_key += 4u * LANES) {
    let is_key = is_column(first_key, lane);
    var table = products(place, QUERY, KEY, first_key, lane);
    for (var i = 0u; i < ROWS; i++) {
      let scores = select(vec4f(-3.0e38), u.scale * table[i], is_key);
      let most_now = max(most[i], subgroupMax(max(max(scores.x, scores.y), max(scores.z, scores.w))));
      let fading = exponential(most[i] - most_now);
      let p = exponentials(scores - most_now);
      most[i] = most_now;
      total[i] = total[i] * fading + ((p.x + p.y) + (p.z + p.w));
      table[i] = p;
      for (var share = 0u; share < SHARES; share++) { sums[share][i] *= fading; }
    }
    for (var share = 0u; share < SHARES; share++) {
      sums[share] = added(sums[share], place, table, VALUE, first_key, share, lane);
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    let whole = subgroupAdd(total[i]);
    let position = place.first + i;
    if (position >= u.positions) { continue; }
    for (var share = 0u; share < SHARES; share++) {
      let quad = share * LANES + lane;
      if (quad < u.head_channels / 4u) { y[quad_in_output(place, position, quad)] = sums[share][i] / whole; }
    }
    if (lane == 0u) {
      log_sum_exp[(place.picture * u.heads + place.head) * u.positions + position] = most[i] + logarithm(whole);
    }
  }
}
