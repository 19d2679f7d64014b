// relu: max(z, 0).
const DERIVATIVE_OF_INPUT = false;

fn value_of(z: f32, beta: f32) -> f32 {
  return max(z, 0.0);
}

fn derivative(saved: f32, beta: f32) -> f32 {
  return select(0.0, 1.0, saved > 0.0);
}
