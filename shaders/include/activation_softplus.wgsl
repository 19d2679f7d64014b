// softplus: log(1 + exp(βz))/β.
const DERIVATIVE_OF_INPUT = false;

fn value_of(z: f32, beta: f32) -> f32 {
  return (max(beta * z, 0.0) + logarithm_1_plus(exponential(-abs(beta * z)))) / beta;
}

fn derivative(saved: f32, beta: f32) -> f32 {
  return select(-exponential_minus_1(-beta * saved), saved, is_nan(saved));
}
