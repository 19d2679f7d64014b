// gelu: z times the standard normal distribution function.
const DERIVATIVE_OF_INPUT = true;

fn value_of(z: f32, beta: f32) -> f32 {
  // the tail is zero from 14 on: infinity times it would be NaN
  let size = min(abs(z), 40.0);
  return max(z, 0.0) - size * normal_tail(size);
}

fn derivative(saved: f32, beta: f32) -> f32 {
  let tail = normal_tail(abs(saved));
  let below = select(1.0 - tail, tail, saved < 0.0);
  return below + saved * 0.39894228 * exponential(-0.5 * saved * saved);
}
