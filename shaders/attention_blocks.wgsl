// y_i = Σ_j p_ij v_j with a running maximum and sum (online softmax), for GPUs: rows are queries, others keys. See
// include/attention_blocks.wgsl.
#include "attention_blocks.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

var<workgroup> queries: array<vec4f, ROWS * PITCH>;
var<workgroup> keys: array<vec4f, OTHERS * PITCH>;
var<workgroup> values: array<vec4f, OTHERS * PITCH>;
var<workgroup> table: array<vec4f, OTHERS * ROW_BLOCKS>;
// of each invocation, over its own others
var<workgroup> partial: array<vec4f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  let row_block = local / OTHER_BLOCKS;
  let other_block = local % OTHER_BLOCKS;
  for (var at = local; at < ROWS * QUADS; at += THREADS) {
    queries[at / QUADS * PITCH + at % QUADS] = qkv[quad_in_parts(QUERY, place, last(place.first + at / QUADS), at % QUADS)];
  }
  // of four rows each
  var most = vec4f(-3.0e38);
  var total = vec4f();
  // [share][row]
  var sums: array<array<vec4f, 4>, MOST_SHARES>;
  for (var first_key = 0u; first_key < u.positions; first_key += OTHERS) {
    workgroupBarrier();
    for (var at = local; at < OTHERS * QUADS; at += THREADS) {
      let position = last(first_key + at / QUADS);
      keys[at / QUADS * PITCH + at % QUADS] = qkv[quad_in_parts(KEY, place, position, at % QUADS)];
      values[at / QUADS * PITCH + at % QUADS] = qkv[quad_in_parts(VALUE, place, position, at % QUADS)];
    }
    workgroupBarrier();
    // [key], over rows; written out, since llvmpipe keeps what a variable had in the loop's last round
    var scores = array<vec4f, 4>(vec4f(), vec4f(), vec4f(), vec4f());
    for (var quad = 0u; quad < QUADS; quad++) {
      var of_rows: array<vec4f, 4>;
      for (var i = 0u; i < 4u; i++) { of_rows[i] = queries[(4u * row_block + i) * PITCH + quad]; }
      for (var j = 0u; j < 4u; j++) {
        let key = keys[(4u * other_block + j) * PITCH + quad];
        scores[j] += vec4f(dot(of_rows[0], key), dot(of_rows[1], key), dot(of_rows[2], key), dot(of_rows[3], key));
      }
    }
    var most_here = vec4f(-3.0e38);
    for (var j = 0u; j < 4u; j++) {
      scores[j] = select(vec4f(-3.0e38), u.scale * scores[j], first_key + 4u * other_block + j < u.positions);
      most_here = max(most_here, scores[j]);
    }
    partial[local] = most_here;
    workgroupBarrier();
    var most_now = most;
    for (var block = 0u; block < OTHER_BLOCKS; block++) {
      most_now = max(most_now, partial[row_block * OTHER_BLOCKS + block]);
    }
    let fading = exponentials(most - most_now);
    most = most_now;
    total *= fading;
    for (var j = 0u; j < 4u; j++) {
      let p = exponentials(scores[j] - most);
      total += p;
      table[(4u * other_block + j) * ROW_BLOCKS + row_block] = p;
    }
    for (var share = 0u; share < MOST_SHARES; share++) {
      for (var i = 0u; i < 4u; i++) { sums[share][i] *= fading[i]; }
    }
    workgroupBarrier();
    for (var key = 0u; key < OTHERS; key++) {
      let p = table[key * ROW_BLOCKS + row_block];
      for (var share = 0u; share < MOST_SHARES; share++) {
        let quad = share * OTHER_BLOCKS + other_block;
        if (quad < QUADS) {
          let value = values[key * PITCH + quad];
          for (var i = 0u; i < 4u; i++) { sums[share][i] += p[i] * value; }
        }
      }
    }
  }
  // the others' sums: all have read the last of `partial` before the barrier above
  partial[local] = total;
  workgroupBarrier();
  total = vec4f();
  for (var block = 0u; block < OTHER_BLOCKS; block++) { total += partial[row_block * OTHER_BLOCKS + block]; }
  for (var i = 0u; i < 4u; i++) {
    let position = place.first + 4u * row_block + i;
    if (position >= u.positions) { continue; }
    for (var share = 0u; share < MOST_SHARES; share++) {
      let quad = share * OTHER_BLOCKS + other_block;
      if (quad < QUADS) { y[quad_in_output(place, position, quad)] = sums[share][i] / total[i]; }
    }
    if (other_block == 0u) { log_sum_exp[row_of(place, position)] = most[i] + logarithm(total[i]); }
  }
}
