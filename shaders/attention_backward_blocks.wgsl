// dq where rows are queries; dk and dv where they are keys (OF_KEYS), after attention_backward_rows.wgsl, for GPUs. The
// probabilities are computed again from log_sum_exp. See include/attention_blocks.wgsl.
#include "attention_blocks.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
override OF_KEYS: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> along: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

// of a query its q and dy, of a key its k and v
var<workgroup> row_parts: array<vec4f, ROWS * PITCH>;
var<workgroup> row_values: array<vec4f, ROWS * PITCH>;
var<workgroup> other_parts: array<vec4f, OTHERS * PITCH>;
var<workgroup> other_values: array<vec4f, OTHERS * PITCH>;
// probabilities are wanted of keys alone
override PROBABILITIES: u32 = select(1u, OTHERS * ROW_BLOCKS, OF_KEYS);
var<workgroup> probabilities: array<vec4f, PROBABILITIES>;
var<workgroup> gradients: array<vec4f, OTHERS * ROW_BLOCKS>;

fn value_of(of_keys: bool, place: Place, position: u32, quad: u32) -> vec4f {
  if (of_keys) { return qkv[quad_in_parts(VALUE, place, position, quad)]; }
  return dy[quad_in_output(place, position, quad)];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  let row_block = local / OTHER_BLOCKS;
  let other_block = local % OTHER_BLOCKS;
  let row_part = select(QUERY, KEY, OF_KEYS);
  let other_part = select(KEY, QUERY, OF_KEYS);
  for (var at = local; at < ROWS * QUADS; at += THREADS) {
    let position = last(place.first + at / QUADS);
    let here = at / QUADS * PITCH + at % QUADS;
    row_parts[here] = qkv[quad_in_parts(row_part, place, position, at % QUADS)];
    row_values[here] = value_of(OF_KEYS, place, position, at % QUADS);
  }
  // [share][row]
  var of_part: array<array<vec4f, 4>, MOST_SHARES>;
  var of_value: array<array<vec4f, 4>, MOST_SHARES>;
  for (var first_other = 0u; first_other < u.positions; first_other += OTHERS) {
    workgroupBarrier();
    for (var at = local; at < OTHERS * QUADS; at += THREADS) {
      let position = last(first_other + at / QUADS);
      let here = at / QUADS * PITCH + at % QUADS;
      other_parts[here] = qkv[quad_in_parts(other_part, place, position, at % QUADS)];
      other_values[here] = value_of(!OF_KEYS, place, position, at % QUADS);
    }
    workgroupBarrier();
    // [other], over rows; written out, since llvmpipe keeps what a variable had in the loop's last round
    var scores = array<vec4f, 4>(vec4f(), vec4f(), vec4f(), vec4f());
    var products = array<vec4f, 4>(vec4f(), vec4f(), vec4f(), vec4f());
    for (var quad = 0u; quad < QUADS; quad++) {
      var parts: array<vec4f, 4>;
      var values: array<vec4f, 4>;
      for (var i = 0u; i < 4u; i++) {
        parts[i] = row_parts[(4u * row_block + i) * PITCH + quad];
        values[i] = row_values[(4u * row_block + i) * PITCH + quad];
      }
      for (var j = 0u; j < 4u; j++) {
        let part = other_parts[(4u * other_block + j) * PITCH + quad];
        let value = other_values[(4u * other_block + j) * PITCH + quad];
        scores[j] += vec4f(dot(parts[0], part), dot(parts[1], part), dot(parts[2], part), dot(parts[3], part));
        products[j] += vec4f(dot(values[0], value), dot(values[1], value), dot(values[2], value), dot(values[3], value));
      }
    }
    for (var j = 0u; j < 4u; j++) {
      let other = first_other + 4u * other_block + j;
      var of_query: vec4f;
      var along_query: vec4f;
      for (var i = 0u; i < 4u; i++) {
        let query = row_of(place, last(select(place.first + 4u * row_block + i, other, OF_KEYS)));
        of_query[i] = log_sum_exp[query];
        along_query[i] = along[query];
      }
      let p = select(vec4f(), exponentials(u.scale * scores[j] - of_query), other < u.positions);
      let at = (4u * other_block + j) * ROW_BLOCKS + row_block;
      if (OF_KEYS) { probabilities[at] = p; }
      gradients[at] = u.scale * p * (products[j] - along_query);
    }
    workgroupBarrier();
    for (var other = 0u; other < OTHERS; other++) {
      let gradient = gradients[other * ROW_BLOCKS + row_block];
      for (var share = 0u; share < MOST_SHARES; share++) {
        let quad = share * OTHER_BLOCKS + other_block;
        if (quad < QUADS) {
          let part = other_parts[other * PITCH + quad];
          for (var i = 0u; i < 4u; i++) { of_part[share][i] += gradient[i] * part; }
          if (OF_KEYS) {
            let p = probabilities[other * ROW_BLOCKS + row_block];
            let value = other_values[other * PITCH + quad];
            for (var i = 0u; i < 4u; i++) { of_value[share][i] += p[i] * value; }
          }
        }
      }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    let position = place.first + 4u * row_block + i;
    if (position >= u.positions) { continue; }
    for (var share = 0u; share < MOST_SHARES; share++) {
      let quad = share * OTHER_BLOCKS + other_block;
      if (quad < QUADS) {
        dqkv[quad_in_parts(row_part, place, position, quad)] = of_part[share][i];
        if (OF_KEYS) { dqkv[quad_in_parts(VALUE, place, position, quad)] = of_value[share][i]; }
      }
    }
  }
}
