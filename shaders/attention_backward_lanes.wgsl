// dq where rows are queries; dk and dv where they are keys (OF_KEYS), for software adapters, after
// attention_backward_rows.wgsl. The probabilities are computed again from log_sum_exp. See include/attention_lanes.wgsl.
#include "attention_lanes.wgsl"
#include "numeric.wgsl"

struct Uniforms { positions: u32, heads: u32, channels: u32, head_channels: u32, planes: u32, scale: f32 }
override OF_KEYS: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> along: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

fn quad_of(part: u32, place: Place, position: u32, quad: u32) -> vec4f {
  if (part == DY) { return dy[quad_in_output(place, position, quad)]; }
  return qkv[quad_in_parts(part, place, position, quad)];
}

// log_sum_exp and `along` of a query
fn of_query(place: Place, position: u32) -> vec2f {
  let at = (place.picture * u.heads + place.head) * u.positions + last(position);
  return vec2f(log_sum_exp[at], along[at]);
}

fn store(place: Place, part: u32, table: Table, share: u32, lane: u32) {
  let quad = share * LANES + lane;
  if (quad >= u.head_channels / 4u) { return; }
  for (var i = 0u; i < ROWS; i++) {
    if (place.first + i < u.positions) { dqkv[quad_in_parts(part, place, place.first + i, quad)] = table[i]; }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (plane_of(group) >= u.planes) { return; }
  let place = place_of(group);
  // of the rows, where they are queries
  var mine: array<vec2f, 4>;
  for (var l = 0u; l < LOADS; l++) { mine[l] = of_query(place, place.first + my_row(lane, l)); }
  var of_part: array<Table, 4>;
  var of_value: array<Table, 4>;
  for (var first_column = 0u; first_column < u.positions; first_column += 4u * LANES) {
    let is_there = is_column(first_column, lane);
    // of the lane's columns, where they are queries
    var logs: vec4f;
    var alongs: vec4f;
    if (OF_KEYS) {
      for (var j = 0u; j < 4u; j++) {
        let query = of_query(place, first_column + 4u * lane + j);
        logs[j] = query.x;
        alongs[j] = query.y;
      }
    }
    var p = products(place, select(QUERY, KEY, OF_KEYS), select(KEY, QUERY, OF_KEYS), first_column, lane);
    var ds = products(place, select(DY, VALUE, OF_KEYS), select(VALUE, DY, OF_KEYS), first_column, lane);
    for (var i = 0u; i < ROWS; i++) {
      if (!OF_KEYS) {
        logs = vec4f(subgroupShuffle(mine[i / LANES].x, i % LANES));
        alongs = vec4f(subgroupShuffle(mine[i / LANES].y, i % LANES));
      }
      p[i] = select(vec4f(), exponentials(u.scale * p[i] - logs), is_there);
      ds[i] = u.scale * p[i] * (ds[i] - alongs);
    }
    for (var share = 0u; share < SHARES; share++) {
      of_part[share] = added(of_part[share], place, ds, select(KEY, QUERY, OF_KEYS), first_column, share, lane);
      if (OF_KEYS) { of_value[share] = added(of_value[share], place, p, DY, first_column, share, lane); }
    }
  }
  for (var share = 0u; share < SHARES; share++) {
    store(place, select(QUERY, KEY, OF_KEYS), of_part[share], share, lane);
    if (OF_KEYS) { store(place, VALUE, of_value[share], share, lane); }
  }
}
