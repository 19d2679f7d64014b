// The matrix product for adapters whose loads are the bottleneck: software ones, where a load is a loop over the lanes of
// a vector with a check of each, which four neighbouring numbers share. A workgroup is one subgroup; a lane owns four
// neighbouring columns of ROWS rows. In each step the lanes load the left factor of all rows and four inner indices
// together, and share it by shuffles, so that one load serves 4·ROWS products. Loops over an invocation's own rows
// are unrolled by these adapters' compilers; the epilogue, which is long, is one loop over rows, whose sums go through storage.
//
// A kernel that includes a product chooses the unit of loads and stores (elements_*.wgsl: a Factor, an Element) and defines
//   LEFT_DENSE_IN_K, RIGHT_DENSE_IN_K  along which index each factor is dense in memory
//   left(major, minor)                 a Factor: by the index along which it is not dense, and the dense one in Factors
//   right(major, minor)
//   put(row, column, group, sum)       stores the bare sums; columns are counted in Elements
//   finish(row, column, group, sum)    the epilogue (bias, activation …) and the final store
//   finish_row(row)                    called after a row was finished, by cores that finish a whole row in one invocation
//   take(row, column)                  what `put` stored
//   EPILOGUE                           false where `put` is all there is
//   extent(group)                      first and last + 1 of the inner indices that this workgroup sums
//   tile(group)                        row and column of its tile among the tiles
//   aside(group, local)                true if this workgroup has done something else instead
//   u.rows, u.columns                  extents of the result
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override ROWS: u32 = 16u;
override THREADS: u32 = LANES;
override TILE_ROWS: u32 = ROWS;
override TILE_COLUMNS: u32 = 4u * LANES;
// Factors of the left side in a step, and how many of them a lane loads
override STEP: u32 = max(4u, 4u * LANES / ROWS);
override LOADS: u32 = max(1u, ROWS / LANES);

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (aside(group, lane)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_ROWS;
  let column = place.y * LANES + lane;
  let my_column = min(column, u.columns / 4u - 1u);

  var sums: array<vec4f, 32>;
  for (var first_k = span.x; first_k < span.y; first_k += STEP) {
    // lane and component of row i and inner index k: all rows of four k beside each other, or all quads of rows of one k
    var mine: array<vec4f, 4>;
    for (var l = 0u; l < LOADS; l++) {
      let at = l * LANES + lane;
      if (LEFT_DENSE_IN_K) {
        let k = first_k + at / ROWS * 4u;
        let value = left(min(first_row + at % ROWS, u.rows - 1u), min(k, span.y - 4u) / 4u);
        mine[l] = select(vec4f(), value, k < span.y);
      } else {
        let k = first_k + at / (ROWS / 4u);
        let value = left(min(k, span.y - 1u), min(first_row / 4u + at % (ROWS / 4u), u.rows / 4u - 1u));
        mine[l] = select(vec4f(), value, k < span.y);
      }
    }
    for (var g = 0u; g < STEP / 4u; g++) {
      let k = first_k + 4u * g;
      var columns: array<vec4f, 4>;
      if (RIGHT_DENSE_IN_K) {
        for (var j = 0u; j < 4u; j++) { columns[j] = right(4u * my_column + j, min(k, span.y - 4u) / 4u); }
      }
      for (var q = 0u; q < 4u; q++) {
        var factors: vec4f;
        if (RIGHT_DENSE_IN_K) {
          factors = vec4f(columns[0][q], columns[1][q], columns[2][q], columns[3][q]);
        } else {
          factors = right(min(k + q, span.y - 1u), my_column);
        }
        for (var i = 0u; i < ROWS; i++) {
          var value: f32;
          if (LEFT_DENSE_IN_K) {
            value = subgroupShuffle(mine[i / LANES][q], i % LANES + g * ROWS);
          } else {
            let at = (4u * g + q) * (ROWS / 4u) + i / 4u;
            value = subgroupShuffle(mine[at / LANES][i % 4u], at % LANES);
          }
          sums[i] += value * factors;
        }
      }
    }
  }

  if (column != my_column) { return; }
  for (var i = 0u; i < ROWS; i++) {
    if (first_row + i < u.rows) { put(first_row + i, column, group, sums[i]); }
  }
  if (EPILOGUE) {
    for (var row = first_row; row < min(first_row + ROWS, u.rows); row++) {
      finish(row, column, group, take(row, column));
    }
  }
}
