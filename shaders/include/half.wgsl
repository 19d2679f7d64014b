// Float16 as a way to store: what is too large for it becomes infinite (a plain conversion may do anything then), so that
// the gradient's norm shows it.
enable f16;

fn half(value: f32) -> f16 {
  if (abs(value) <= 65504.0) { return f16(value); }
  return bitcast<vec2<f16>>(select(0x7c00u, 0xfc00u, value < 0.0)).x;
}
