// Loads of a float16 product (half_product.wgsl) that is the weight gradient of a convolution of dense channels
// (conv2d_backward_weight.wgsl): pixels in float32, which are rounded on their way into workgroup memory. An invocation loads
// the channels of one row's tap, of several pixels of a slice. Besides what that kernel gives to all its products, it defines
// right_scale(), by which the gradient is multiplied before it is rounded.
#include "half.wgsl"
#include "half_elements.wgsl"

const LEFT_DENSE_IN_K = false;
const RIGHT_DENSE_IN_K = false;

struct Loads { under: TapRow, origin: vec3u, first_k: u32, column: u32, scale: f32 }

fn tile(group: vec3u) -> vec2u {
  return vec2u(group.y, group.x);
}

fn aside(group: vec3u, local: u32) -> bool {
  return false;
}

fn loads_of(group: vec3u, local: u32) -> Loads {
  let first_k = extent(group).x;
  let row = group.y * TILE_ROWS + local % LEFT_WIDTH * 4u;
  let column = group.x * TILE_COLUMNS / 4u + local % RIGHT_WIDTH;
  return Loads(
    tap_row(min(row, u.rows - 4u)),
    grid_pixel(first_k),
    first_k,
    min(column, u.columns / 4u - 1u),
    right_scale(),
  );
}

struct Slice { first_k: u32, end: u32 }

fn slice_at(loads: ptr<function, Loads>, first_k: u32, end: u32) -> Slice {
  return Slice(first_k, end);
}

fn left_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let k = slice.first_k + at / LEFT_WIDTH;
  let pixel = pixel_after(loads.origin, min(k, slice.end - 1u) - loads.first_k);
  let place = source_under(row_of(pixel), loads.under.offset);
  let value = left(place.at + loads.under.channel / 4u);
  return select(HalfFactor(), half_each(value), place.inside && k < slice.end);
}

fn right_factor(loads: ptr<function, Loads>, slice: Slice, n: u32, at: u32) -> HalfFactor {
  let k = slice.first_k + at / RIGHT_WIDTH;
  let value = loads.scale * right(min(k, slice.end - 1u), loads.column);
  return select(HalfFactor(), half_each(value), k < slice.end);
}

// The loop ends where the rows do, which also keeps compilers from unrolling it.
fn finish_fragment(loads: ptr<function, Loads>, group: vec3u, row_0: u32, column_0: u32, first: u32, lane: u32) {
  let last = min(FRAGMENT, max(u.rows, row_0) - row_0) * 4u;
  for (var e = lane; e < last; e += LANES) {
    let column = column_0 / 4u + e % 4u;
    if (column < u.columns / 4u) {
      let at = first + 4u * e;
      put(row_0 + e / 4u, column, group, vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]));
    }
  }
}
