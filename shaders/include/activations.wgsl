// The activations and their derivatives, chosen by number when a pipeline is made: see src/kernels/activations.ts for the
// formulas. The derivative takes what a layer saves: its output, or (silu, gelu) its input.
#include "numeric.wgsl"

const IDENTITY = 0u;
const RELU = 1u;
const ELU = 2u;
const SOFTPLUS = 3u;
const SILU = 4u;
const GELU = 5u;
const TANH = 6u;
override ACTIVATION: u32 = IDENTITY;

fn sigmoid(z: f32) -> f32 {
  let e = exponential(-abs(z));
  return select(1.0, e, z < 0.0) / (1.0 + e);
}

// What is not a number stays so: compares, min and max lose it, and a training that is broken would go on
fn activate(z: f32, beta: f32) -> f32 {
  return select(value_of(z, beta), z, is_nan(z));
}

fn value_of(z: f32, beta: f32) -> f32 {
  switch ACTIVATION {
    case RELU: { return max(z, 0.0); }
    case ELU: { return select(exponential_minus_1(min(z, 0.0)), z, z > 0.0); }
    case SOFTPLUS: { return (max(beta * z, 0.0) + logarithm_1_plus(exponential(-abs(beta * z)))) / beta; }
    case SILU: { return z * sigmoid(z); }
    case GELU: {
      // the tail is zero from 14 on: an infinity times it would be no number
      let size = min(abs(z), 40.0);
      return max(z, 0.0) - size * normal_tail(size);
    }
    case TANH: { return hyperbolic_tangent(z); }
    default: { return z; }
  }
}

fn derivative(saved: f32, beta: f32) -> f32 {
  switch ACTIVATION {
    case RELU: { return select(0.0, 1.0, saved > 0.0); }
    case ELU: { return select(saved + 1.0, 1.0, saved > 0.0); }
    case SOFTPLUS: { return select(-exponential_minus_1(-beta * saved), saved, is_nan(saved)); }
    case SILU: {
      let s = sigmoid(saved);
      return s * (1.0 + saved * (1.0 - s));
    }
    case GELU: {
      let tail = normal_tail(abs(saved));
      let below = select(1.0 - tail, tail, saved < 0.0);
      return below + saved * 0.39894228 * exponential(-0.5 * saved * saved);
    }
    case TANH: { return 1.0 - saved * saved; }
    default: { return 1.0; }
  }
}
