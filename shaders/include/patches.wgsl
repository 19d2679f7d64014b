// A convolution as a matrix product whose left factor is never stored. A row is a pixel of the result, a column one of
// its channels, an inner index a tap of the kernel with a channel of the source, and the factor on the left is the source's
// pixel under that tap (pixels.wgsl). Forward the source is x; for the input gradient it is dy, and each pixel's taps are
// mirrored: the offset of tap i and copy a is a + SIGN·(i - padding).
//
// Forward, `multiply` is the stride, and an enlarged source halves. Backward, a pixel that was enlarged has `copies` of
// itself, and the stride halves: only every `tap_step`-th tap meets a pixel, and which ones depends on y. So the
// result's pixels are taken in `grid`² classes, each with the same taps.
//
// Besides what pixels.wgsl needs (a grid is one class), `u` has rows (pixels of a class, of all pictures), columns, inner
// (channels of the source), column_tiles, grid, result_h, result_w, result_start, result_picture, result_pixel,
// result_channel, source_channel, kernel_h, kernel_w, taps_y, taps_x, padding_y, padding_x, copies and tap_step; places in
// the result are counted in Elements.
#include "pixels.wgsl"

// Column tiles, for each class, are counted along x; tiles of rows along y and, beyond 32768 of them, z
fn row_tile(group: vec3u) -> u32 {
  return group.z * 32768u + group.y;
}

// A class of the result's pixels: their place in each square of grid × grid of them
fn class_of(number: u32) -> vec2u {
  return vec2u(number / u.grid, number % u.grid);
}

fn result_pixel(pixel: vec3u, class_: vec2u) -> vec3u {
  return vec3u(pixel.x, pixel.yz * u.grid + class_);
}

fn is_result(pixel: vec3u) -> bool {
  return pixel.y < u.result_h && pixel.z < u.result_w;
}

fn result_index(pixel: vec3u, column: u32) -> u32 {
  return u.result_start + pixel.x * u.result_picture + (pixel.y * u.result_w + pixel.z) * u.result_pixel +
    column * u.result_channel;
}

// How far a tap moves, and its number in the weight; more are counted than are there
struct Tap { offset: vec2i, number: u32, is_there: bool }

fn tap_along(e: u32, taps: u32, padding: u32, class_: u32) -> vec2i {
  let each = taps / u.copies;
  let copy = e / each;
  // the first tap that meets a pixel of the source
  let first = (class_ * u.multiply + copy + padding) % u.tap_step;
  let i = i32(first + (e - copy * each) * u.tap_step);
  return vec2i(i32(copy) + SIGN * (i - i32(padding)), i);
}

fn tap_of(ey: u32, ex: u32, class_: vec2u) -> Tap {
  let y = tap_along(ey, u.taps_y, u.padding_y, class_.x);
  let x = tap_along(ex, u.taps_x, u.padding_x, class_.y);
  let is_there = y.y < i32(u.kernel_h) && x.y < i32(u.kernel_w);
  return Tap(vec2i(y.x, x.x), u32(y.y) * u.kernel_w + u32(x.y), is_there);
}
