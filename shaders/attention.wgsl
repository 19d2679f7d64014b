// y_i = Σ_j p_ij v_j with a running maximum and sum (online softmax): see include/attention_tile.wgsl; here a tile is queries.
#include "attention_tile.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  let mine = local / SIDE;
  let lane = local % SIDE;
  let i = min(place.first + mine, u.positions - 1u);
  let q = part_of(place, i, 0u);
  var most = -3.0e38;
  var total = 0.0;
  var sums: array<f32, MOST_SHARES>;
  for (var first_key = 0u; first_key < u.positions; first_key += SIDE) {
    let count = min(SIDE, u.positions - first_key);
    if (lane < count) {
      let k = part_of(place, first_key + lane, 1u);
      var score = 0.0;
      for (var c = 0u; c < u.head_channels; c++) { score += qkv[q + c] * qkv[k + c]; }
      pairs[mine][lane] = u.scale * score;
    }
    workgroupBarrier();
    var most_now = most;
    for (var j = 0u; j < count; j++) { most_now = max(most_now, pairs[mine][j]); }
    let fading = exponential(most - most_now);
    most = most_now;
    total *= fading;
    for (var share = 0u; share < MOST_SHARES; share++) { sums[share] *= fading; }
    for (var j = 0u; j < count; j++) {
      let p = exponential(pairs[mine][j] - most);
      total += p;
      let v = part_of(place, first_key + j, 2u);
      for (var share = 0u; share < CHANNELS / SIDE; share++) {
        let c = place.channel + share * SIDE + lane;
        if (c < u.head_channels) { sums[share] += p * qkv[v + c]; }
      }
    }
    // all have read the pairs
    workgroupBarrier();
  }
  if (place.first + mine >= u.positions) { return; }
  let out = output_of(place, i);
  for (var share = 0u; share < CHANNELS / SIDE; share++) {
    let c = place.channel + share * SIDE + lane;
    if (c < u.head_channels) { y[out + c] = sums[share] / total; }
  }
  if (lane == 0u && place.channel == 0u) { log_sum_exp[row_of(place, i)] = most + logarithm(total); }
}
