// Pixels under the taps of a convolution. Along one axis, pixel y of the one side, at the tap's offset, meets pixel
// (multiply·y + offset) / 2^halvings of the other side, the source, if that is within it.
//
// `u` has grid_h, grid_w (extents of the one side), multiply, halvings, source_h, source_w, source_start, source_picture and
// source_pixel; places in the source are counted in Factors.

// ⌊n / d⌋ for n below 2^20: the half keeps the quotient further from whole numbers than it is rounded
fn quotient(n: u32, d: u32) -> u32 {
  return u32(i32((f32(i32(n)) + 0.5) / f32(i32(d))));
}

// Picture, row and column of a pixel
fn grid_pixel(number: u32) -> vec3u {
  let line = number / u.grid_w;
  return vec3u(line / u.grid_h, line % u.grid_h, number % u.grid_w);
}

// The pixel a number of pixels further on, below 2^20
fn pixel_after(origin: vec3u, count: u32) -> vec3u {
  let x = origin.z + count;
  let lines = quotient(x, u.grid_w);
  let y = origin.y + lines;
  let pictures = quotient(y, u.grid_h);
  return vec3u(origin.x + pictures, y - pictures * u.grid_h, x - lines * u.grid_w);
}

// Where a picture begins in the source, and a pixel's place there before the tap's offset
struct Row { start: u32, place: vec2i }

fn row_of(pixel: vec3u) -> Row {
  return Row(u.source_start + pixel.x * u.source_picture, vec2i(pixel.yz * u.multiply));
}

// Where a moved pixel lies in the source
struct Source { at: u32, inside: bool }

fn source_under(row: Row, offset: vec2i) -> Source {
  let far = row.place + offset;
  let place = vec2u(far >> vec2u(u.halvings));
  let inside = all(far >= vec2i()) && place.x < u.source_h && place.y < u.source_w;
  return Source(row.start + select(0u, (place.x * u.source_w + place.y) * u.source_pixel, inside), inside);
}
