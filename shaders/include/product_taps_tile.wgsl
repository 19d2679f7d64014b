// The weight gradient of a convolution (conv2d_backward_weight.wgsl) for GPUs, where channels are dense and multiples of
// four: the core of product_tile.wgsl. An invocation loads the same four rows' channels, under their tap, of four pixels of
// each slice of DEPTH pixels, and the next slice before this one is multiplied.
override SIDE: u32 = 8u;
override QUADS: u32 = 2u;
override DEPTH: u32 = 16u;
override THREADS: u32 = SIDE * SIDE;
override TILE_QUADS: u32 = SIDE * QUADS;
// blocks of four by four in a factor's slice, no more than there are invocations, which load LOADS of both together
override BLOCKS: u32 = TILE_QUADS * DEPTH / 4u;
override LOADS: u32 = 2u * BLOCKS / THREADS;

// one more than the tile, so that the four pixels of a block do not meet one memory bank
override PITCH: u32 = TILE_QUADS + 1u;
var<workgroup> left_slice: array<vec4f, DEPTH * PITCH>;
var<workgroup> right_slice: array<vec4f, DEPTH * PITCH>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let span = extent(group);
  let first_row = group.y * TILE_QUADS;
  let first_column = group.x * TILE_QUADS;
  let origin = grid_pixel(span.x);
  let my_row = local / SIDE;
  let my_column = local % SIDE;

  // quad of rows or columns, and of pixels, of the blocks that this invocation loads
  let block = vec2u(local % BLOCKS % TILE_QUADS, local % BLOCKS / TILE_QUADS);
  let under = tap_row(min(4u * (first_row + block.x), u.rows - 4u));
  let column = min(first_column + block.x, u.columns / 4u - 1u);

  // [quad of rows][quad of columns]: four rows each
  var sums: array<array<array<vec4f, 4>, 2>, 2>;
  var next: array<mat4x4f, 2>;
  for (var slice = 0u; slice <= (span.y - span.x + DEPTH - 1u) / DEPTH; slice++) {
    if (slice > 0u) {
      workgroupBarrier();
      for (var l = 0u; l < LOADS; l++) {
        for (var q = 0u; q < 4u; q++) {
          let here = (4u * block.y + q) * PITCH + block.x;
          if (l * THREADS + local < BLOCKS) { left_slice[here] = next[l][q]; } else { right_slice[here] = next[l][q]; }
        }
      }
      workgroupBarrier();
    }
    for (var l = 0u; l < LOADS; l++) {
      for (var q = 0u; q < 4u; q++) {
        let k = span.x + slice * DEPTH + 4u * block.y + q;
        let last = min(k, span.y - 1u);
        if (l * THREADS + local < BLOCKS) {
          let place = source_under(row_of(pixel_after(origin, last - span.x)), under.offset);
          next[l][q] = select(vec4f(), left(place.at + under.channel / 4u), place.inside && k < span.y);
        } else {
          next[l][q] = right(last, column);
        }
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
        if (row < u.rows && column < u.columns / 4u) { put(row, column, group, sums[i][j][q]); }
      }
    }
  }
}
