// The matrix product for GPUs where widths are multiples of four: a workgroup of SIDE × SIDE invocations computes a tile of
// the result, each invocation QUADS × QUADS blocks of four rows and four columns in registers, SIDE blocks apart, so that
// neighbours read neighbouring quads. Both factors pass through workgroup memory in slices of DEPTH inner indices, [k][quad],
// in blocks of four by four that an invocation loads and, if they are dense along k, transposes in registers. The next
// slice's blocks are loaded into registers before this slice is multiplied. Past an edge a load is clamped and a factor of
// zero, so nothing branches in the loops. For what a kernel defines, see product_lanes.wgsl.
override SIDE: u32 = 8u;
override QUADS: u32 = 2u;
override DEPTH: u32 = 16u;
override THREADS: u32 = SIDE * SIDE;
override TILE_QUADS: u32 = SIDE * QUADS;
override TILE_ROWS: u32 = 4u * TILE_QUADS;
override TILE_COLUMNS: u32 = 4u * TILE_QUADS;
// blocks of a factor's slice; an invocation loads LOADS of both together
override BLOCKS: u32 = TILE_QUADS * DEPTH / 4u;
override LOADS: u32 = 2u * BLOCKS / THREADS;

// one more than the tile, so that the four rows of k of a block do not meet one memory bank
override PITCH: u32 = TILE_QUADS + 1u;
var<workgroup> left_slice: array<vec4f, DEPTH * PITCH>;
var<workgroup> right_slice: array<vec4f, DEPTH * PITCH>;

// quad of rows or columns and quad of inner indices of a block: neighbours read along what lies dense
fn block_place(block: u32, dense_in_k: bool) -> vec2u {
  if (dense_in_k) { return vec2u(block / (DEPTH / 4u), block % (DEPTH / 4u)); }
  return vec2u(block % TILE_QUADS, block / TILE_QUADS);
}

// column q of the matrix: the four rows at inner index k + q
fn left_block(quad: u32, k: u32, end: u32) -> mat4x4f {
  var block: mat4x4f;
  for (var q = 0u; q < 4u; q++) {
    if (LEFT_DENSE_IN_K) {
      let value = left(min(4u * quad + q, u.rows - 1u), min(k, end - 4u) / 4u);
      block[q] = select(vec4f(), value, k < end);
    } else {
      let value = left(min(k + q, end - 1u), min(quad, u.rows / 4u - 1u));
      block[q] = select(vec4f(), value, k + q < end);
    }
  }
  if (LEFT_DENSE_IN_K) { return transpose(block); }
  return block;
}

fn right_block(quad: u32, k: u32, end: u32) -> mat4x4f {
  var block: mat4x4f;
  for (var q = 0u; q < 4u; q++) {
    if (RIGHT_DENSE_IN_K) {
      block[q] = right(min(4u * quad + q, u.columns - 1u), min(k, end - 4u) / 4u);
    } else {
      block[q] = right(min(k + q, end - 1u), min(quad, u.columns / 4u - 1u));
    }
  }
  if (RIGHT_DENSE_IN_K) { return transpose(block); }
  return block;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (aside(group, local)) { return; }
  let place = tile(group);
  let span = extent(group);
  let first_row = place.x * TILE_QUADS;
  let first_column = place.y * TILE_QUADS;
  let my_row = local / SIDE;
  let my_column = local % SIDE;

  // [quad of rows][quad of columns]: four rows each
  var sums: array<array<array<vec4f, 4>, 2>, 2>;
  var next: array<mat4x4f, 2>;
  for (var slice = 0u; slice <= (span.y - span.x + DEPTH - 1u) / DEPTH; slice++) {
    if (slice > 0u) {
      workgroupBarrier();
      for (var l = 0u; l < LOADS; l++) {
        let block = l * THREADS + local;
        let is_left = block < BLOCKS;
        let at = select(
          block_place(block - BLOCKS, RIGHT_DENSE_IN_K),
          block_place(block, LEFT_DENSE_IN_K),
          is_left,
        );
        for (var q = 0u; q < 4u; q++) {
          let here = (4u * at.y + q) * PITCH + at.x;
          if (is_left) { left_slice[here] = next[l][q]; } else { right_slice[here] = next[l][q]; }
        }
      }
      workgroupBarrier();
    }
    let first_k = span.x + slice * DEPTH;
    for (var l = 0u; l < LOADS; l++) {
      let block = l * THREADS + local;
      if (block < BLOCKS) {
        let at = block_place(block, LEFT_DENSE_IN_K);
        next[l] = left_block(first_row + at.x, first_k + 4u * at.y, span.y);
      } else {
        let at = block_place(block - BLOCKS, RIGHT_DENSE_IN_K);
        next[l] = right_block(first_column + at.x, first_k + 4u * at.y, span.y);
      }
    }
    if (slice == 0u) { continue; }
    for (var k = 0u; k < DEPTH; k++) {
      var factors: array<vec4f, 2>;
      for (var j = 0u; j < QUADS; j++) { factors[j] = right_slice[k * PITCH + my_column + j * SIDE]; }
      for (var i = 0u; i < QUADS; i++) {
        let value = left_slice[k * PITCH + my_row + i * SIDE];
        for (var j = 0u; j < QUADS; j++) {
          sums[i][j][0] = fma(vec4f(value.x), factors[j], sums[i][j][0]);
          sums[i][j][1] = fma(vec4f(value.y), factors[j], sums[i][j][1]);
          sums[i][j][2] = fma(vec4f(value.z), factors[j], sums[i][j][2]);
          sums[i][j][3] = fma(vec4f(value.w), factors[j], sums[i][j][3]);
        }
      }
    }
  }

  for (var i = 0u; i < QUADS; i++) {
    for (var q = 0u; q < 4u; q++) {
      let row = 4u * (first_row + my_row + i * SIDE) + q;
      for (var j = 0u; j < QUADS; j++) {
        let column = first_column + my_column + j * SIDE;
        if (row < u.rows && column < u.columns / 4u) {
          if (EPILOGUE) { finish(row, column, group, sums[i][j][q]); } else { put(row, column, group, sums[i][j][q]); }
        }
      }
    }
  }
}
