// A path given as a table: rows A, B, A′, B′ at evenly spaced times, linear between them.
@group(0) @binding(13) var<storage, read> path_table: array<vec4f>;

// A, B, A′, B′
fn path_at(time: f32) -> vec4f {
  let last = u.path_knots - 1u;
  let position = time * f32(last);
  let knot = min(u32(position), last - 1u);
  let before = path_table[knot];
  return before + (position - f32(knot)) * (path_table[knot + 1u] - before);
}

fn interpolant(at: vec4f, x_left: f32, x_right: f32) -> f32 {
  return at.x * x_left + at.y * x_right;
}

fn interpolant_rate(at: vec4f, x_left: f32, x_right: f32) -> f32 {
  return at.z * x_left + at.w * x_right;
}
