// silu: z·sigmoid(z).
const DERIVATIVE_OF_INPUT = true;

fn value_of(z: f32, beta: f32) -> f32 {
  return z * sigmoid(z);
}

fn derivative(saved: f32, beta: f32) -> f32 {
  let s = sigmoid(saved);
  return s * (1.0 + saved * (1.0 - s));
}
