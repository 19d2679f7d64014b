/**
 * Carries B rows through the velocity fields of one or several sub-flows, evaluation by evaluation (evaluations.ts), and with
 * log_det the integral of the divergence beside them (Grathwohl et al. 2019): log_det += (share + carry)·factor·place·div v. (That
 * of own·x is left out: over a whole sub-flow it is zero.) The trace is exact, or by Hutchinson's probes. Rows are independent:
 * a device may take a tile of rows through all evaluations. The evaluations are in the attributes, which expansions read, and
 * in `table`, which engines read.
 */

import { InvalidArgumentError } from '../errors.js'
import { type Cost, expectBoth, expectShape, traffic } from '../kernels/contract.js'
import type { Network, NetworkSpec } from '../networks/network.js'
import { networkOf } from '../networks/registry.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../program/program.js'
import { type Evaluation, TABLE_COLUMNS, tableOf } from './evaluations.js'
import { expandIntegration, type IntegrationAttributes } from './integrate_expansion.js'

export type { IntegrationAttributes }

export const integrate: Composite<IntegrationAttributes> = {
  kind: 'composite',
  name: 'integrate',
  operands: {
    parameters: { access: 'read' }, // [N·P], one sub-flow's after another's
    table: { access: 'read' }, // [evaluations, 8], tableOf the attributes
    y: { access: 'read' }, // [B, D]
    condition: { access: 'read', optional: true }, // [B, C]
    log_det: { access: 'read', optional: true }, // [B, 1]
    probes: { access: 'read', optional: true }, // [T·B, D]
    ahead: { access: 'read', optional: true }, // [B, D], the first step's sum as an integration before this one left it
    out: { access: 'write' }, // [B, D]
    log_det_out: { access: 'write', optional: true }, // [B, 1]
    ahead_out: { access: 'write', optional: true }, // [B, D], where the last evaluation carries
  },
  check(shapes, { net, scales, evaluations }) {
    const { parameterLength: P, dimension: D, ...network } = networkOf(net)
    expectShape('integrate', 'parameters', shapes.parameters, [scales.length * P])
    const inputs = { ...shapes, parameters: [P], x: shapes.y, t: [1] }
    const B = network.checkInputs('integrate', inputs)
    expectShape('integrate', 'table', shapes.table, [evaluations.length, TABLE_COLUMNS])
    expectShape('integrate', 'out', shapes.out, [B, D])
    expectBoth('integrate', 'log_det', 'log_det_out', shapes)
    if (shapes.log_det) {
      expectShape('integrate', 'log_det', shapes.log_det, [B, 1])
      expectShape('integrate', 'log_det_out', shapes.log_det_out, [B, 1])
    }
    for (const name of ['ahead', 'ahead_out'] as const) {
      if (shapes[name]) expectShape('integrate', name, shapes[name], [B, D])
    }
    checkEvaluations(scales.length, evaluations, shapes.ahead_out !== undefined)
  },
  cost: (shapes, { net, evaluations }): Cost => {
    const [B, D] = shapes.y!
    const T = shapes.log_det ? (shapes.probes ? shapes.probes[0] / B : D) : 0
    return { flops: evaluations.length * B * networkOf(net).rowFlops * (1 + T), bytes: traffic(shapes) }
  },
  expand(builder, o, attributes) {
    const { net, scales, evaluations } = attributes
    if (scales.length === 1) expandIntegration(builder, o, attributes)
    else throughEach(builder, o, net, scales, evaluations)
  },
}

function checkEvaluations(networks: number, evaluations: readonly Evaluation[], leavesSum: boolean): void {
  const last = evaluations.at(-1)
  if (!last?.ends) throw new InvalidArgumentError('integrate: the last evaluation must end a step.')
  if (leavesSum !== (last.carry !== 0)) {
    throw new InvalidArgumentError('integrate: ahead_out is given where the last evaluation carries, and only there.')
  }
  evaluations.forEach(({ network, ends, carry }, i) => {
    if (!Number.isInteger(network) || network < 0 || network >= networks) {
      throw new InvalidArgumentError(
        `integrate: evaluation ${i} is of sub-flow ${network}, but there are ${networks}, counted from 0.`,
      )
    }
    if (carry !== 0 && !ends) throw new InvalidArgumentError(`integrate: evaluation ${i} carries, but ends no step.`)
    if (!ends && evaluations[i + 1].network !== network) {
      throw new InvalidArgumentError(`integrate: the step of evaluation ${i} is of two sub-flows.`)
    }
  })
}

/** One operation for consecutive evaluations of the same sub-flow. */
function throughEach(
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  net: NetworkSpec,
  scales: readonly number[],
  evaluations: readonly Evaluation[],
): void {
  const P = networkOf(net).parameterLength
  let { y, log_det: logDet, ahead }: Record<string, ProgramTensor | undefined> = o
  for (let first = 0; first < evaluations.length; ) {
    const { network } = evaluations[first]
    const other = evaluations.findIndex((evaluation, i) => i > first && evaluation.network !== network)
    const end = other < 0 ? evaluations.length : other
    const own = evaluations.slice(first, end).map((evaluation) => ({ ...evaluation, network: 0 }))
    const whole = end === evaluations.length
    const out = whole ? o.out : builder.temporary(o.y.shape)
    const logDetOut: ProgramTensor | undefined = logDet && (whole ? o.log_det_out : builder.temporary(logDet.shape))
    const carries = own[own.length - 1].carry !== 0
    const aheadOut = carries ? (whole ? o.ahead_out : builder.temporary(o.y.shape)) : undefined
    const { table: _, ...operands } = o
    addIntegration(
      builder,
      { spec: net },
      {
        ...operands,
        parameters: builder.view(o.parameters, [P], network * P),
        y,
        log_det: logDet,
        ahead,
        out,
        log_det_out: logDetOut,
        ahead_out: aheadOut,
      },
      [scales[network]],
      own,
    )
    y = out
    logDet = logDetOut
    ahead = aheadOut
    first = end
  }
}

export interface IntegrationOperands {
  /** [N·P], those of N sub-flows one after another */
  readonly parameters: ProgramTensor
  /** [B, D], the state before the first evaluation */
  readonly y: ProgramTensor
  readonly condition?: ProgramTensor
  /** [T·B, D], ±1; left out: the exact trace */
  readonly probes?: ProgramTensor
  /** [B, 1]; together with log_det_out, or not at all */
  readonly log_det?: ProgramTensor
  /** [B, D], ahead_out of an earlier integration whose last evaluation has a `carry` */
  readonly ahead?: ProgramTensor
  /** [B, D], the state after the last evaluation */
  readonly out: ProgramTensor
  readonly log_det_out?: ProgramTensor
  readonly ahead_out?: ProgramTensor
}

/** A list of evaluations through sub-flows whose outputs are multiplied by `scales`. */
export function addIntegration(
  builder: ProgramBuilder,
  { spec }: Pick<Network, 'spec'>,
  operands: IntegrationOperands,
  scales: readonly number[],
  evaluations: readonly Evaluation[],
): void {
  const table = builder.constant(tableOf(evaluations), [evaluations.length, TABLE_COLUMNS])
  builder.add(integrate, { ...operands, table }, { net: spec, scales, evaluations })
}
