/** Integration of a network's velocity by a fixed-step method, as operations of a program. */

import type { Network } from '../networks/network.js'
import type { ProgramBuilder, Tensor } from '../program/program.js'
import { fixedStep } from './fixed_step.js'
import { rk4Step } from './rk4_step.js'
import { rk4, type Tableau } from './tableaus.js'

export interface IntegrationOperands {
  readonly parameters: Tensor
  /** [B, D], the state at `start` */
  readonly y: Tensor
  readonly condition?: Tensor
  /** [T·B, D], ±1; left out: the exact trace */
  readonly probes?: Tensor
  /** [B, 1]; together with log_det_out, or not at all */
  readonly log_det?: Tensor
  /** [B, D], the state at `end` */
  readonly out: Tensor
  readonly log_det_out?: Tensor
}

export interface Interval {
  readonly start: number
  readonly end: number
  readonly steps: number
}

/** `steps` steps of a fixed-step method; the classical Runge–Kutta method is a composite, which devices may take whole. */
export function addIntegration(
  builder: ProgramBuilder,
  { spec: net }: Network,
  tableau: Tableau,
  operands: IntegrationOperands,
  scale: number,
  interval: Interval,
): void {
  if (tableau === rk4) builder.add(rk4Step, { ...operands }, { net, scale, ...interval })
  else fixedStep(builder, tableau, { ...operands }, { net, scale, ...interval })
}
