/**
 * Integrates B rows through a velocity field with `steps` classical Runge–Kutta steps from time `start` to `end`, and with
 * log_det the augmented state (y, ∫ div v dt) too (Grathwohl et al. 2019). The trace is exact, or by Hutchinson's probes
 * where they are given. Rows do not meet: a device may take a tile of rows through all steps.
 */

import { InvalidArgumentError } from '../errors.js'
import { type Cost, expectBoth, expectShape, traffic } from '../kernels/contract.js'
import { networkOf } from '../networks/registry.js'
import type { Composite } from '../program/program.js'
import { fixedStep, type IntegrationAttributes } from './fixed_step.js'
import { rk4 } from './tableaus.js'

export const rk4Step: Composite<IntegrationAttributes> = {
  kind: 'composite',
  name: 'rk4_step',
  operands: {
    parameters: { access: 'read' }, // [P]
    y: { access: 'read' }, // [B, D]
    condition: { access: 'read', optional: true }, // [B, C]
    log_det: { access: 'read', optional: true }, // [B, 1]
    probes: { access: 'read', optional: true }, // [T·B, D]
    out: { access: 'write' }, // [B, D]
    log_det_out: { access: 'write', optional: true }, // [B, 1]
  },
  check(shapes, { net, steps }) {
    const B = networkOf(net).checkInputs('rk4_step', { ...shapes, x: shapes.y, t: [1] })
    expectShape('rk4_step', 'out', shapes.out, [B, networkOf(net).dimension])
    expectBoth('rk4_step', 'log_det', 'log_det_out', shapes)
    if (shapes.log_det) {
      expectShape('rk4_step', 'log_det', shapes.log_det, [B, 1])
      expectShape('rk4_step', 'log_det_out', shapes.log_det_out, [B, 1])
    }
    if (!Number.isInteger(steps) || steps < 1) {
      throw new InvalidArgumentError(`rk4_step: steps must be a whole number from 1 on, but is ${steps}.`)
    }
  },
  cost: (shapes, { net, steps }): Cost => {
    const [B, D] = shapes.y!
    const T = shapes.log_det ? (shapes.probes ? shapes.probes[0] / B : D) : 0
    return { flops: 4 * steps * B * networkOf(net).rowFlops * (1 + T), bytes: traffic(shapes) }
  },
  expand: (builder, operands, attributes) => fixedStep(builder, rk4, operands, attributes),
}
