// The activation and its derivative for an Element of four numbers.
fn activate_each(z: vec4f, beta: f32) -> vec4f {
  return vec4f(activate(z.x, beta), activate(z.y, beta), activate(z.z, beta), activate(z.w, beta));
}

fn derivative_each(saved: vec4f, beta: f32) -> vec4f {
  return vec4f(
    derivative(saved.x, beta),
    derivative(saved.y, beta),
    derivative(saved.z, beta),
    derivative(saved.w, beta),
  );
}
