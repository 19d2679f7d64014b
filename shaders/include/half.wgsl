// Float16 for storage: values too large for it become infinite, so that the gradient's norm shows it (the result of a plain
// conversion is not defined).
enable f16;

fn half(value: f32) -> f16 {
  if (abs(value) <= 65504.0) { return f16(value); }
  return bitcast<vec2<f16>>(select(0x7c00u, 0xfc00u, value < 0.0)).x;
}
