/**
 * The derivative of a velocity along a direction by a central difference, for networks without tangents:
 * (v(q + h·dq) − v(q − h·dq)) / 2h for the inputs q = (x, t, condition). Its error is h²/6 of the third derivative, and
 * float32's 6e−8/h of the velocity.
 */

import { size } from '../kernels/contract.js'
import { stageCombine } from '../kernels/stage_combine.js'
import { aligned, type ProgramBuilder, type ProgramTensor } from '../program/program.js'
import type { DerivativeOperands, FieldOperands, Network } from './network.js'

/** h: in units of the direction */
export const DIFFERENCE_STEP = 2 ** -7

/** out [B, D] = v, derivative [B, D]; three evaluations. */
export function addCentralDifference(
  builder: ProgramBuilder,
  { addVelocity }: Pick<Network, 'addVelocity'>,
  { dx, dt, dcondition, derivative, out, ...inputs }: DerivativeOperands,
  scale: number,
): void {
  const moved = (value: ProgramTensor, along: ProgramTensor | undefined, step: number): ProgramTensor => {
    if (!along) return value
    const next = builder.temporary(value.shape)
    const stages = builder.view(along, [1, size(along.shape)])
    builder.add(stageCombine, { y: value, stages, out: next }, { coefficients: [step] })
    return next
  }
  const length = size(out.shape)
  const sides = builder.temporary([2, aligned(length)])
  for (const [side, step] of [DIFFERENCE_STEP, -DIFFERENCE_STEP].entries()) {
    const at: FieldOperands = {
      ...inputs,
      x: moved(inputs.x, dx, step),
      t: moved(inputs.t, dt, step),
      condition: inputs.condition && moved(inputs.condition, dcondition, step),
    }
    addVelocity(builder, { ...at, out: builder.view(sides, out.shape, side * aligned(length)) }, scale)
  }
  const zero = builder.constant(new Float32Array(length), out.shape)
  const half = 1 / (2 * DIFFERENCE_STEP)
  builder.add(stageCombine, { y: zero, stages: sides, out: derivative }, { coefficients: [half, -half] })
  addVelocity(builder, { ...inputs, out }, scale)
}
