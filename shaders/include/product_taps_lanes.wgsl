// The weight gradient of a convolution (conv2d_backward_weight.wgsl) for software adapters, where channels are dense and
// multiples of four: the core of product_lanes.wgsl. In each step the lanes load what lies under ROWS rows' taps of STEP
// pixels together and pass it round by shuffles; a lane owns four neighbouring channels of dy.
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override ROWS: u32 = 16u;
override THREADS: u32 = LANES;
// pixels in a step, and how many quads of their channels a lane loads
override STEP: u32 = max(4u, 4u * LANES / ROWS);
override LOADS: u32 = max(1u, ROWS / LANES);

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let span = extent(group);
  let first_row = group.y * ROWS;
  let column = group.x * LANES + lane;
  let my_column = min(column, u.columns / 4u - 1u);
  let origin = grid_pixel(span.x);

  var rows: array<TapRow, 4>;
  for (var l = 0u; l < LOADS; l++) {
    rows[l] = tap_row(min(first_row + (l * LANES + lane) % (ROWS / 4u) * 4u, u.rows - 4u));
  }
  var sums: array<vec4f, 32>;
  for (var first_k = span.x; first_k < span.y; first_k += STEP) {
    // lane and component of row i and pixel k: all quads of rows of one pixel beside each other
    var mine: array<vec4f, 4>;
    for (var l = 0u; l < LOADS; l++) {
      let k = first_k + (l * LANES + lane) / (ROWS / 4u);
      let place = source_under(row_of(pixel_after(origin, min(k, span.y - 1u) - span.x)), rows[l].offset);
      mine[l] = select(vec4f(), left(place.at + rows[l].channel / 4u), place.inside && k < span.y);
    }
    for (var g = 0u; g < STEP / 4u; g++) {
      var factors: array<vec4f, 4>;
      for (var q = 0u; q < 4u; q++) { factors[q] = right(min(first_k + 4u * g + q, span.y - 1u), my_column); }
      for (var i = 0u; i < ROWS / 4u; i++) {
        var own = mat4x4f(sums[4u * i], sums[4u * i + 1u], sums[4u * i + 2u], sums[4u * i + 3u]);
        for (var q = 0u; q < 4u; q++) {
          let at = (4u * g + q) * (ROWS / 4u) + i;
          let value = subgroupShuffle(mine[at / LANES], at % LANES);
          own[0] += value.x * factors[q];
          own[1] += value.y * factors[q];
          own[2] += value.z * factors[q];
          own[3] += value.w * factors[q];
        }
        for (var q = 0u; q < 4u; q++) { sums[4u * i + q] = own[q]; }
      }
    }
  }
  if (column != my_column) { return; }
  for (var i = 0u; i < ROWS; i++) {
    if (first_row + i < u.rows) { put(first_row + i, column, group, sums[i]); }
  }
}
