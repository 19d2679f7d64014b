// Convolution (patches.wgsl) for software adapters, where channels are dense and multiples of four: the core of
// product_lanes.wgsl, with taps around its loop over the inner indices. In each step the lanes load four channels
// of all ROWS pixels together and pass them round by shuffles; a lane owns four neighbouring channels of the result.
//
// A kernel that includes one of product_patches_*.wgsl chooses the unit of loads and stores (elements_*.wgsl) and defines
//   SIGN                               see patches.wgsl
//   RIGHT_DENSE_IN_K                   along which index the weight lies dense in memory
//   right(tap, major, minor)           a Factor of the weight: of a tap, the index it does not lie dense along, and the dense one
//   source(at)                         a Factor of the source
//   put(at, sum), take(at)             store the bare sums in the result, and load them again
//   finish(pixel, column, at, sum)     the epilogue and the final store
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override ROWS: u32 = 16u;
override THREADS: u32 = LANES;
// channels of the source in a step, and how many quads of them a lane loads
override STEP: u32 = max(4u, 4u * LANES / ROWS);
override LOADS: u32 = max(1u, ROWS / LANES);

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let class_ = class_of(group.x / u.column_tiles);
  let first_row = row_tile(group) * ROWS;
  let column = group.x % u.column_tiles * LANES + lane;
  let my_column = min(column, u.columns / 4u - 1u);
  let origin = grid_pixel(first_row);

  var rows: array<Row, 4>;
  for (var l = 0u; l < LOADS; l++) {
    let ahead = min((l * LANES + lane) % ROWS, u.rows - 1u - first_row);
    rows[l] = row_of(result_pixel(pixel_after(origin, ahead), class_));
  }
  var sums: array<vec4f, 32>;
  for (var ey = 0u; ey < u.taps_y; ey++) {
    for (var ex = 0u; ex < u.taps_x; ex++) {
      let tap = tap_of(ey, ex, class_);
      if (!tap.is_there) { continue; }
      var sources: array<Source, 4>;
      for (var l = 0u; l < LOADS; l++) { sources[l] = source_under(rows[l], tap.offset); }
      for (var first_k = 0u; first_k < u.inner; first_k += STEP) {
        var mine: array<vec4f, 4>;
        for (var l = 0u; l < LOADS; l++) {
          let k = first_k + (l * LANES + lane) / ROWS * 4u;
          let value = source(sources[l].at + min(k, u.inner - 4u) / 4u);
          mine[l] = select(vec4f(), value, sources[l].inside && k < u.inner);
        }
        for (var g = 0u; g < STEP / 4u; g++) {
          let k = min(first_k + 4u * g, u.inner - 4u);
          var factors: array<vec4f, 4>;
          for (var q = 0u; q < 4u; q++) {
            if (RIGHT_DENSE_IN_K) {
              factors[q] = right(tap.number, 4u * my_column + q, k / 4u);
            } else {
              factors[q] = right(tap.number, k + q, my_column);
            }
          }
          if (RIGHT_DENSE_IN_K) {
            let turned = transpose(mat4x4f(factors[0], factors[1], factors[2], factors[3]));
            for (var q = 0u; q < 4u; q++) { factors[q] = turned[q]; }
          }
          for (var i = 0u; i < ROWS; i++) {
            var sum = sums[i];
            for (var q = 0u; q < 4u; q++) {
              sum += subgroupShuffle(mine[i / LANES][q], i % LANES + g * ROWS) * factors[q];
            }
            sums[i] = sum;
          }
        }
      }
    }
  }

  if (column != my_column) { return; }
  for (var i = 0u; i < ROWS; i++) {
    let pixel = result_pixel(pixel_after(origin, i), class_);
    if (first_row + i < u.rows && is_result(pixel)) { put(result_index(pixel, column), sums[i]); }
  }
  for (var i = 0u; i < min(ROWS, u.rows - first_row); i++) {
    let pixel = result_pixel(pixel_after(origin, i), class_);
    if (!is_result(pixel)) { continue; }
    let at = result_index(pixel, column);
    finish(pixel, column, at, take(at));
  }
}
