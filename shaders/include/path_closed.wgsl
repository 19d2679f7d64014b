// The paths in closed form, linear and trigonometric, between two ends.
override TRIGONOMETRIC: bool = false;

// what a path needs of a time t: t, sin(πt/2), cos(πt/2)
fn path_at(time: f32) -> vec4f {
  return vec4f(time, sine_cosine_of_product(1.57079633, time), 0.0);
}

fn interpolant(at: vec4f, x_left: f32, x_right: f32) -> f32 {
  if (TRIGONOMETRIC) { return at.z * x_left + at.y * x_right; }
  return x_left + at.x * (x_right - x_left);
}

fn interpolant_rate(at: vec4f, x_left: f32, x_right: f32) -> f32 {
  if (TRIGONOMETRIC) { return 1.57079633 * (at.z * x_right - at.y * x_left); }
  return x_right - x_left;
}
