// Loads of a float16 product (half_product.wgsl) that is a convolution (patches.wgsl) of dense channels: pixels in float32,
// which are rounded on their way into workgroup memory, and weights in float16. A slice is DEPTH channels of one tap. The taps
// of the same channels follow one another, since neighbouring pixels share what they read then. Besides what
// product_patches_lanes.wgsl lists, a kernel defines left_scale(), by which pixels are multiplied before they are rounded.
#include "half.wgsl"
#include "half_elements.wgsl"

// rows of a slice, at most, of whose pixels an invocation loads four channels ahead: the same rows of all slices
const MOST_ROWS = 4u;
struct Loads {
  rows: array<Row, MOST_ROWS>,
  origin: vec3u,
  first_row: u32,
  first_column: u32,
  class_: vec2u,
  scale: f32,
}

fn tile(group: vec3u) -> vec2u {
  return vec2u(row_tile(group), group.x % u.column_tiles);
}

fn extent(group: vec3u) -> vec2u {
  return vec2u(0u, u.taps_y * u.taps_x * ((u.inner + DEPTH - 1u) / DEPTH) * DEPTH);
}

fn aside(group: vec3u, local: u32) -> bool {
  return false;
}

fn loads_of(group: vec3u, local: u32) -> Loads {
  var loads: Loads;
  let place = tile(group);
  loads.first_row = place.x * TILE_ROWS;
  loads.first_column = place.y * TILE_COLUMNS;
  loads.origin = grid_pixel(loads.first_row);
  loads.class_ = class_of(group.x / u.column_tiles);
  loads.scale = left_scale();
  if (AHEAD) {
    for (var n = 0u; n < LEFT_LOADS; n++) { loads.rows[n] = row_at(&loads, local + n * THREADS); }
  }
  return loads;
}

fn row_at(loads: ptr<function, Loads>, at: u32) -> Row {
  let ahead = min(at / LEFT_WIDTH, u.rows - 1u - loads.first_row);
  return row_of(result_pixel(pixel_after(loads.origin, ahead), loads.class_));
}

struct Slice { offset: vec2i, tap: u32, is_there: bool, channel: u32 }

fn slice_at(loads: ptr<function, Loads>, first_k: u32, end: u32) -> Slice {
  let number = first_k / DEPTH;
  let taps = u.taps_y * u.taps_x;
  let e = number % taps;
  let tap = tap_of(e / u.taps_x, e % u.taps_x, loads.class_);
  return Slice(tap.offset, select(0u, tap.number, tap.is_there), tap.is_there, number / taps * DEPTH);
}

fn left_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let k = slice.channel + at % LEFT_WIDTH * 4u;
  var row = loads.rows[n];
  if (!AHEAD) { row = row_at(loads, at); }
  let place = source_under(row, slice.offset);
  let value = loads.scale * source(place.at + min(k, u.inner - 4u) / 4u);
  return select(HalfFactor(), half_each(value), place.inside && slice.is_there && k < u.inner);
}

fn right_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let major = at / RIGHT_WIDTH;
  let minor = at % RIGHT_WIDTH;
  let k = slice.channel + select(major, 4u * minor, RIGHT_DENSE_IN_K);
  let column = loads.first_column + select(4u * minor, major, RIGHT_DENSE_IN_K);
  let k_here = min(k, u.inner - select(1u, 4u, RIGHT_DENSE_IN_K));
  let column_here = min(column, u.columns - select(4u, 1u, RIGHT_DENSE_IN_K));
  let value = right(
    slice.tap,
    select(k_here, column_here, RIGHT_DENSE_IN_K),
    select(column_here, k_here, RIGHT_DENSE_IN_K) / 4u,
  );
  return select(HalfFactor(), value, slice.is_there && k < u.inner);
}

// Four channels of a pixel at a time; the loop ends where the pixels do, which also keeps compilers from unrolling it.
fn finish_fragment(loads: ptr<function, Loads>, group: vec3u, row_0: u32, column_0: u32, first: u32, lane: u32) {
  let last = min(FRAGMENT, max(u.rows, row_0) - row_0) * 4u;
  for (var e = lane; e < last; e += LANES) {
    let column = column_0 / 4u + e % 4u;
    let pixel = result_pixel(pixel_after(loads.origin, row_0 - loads.first_row + e / 4u), loads.class_);
    if (column < u.columns / 4u && is_result(pixel)) {
      let at = first + 4u * e;
      let sum = vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
      finish(pixel, column, result_index(pixel, column), sum);
    }
  }
}
