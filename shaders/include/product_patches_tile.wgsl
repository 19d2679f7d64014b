// Convolution (patches.wgsl) for GPUs, where channels are dense and multiples of four: the core of product_tile.wgsl, whose
// slices are DEPTH channels of one tap. An invocation loads the same four pixels of each slice, turned in registers, and
// the next slice before this one is multiplied. For what a kernel defines, see product_patches_lanes.wgsl.
override SIDE: u32 = 8u;
override QUADS: u32 = 2u;
override DEPTH: u32 = 16u;
override THREADS: u32 = SIDE * SIDE;
override TILE_QUADS: u32 = SIDE * QUADS;
// blocks of four by four in a factor's slice, no more than there are invocations, which load LOADS of both together
override BLOCKS: u32 = TILE_QUADS * DEPTH / 4u;
override LOADS: u32 = 2u * BLOCKS / THREADS;

// one more than the tile, so that the four rows of k of a block do not meet one memory bank
override PITCH: u32 = TILE_QUADS + 1u;
var<workgroup> left_slice: array<vec4f, DEPTH * PITCH>;
var<workgroup> right_slice: array<vec4f, DEPTH * PITCH>;

// A slice: its tap, counted along both axes, and its first channel
struct Slice { ey: u32, ex: u32, k: u32 }

// The slice itself, or the next one whose tap is there; ey is taps_y behind the last
fn settled(slice: Slice, class_: vec2u) -> Slice {
  var s = slice;
  loop {
    if (s.k >= u.inner) {
      s.k = 0u;
      s.ex++;
    }
    if (s.ex >= u.taps_x) {
      s.ex = 0u;
      s.ey++;
    }
    if (s.ey >= u.taps_y || tap_of(s.ey, s.ex, class_).is_there) { return s; }
    s.ex++;
  }
}

// column q of the matrix: the four channels of the result at inner index k + q
fn right_block(tap: u32, quad: u32, k: u32) -> mat4x4f {
  var block: mat4x4f;
  for (var q = 0u; q < 4u; q++) {
    if (RIGHT_DENSE_IN_K) {
      block[q] = right(tap, min(4u * quad + q, u.columns - 1u), min(k, u.inner - 4u) / 4u);
    } else {
      block[q] = right(tap, min(k + q, u.inner - 1u), min(quad, u.columns / 4u - 1u));
    }
  }
  if (RIGHT_DENSE_IN_K) { return transpose(block); }
  return block;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let class_ = class_of(group.x / u.column_tiles);
  let first_row = row_tile(group) * 4u * TILE_QUADS;
  let first_column = group.x % u.column_tiles * TILE_QUADS;
  let origin = grid_pixel(first_row);
  let my_row = local / SIDE;
  let my_column = local % SIDE;

  // quad of pixels or columns, and quad of inner indices, of the blocks that this invocation loads
  let block = local % BLOCKS;
  let of_source = vec2u(block / (DEPTH / 4u), block % (DEPTH / 4u));
  let of_weight = select(vec2u(block % TILE_QUADS, block / TILE_QUADS), of_source, RIGHT_DENSE_IN_K);
  var rows: array<Row, 4>;
  for (var q = 0u; q < 4u; q++) {
    let ahead = min(4u * of_source.x + q, u.rows - 1u - first_row);
    rows[q] = row_of(result_pixel(pixel_after(origin, ahead), class_));
  }

  // [quad of rows][quad of columns]: four rows each
  var sums: array<array<array<vec4f, 4>, 2>, 2>;
  var next: array<mat4x4f, 2>;
  var is_loaded = false;
  var slice = settled(Slice(0u, 0u, 0u), class_);
  loop {
    if (is_loaded) {
      workgroupBarrier();
      for (var l = 0u; l < LOADS; l++) {
        let is_source = l * THREADS + local < BLOCKS;
        let at = select(of_weight, of_source, is_source);
        for (var q = 0u; q < 4u; q++) {
          let here = (4u * at.y + q) * PITCH + at.x;
          if (is_source) { left_slice[here] = next[l][q]; } else { right_slice[here] = next[l][q]; }
        }
      }
      workgroupBarrier();
    }
    let is_last = slice.ey >= u.taps_y;
    if (!is_last) {
      let tap = tap_of(slice.ey, slice.ex, class_);
      for (var l = 0u; l < LOADS; l++) {
        if (l * THREADS + local < BLOCKS) {
          let k = slice.k + 4u * of_source.y;
          var pixels: mat4x4f;
          for (var q = 0u; q < 4u; q++) {
            let place = source_under(rows[q], tap.offset);
            pixels[q] = select(vec4f(), source(place.at + min(k, u.inner - 4u) / 4u), place.inside && k < u.inner);
          }
          next[l] = transpose(pixels);
        } else {
          next[l] = right_block(tap.number, first_column + of_weight.x, slice.k + 4u * of_weight.y);
        }
      }
    }
    if (is_loaded) {
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
    if (is_last) { break; }
    is_loaded = true;
    slice = settled(Slice(slice.ey, slice.ex, slice.k + DEPTH), class_);
  }

  for (var i = 0u; i < QUADS; i++) {
    for (var q = 0u; q < 4u; q++) {
      let ahead = 4u * (my_row + i * SIDE) + q;
      let pixel = result_pixel(pixel_after(origin, ahead), class_);
      if (first_row + ahead >= u.rows || !is_result(pixel)) { continue; }
      for (var j = 0u; j < QUADS; j++) {
        let column = first_column + my_column + j * SIDE;
        if (column < u.columns / 4u) { finish(pixel, column, result_index(pixel, column), sums[i][j][q]); }
      }
    }
  }
}
