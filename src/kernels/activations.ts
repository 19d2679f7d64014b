/**
 * The activations, as a table: value, derivative, and what the derivative is computed from. Where it is a function of
 * the activation's own output, a layer keeps only its output for the backward pass; silu and gelu need the
 * pre-activation as well. Beta is softplus's sharpness: softplus(z) = log(1 + exp(βz))/β; the others ignore it.
 *
 * A new one is a row here, one in native/simd/activations.h and a file shaders/include/activation_<name>.wgsl; configs,
 * the parity cases and the devices know it then.
 */

export interface Activation {
  /** What `derivative` takes: the activation's output y, or its input z. */
  readonly derivativeOf: 'output' | 'input'
  value(z: number, beta: number): number
  derivative(saved: number, beta: number): number
}

const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)))

/** Error function by its Maclaurin series below 3 and a continued fraction of erfc above: 1e-15 absolute. */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (a < 3) {
    let term = a
    let sum = a
    for (let n = 1; Math.abs(term) > 1e-17 * sum && n < 200; n++) {
      term *= (-a * a) / n
      sum += term / (2 * n + 1)
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI)
  }
  let fraction = 0
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction)
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)))
}

const table = {
  identity: { derivativeOf: 'output', value: (z) => z, derivative: () => 1 },
  relu: { derivativeOf: 'output', value: (z) => Math.max(z, 0), derivative: (y) => (y > 0 ? 1 : 0) },
  elu: {
    derivativeOf: 'output',
    value: (z) => (z > 0 ? z : Math.expm1(z)),
    derivative: (y) => (y > 0 ? 1 : y + 1),
  },
  softplus: {
    derivativeOf: 'output',
    value: (z, beta) => (Math.max(beta * z, 0) + Math.log1p(Math.exp(-Math.abs(beta * z)))) / beta,
    // 1 − exp(−βy) = sigmoid(βz)
    derivative: (y, beta) => -Math.expm1(-beta * y),
  },
  silu: {
    derivativeOf: 'input',
    value: (z) => z * sigmoid(z),
    derivative: (z) => sigmoid(z) * (1 + z * (1 - sigmoid(z))),
  },
  gelu: {
    derivativeOf: 'input',
    value: (z) => 0.5 * z * (1 + erf(z / Math.SQRT2)),
    derivative: (z) => 0.5 * (1 + erf(z / Math.SQRT2)) + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI),
  },
  tanh: { derivativeOf: 'output', value: Math.tanh, derivative: (y) => 1 - y * y },
} satisfies Record<string, Activation>

/** The name of an activation; identity for none. */
export type ActivationName = keyof typeof table
export const activations: Readonly<Record<ActivationName, Activation>> = table
export const activationNames = Object.keys(table) as ActivationName[]
