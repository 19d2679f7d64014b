// elu: z above 0, exp(z) − 1 below.
const DERIVATIVE_OF_INPUT = false;

fn value_of(z: f32, beta: f32) -> f32 {
  return select(exponential_minus_1(min(z, 0.0)), z, z > 0.0);
}

fn derivative(saved: f32, beta: f32) -> f32 {
  return select(saved + 1.0, 1.0, saved > 0.0);
}
