/**
 * The sampler of a model, read off the program that `Flow.sample` would have a device run, whatever the model's stages are: flows
 * that a solver integrates, or maps. Forms that unroll a sampler translate the program; those that have a loop of their own take
 * the list of evaluations.
 */

import { InvalidArgumentError, LocalFlowError } from '../errors.js'
import { PATH_COLUMNS } from '../kernels/draw_batch.js'
import { velocityAt } from '../kernels/softmax_segments.js'
import { anyCondition, guidanceWeights } from '../model/condition.js'
import { Flow } from '../model/flow.js'
import { type ChoicesSpec, isChoices } from '../networks/choices/choices.js'
import { isGuided } from '../networks/guided/guided.js'
import type { Evaluation } from '../ode/evaluations.js'
import type { IntegrationAttributes } from '../ode/integrate.js'
import { fixedStepSolvers } from '../ode/methods.js'
import { describeSolver, overridden } from '../ode/solver.js'
import type { Operation, ProgramTensor } from '../program/program.js'
import type { ExportedModel, ExportOptions } from './exporter.js'
import { Recorder, wasRead, writtenTo } from './recorder.js'

export interface RecordedSampler {
  /** what follows the drawing of noise */
  readonly operations: readonly Operation[]
  /** [B, D], standard normal */
  readonly noise: ProgramTensor
  /** [B, D], standardised as the data are in training */
  readonly samples: ProgramTensor
  /** [B, C] or, where a network is guided, [2B, C]: what rows are told, and zeros behind them; null: nothing */
  readonly condition: ProgramTensor | null
  /** rows, of which a tensor of a guided network has twice as many */
  readonly rows: number
  /** weights of guidance, one for each stage */
  readonly guidance: readonly number[]
  /** evaluations of the network, of each row; one that is guided counts two */
  readonly evaluations: number
  /** for people: the solver with its steps and clock */
  readonly solver: string
}

/** Rows that a sampler is recorded with; a file takes any number. */
const RECORDED_ROWS = 64

/** Throws InvalidArgumentError for a solver that finds its steps while it goes. */
export async function recordSampler(
  model: ExportedModel,
  { licence: _, ...overrides }: ExportOptions,
): Promise<RecordedSampler> {
  const device = new Recorder()
  const flow = new Flow(model, device, async () => device)
  const guidance = guidanceWeights(overrides.guidance, flow.condition, flow.stages.length)
  // of one row nobody could tell what there is of each row from what there is once
  await flow.sample(RECORDED_ROWS, { ...overrides, ...anyCondition(flow.condition) })
  const solver = overridden(model.settings.sample, overrides)
  if (device.programs.length > 1) {
    throw new InvalidArgumentError(
      `${solver.solver} finds its steps while it goes, but an exported sampler has a list of them: take --solver ` +
        `${fixedStepSolvers.join(', ')}, with --steps or --evaluations.`,
    )
  }
  const [{ operations }] = device.programs
  const drawing = operations.find(({ contract }) => contract.name === 'normal')
  if (!drawing) throw new LocalFlowError('The program of a sample draws no noise.')
  return {
    operations: operations.filter((operation) => operation !== drawing),
    noise: drawing.operands.y!,
    samples: resultOf(operations),
    condition: conditionOf(operations),
    rows: drawing.operands.y!.shape[0],
    guidance,
    evaluations: flow.evaluations!.mean,
    solver: flow.isFlow ? describeSolver(solver) : 'none: the maps of a student',
  }
}

/** What networks are told of rows: of several windows on it the longest. Second times are constants of the program. */
function conditionOf(operations: readonly Operation[]): ProgramTensor | null {
  const given = operations.flatMap(({ operands: { condition } }) =>
    condition?.storage.kind === 'buffer' ? [condition] : [],
  )
  return given.sort((a, b) => b.shape[0] - a.shape[0])[0] ?? null
}

/** What the host reads when a program has run. */
function resultOf(operations: readonly Operation[]): ProgramTensor {
  for (const { operands, contract } of [...operations].reverse()) {
    for (const [name, tensor] of Object.entries(operands)) {
      const writes = contract.operands[name].access !== 'read'
      if (writes && tensor?.storage.kind === 'buffer' && wasRead(tensor.storage.buffer)) return tensor
    }
  }
  throw new LocalFlowError('The program of a sample has no result.')
}

const pathOf = ({ path }: ChoicesSpec) => ({ data: path, shape: [path.length / PATH_COLUMNS, PATH_COLUMNS] })

/** An evaluation, of the stage counted from 0 at the data. */
export interface StageEvaluation extends Omit<Evaluation, 'network'> {
  readonly stage: number
  /** what the network takes beside the time; left out: nothing */
  readonly secondTime?: number
  /** of a network that gives logits: the velocity is state·x + end·(the end that it predicts), in the columns of choices */
  readonly ofEnd?: { readonly state: number; readonly end: number }
}

/**
 * The evaluations of a sampler one after another (src/ode/evaluations.ts).
 * @throws LocalFlowError where the sampler does something else as well
 */
export function evaluationsOf({ operations }: RecordedSampler, { stages, network }: ExportedModel): StageEvaluation[] {
  return operations.flatMap(({ contract, operands, attributes }) => {
    if (contract.name !== 'integrate') {
      throw new LocalFlowError(
        `The sampler has a step that only a graph can hold: ${contract.name}. Export it to onnx.`,
      )
    }
    const { storage, offset } = operands.parameters!
    const P = network.parameterLength
    const given = operands.condition
    const second = given?.storage.kind === 'constant' ? { secondTime: given.storage.values[given.offset] } : {}
    const { net, evaluations } = attributes as unknown as IntegrationAttributes
    const field = isGuided(net) ? net.net : net
    return evaluations.map(({ network: number, ...evaluation }) => {
      const own = storage.kind === 'buffer' ? writtenTo(storage.buffer, offset + number * P, P) : null
      const stage = stages.findIndex(
        ({ parameters }) => parameters.buffer === own?.buffer && parameters.byteOffset === own.byteOffset,
      )
      if (stage < 0) throw new LocalFlowError('The sampler evaluates a network that is none of the model’s.')
      return {
        ...evaluation,
        ...second,
        ...(isChoices(field) && { ofEnd: velocityAt(evaluation.time, pathOf(field)) }),
        stage,
      }
    })
  })
}
