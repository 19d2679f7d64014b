// Rows of the training pool, floats or pixels, mirrored or not: see src/kernels/pool.ts. The including file has the
// binding `pool` and the uniforms `pool_words` (words of a row) and `mirror` (width of a picture).
#include "pool_words.wgsl"

override PIXELS: bool = false;

// Place in a row of the value of a column.
fn seen_column(column: u32, mirrored: bool) -> u32 {
  if (mirrored) { return column + u.mirror - 1u - 2u * (column % u.mirror); }
  return column;
}

fn pool_value(row: u32, column: u32, mirrored: bool) -> f32 {
  let d = seen_column(column, mirrored);
  if (!PIXELS) { return bitcast<f32>(pool_word(row * u.pool_words + d)); }
  let byte = extractBits(pool_word(row * u.pool_words + d / 4u), 8u * (d % 4u), 8u);
  return (f32(byte) - 127.5) / 127.5;
}
