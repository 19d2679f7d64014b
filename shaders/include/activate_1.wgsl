// The activation and its derivative for an Element of one number.
fn activate_each(z: f32, beta: f32) -> f32 {
  return activate(z, beta);
}

fn derivative_each(saved: f32, beta: f32) -> f32 {
  return derivative(saved, beta);
}
