// The matrix product for few inner indices (a velocity field's first layer in few dimensions, or the input gradient of its
// last): an invocation holds four columns of the right factor in registers for ROWS rows. Its epilogue is most of its
// cost. For what a kernel defines, see product_lanes.wgsl.
#include "scalar_factors.wgsl"
override INNER: u32 = 1u;
override ROWS: u32 = 8u;
override SIDE: u32 = 8u;
override THREADS: u32 = SIDE * SIDE;
override TILE_ROWS: u32 = SIDE * ROWS;
override TILE_COLUMNS: u32 = SIDE * 4u;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let place = tile(group);
  let column = place.y * SIDE + local % SIDE;
  if (column >= u.columns / 4u) { return; }
  var factors: array<vec4f, 8>;
  for (var k = 0u; k < INNER; k++) {
    let at = 4u * column;
    factors[k] = vec4f(right_at(k, at), right_at(k, at + 1u), right_at(k, at + 2u), right_at(k, at + 3u));
  }
  let first_row = place.x * TILE_ROWS + local / SIDE;
  for (var row = first_row; row < min(place.x * TILE_ROWS + TILE_ROWS, u.rows); row += SIDE) {
    var sum = vec4f();
    for (var k = 0u; k < INNER; k++) { sum += left_at(row, k) * factors[k]; }
    if (EPILOGUE) { finish(row, column, group, sum); } else { put(row, column, group, sum); }
  }
}
