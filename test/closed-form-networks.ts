/** Networks in one dimension that are a function in closed form, on the reference device alone, which finds kernels by their names. */

import type { Kernel } from '../src/kernels/contract.js'
import { kernels } from '../src/kernels/registry.js'
import type { Network } from '../src/networks/network.js'

/** Length of the parameters that such a network is given. */
export const CLOSED_FORM_PARAMETERS = 64

export interface ClosedFormInputs {
  readonly parameters: readonly number[]
  readonly x: number
  readonly t: number
  /** the condition; 0 without one */
  readonly s: number
}

type Function = (inputs: ClosedFormInputs) => number

/** Of a central difference in float64. */
const STEP = 1e-5

function kernel(name: string, value: (inputs: ClosedFormInputs, along: ClosedFormInputs) => number): Kernel {
  const optional = { access: 'read', optional: true } as const
  const read = { access: 'read' } as const
  const made: Kernel = {
    kind: 'kernel',
    name,
    operands: {
      ...{ parameters: read, x: read, t: read, condition: optional, dx: optional, dt: optional, dcondition: optional },
      out: { access: 'write' },
    },
    check: () => {},
    cost: () => ({ flops: 0, bytes: 0 }),
    reference(o) {
      const parameters = Array.from(o.parameters.data)
      const at = (operand: string, b: number): number => {
        const data = o[operand]?.data
        return data ? data[data.length === 1 ? 0 : b] : 0
      }
      for (let b = 0; b < o.x.shape[0]; b++) {
        const inputs = { parameters, x: at('x', b), t: at('t', b), s: at('condition', b) }
        o.out.data[b] = value(inputs, { parameters, x: at('dx', b), t: at('dt', b), s: at('dcondition', b) })
      }
    },
  }
  ;(kernels as Map<string, unknown>).set(name, made)
  return made
}

let made = 0

/** A network of D = 1 whose output is `value`. */
export function closedFormNetwork(value: Function, condition: 0 | 1): Network {
  const number = made++
  const plain = kernel(`closed_form_${number}`, value)
  const derivative = kernel(`closed_form_derivative_${number}`, (at, along) => {
    const moved = (h: number): number =>
      value({ ...at, x: at.x + h * along.x, t: at.t + h * along.t, s: at.s + h * along.s })
    return (moved(STEP) - moved(-STEP)) / (2 * STEP)
  })
  return {
    dimension: 1,
    condition,
    parameterLength: CLOSED_FORM_PARAMETERS,
    addVelocity: (builder, on) => builder.add(plain, { ...on }, {}),
    addDerivative(builder, { out, derivative: rate, dx, dt, dcondition, ...on }) {
      builder.add(plain, { ...on, out }, {})
      builder.add(derivative, { ...on, dx, dt, dcondition, out: rate }, {})
    },
  } satisfies Partial<Network> as unknown as Network
}
