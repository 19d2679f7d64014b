// dq where a tile is queries; dk and dv where it is keys (OF_KEYS), after attention_backward_rows.wgsl. The probabilities are
// computed again from log_sum_exp. See include/attention_tile.wgsl.
#include "attention_tile.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
override OF_KEYS: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> along: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;

// beside the gradients of the scores, in `pairs`
var<workgroup> probabilities: array<array<f32, 16>, 16>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  let mine = local / SIDE;
  let lane = local % SIDE;
  let position = min(place.first + mine, u.positions - 1u);
  var of_part: array<f32, MOST_SHARES>;
  var of_value: array<f32, MOST_SHARES>;
  for (var first_other = 0u; first_other < u.positions; first_other += SIDE) {
    let count = min(SIDE, u.positions - first_other);
    if (lane < count) {
      let i = select(position, first_other + lane, OF_KEYS);
      let j = select(first_other + lane, position, OF_KEYS);
      let q = part_of(place, i, 0u);
      let k = part_of(place, j, 1u);
      let v = part_of(place, j, 2u);
      let out = output_of(place, i);
      var score = 0.0;
      var product = 0.0;
      for (var c = 0u; c < u.head_channels; c++) {
        score += qkv[q + c] * qkv[k + c];
        product += dy[out + c] * qkv[v + c];
      }
      let row = row_of(place, i);
      let p = exponential(u.scale * score - log_sum_exp[row]);
      probabilities[mine][lane] = p;
      pairs[mine][lane] = u.scale * p * (product - along[row]);
    }
    workgroupBarrier();
    for (var o = 0u; o < count; o++) {
      // of a query k counts, of a key q and dy
      let factor = part_of(place, first_other + o, select(1u, 0u, OF_KEYS));
      let out = output_of(place, first_other + o);
      for (var share = 0u; share < CHANNELS / SIDE; share++) {
        let c = place.channel + share * SIDE + lane;
        if (c < u.head_channels) {
          of_part[share] += pairs[mine][o] * qkv[factor + c];
          if (OF_KEYS) { of_value[share] += probabilities[mine][o] * dy[out + c]; }
        }
      }
    }
    // all have read the pairs
    workgroupBarrier();
  }
  if (place.first + mine >= u.positions) { return; }
  let part = part_of(place, position, select(0u, 1u, OF_KEYS));
  let value = part_of(place, position, 2u);
  for (var share = 0u; share < CHANNELS / SIDE; share++) {
    let c = place.channel + share * SIDE + lane;
    if (c < u.head_channels) {
      dqkv[part + c] = of_part[share];
      if (OF_KEYS) { dqkv[value + c] = of_value[share]; }
    }
  }
}
