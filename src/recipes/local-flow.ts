/**
 * Trains the chain (Xu et al. 2024): for n = 1 … N train sub-flow n between X_{n−1} and its Ornstein–Uhlenbeck
 * image, then push the whole data set through it to make X_n. The data set is uploaded once and stays on the device. Plain
 * flow matching is the chain of one free sub-flow, through the same code.
 */

import { type Device, mergeVariants } from '../device/device.js'
import { freshState, type StepsSpent, type SubFlowSettings, type TrainingState, trainSubFlow } from '../learn/fit.js'
import { targetSpread } from '../learn/interpolant.js'
import { type Pool, type PoolValues, uploadPool } from '../learn/pool.js'
import type { Network } from '../networks/network.js'
import type { Evaluations, SolverSettings } from '../ode/solver.js'
import { pushForward } from './push-forward.js'

export interface ChainSettings {
  readonly subFlows: readonly Omit<SubFlowSettings, 'scale'>[]
  /** start the parameters of sub-flow n + 1 from those of n */
  readonly warmStart: boolean
  /** scale each network's output by its target's spread */
  readonly outputScale: boolean
  /** width of pictures that are mirrored at random in the first sub-flow; 0: none */
  readonly mirror: number
  /** solver of the push */
  readonly push: SolverSettings
  /** steps between two checkpoints; 0: none */
  readonly checkpointEvery: number
}

/** A sub-flow whose training has ended: what sampling needs of it. */
export interface FinishedSubFlow {
  /** flat [P]; the moving average where one is kept */
  readonly parameters: Float32Array
  /** output scale */
  readonly scale: number
}

/** Where training stands; enough to go on with the same bits. */
export interface ChainState {
  readonly finished: readonly FinishedSubFlow[]
  /** number of the sub-flow in work, from 1; N + 1 when all are trained */
  readonly subFlow: number
  readonly scale: number
  readonly training: TrainingState | null
  /** X_{subFlow − 1}, [n, D]; for the first sub-flow the data themselves, which may be pixels */
  readonly pool: PoolValues
}

export type Progress =
  | {
      readonly phase: 'train'
      readonly subFlow: number
      readonly subFlows: number
      readonly step: number
      readonly steps: number
      /** mean loss of the steps since the last report */
      readonly loss: number
      readonly stepsPerSecond: number
      readonly skipped: number
    }
  | {
      readonly phase: 'push'
      readonly subFlow: number
      readonly subFlows: number
      readonly rows: number
      readonly of: number
    }

export interface ChainHooks {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** losses of the steps after `first` of a sub-flow */
  readonly onLosses?: (subFlow: number, first: number, losses: Float32Array) => void
  readonly onCheckpoint?: (state: ChainState, spent: ChainSpent) => Promise<void>
}

/** What the steps and pushes of this call have cost so far; those before `start` are not in it. */
export interface ChainSpent extends StepsSpent {
  /** wall time of pushes */
  readonly pushSeconds: number
}

export interface TrainedChain extends ChainSpent {
  readonly subFlows: readonly FinishedSubFlow[]
  readonly pushEvaluations: readonly Evaluations[]
  /** steps skipped, their gradient not being finite */
  readonly skipped: number
}

/** Mean over the columns of their variances, in the scale of the model. */
function meanVariance(values: PoolValues, D: number): number {
  const n = values.length / D
  let total = 0
  for (let d = 0; d < D; d++) {
    let sum = 0
    let squares = 0
    for (let i = d; i < values.length; i += D) {
      sum += values[i]
      squares += values[i] * values[i]
    }
    total += squares / n - (sum / n) ** 2
  }
  // pixels stand for (b − 127.5)/127.5
  return total / D / (values instanceof Uint8Array ? 127.5 ** 2 : 1)
}

/**
 * Trains from `start` (a checkpoint) or from the data.
 * @param x [n, D] data, already scaled, or pixels
 */
export async function trainChain(
  device: Device,
  field: Network,
  x: PoolValues,
  settings: ChainSettings,
  hooks: ChainHooks,
  start: ChainState | null = null,
): Promise<TrainedChain> {
  const N = settings.subFlows.length
  const n = x.length / field.dimension
  const finished = [...(start?.finished ?? [])]
  let values = start?.pool ?? x
  let pool: Pool = uploadPool(device, values, field.dimension, (start?.subFlow ?? 1) === 1 ? settings.mirror : 0)
  const totals = { seconds: 0, stepsTaken: 0, pushSeconds: 0, skipped: 0 }
  const pushEvaluations: Evaluations[] = []
  let variants: Readonly<Record<string, string>> = {}
  const sum = (now?: StepsSpent): ChainSpent => ({
    seconds: totals.seconds + (now?.seconds ?? 0),
    stepsTaken: totals.stepsTaken + (now?.stepsTaken ?? 0),
    pushSeconds: totals.pushSeconds,
    variants: mergeVariants(variants, now?.variants ?? {}),
  })
  try {
    for (let number = start?.subFlow ?? 1; number <= N; number++) {
      const kind = settings.subFlows[number - 1]
      const resumed = start?.subFlow === number ? start : null
      const spread = (): number =>
        settings.outputScale ? targetSpread(kind, meanVariance(values, field.dimension)) : 1
      const scale = resumed?.training ? resumed.scale : spread()
      const previous = finished[number - 2]
      const training =
        resumed?.training ??
        freshState(
          previous && settings.warmStart ? previous.parameters.slice() : field.initialise(kind.seed, number),
          kind.optimizer,
          kind.precision,
        )
      const checkpoint = async (state: TrainingState, spent?: StepsSpent): Promise<void> =>
        hooks.onCheckpoint?.(
          { finished: [...finished], subFlow: number, scale, training: state, pool: values },
          sum(spent),
        )
      const trained = await trainSubFlow(
        device,
        field,
        { pool: pool.buffer, rows: n, reading: pool.reading },
        training,
        { ...kind, scale },
        {
          signal: hooks.signal,
          checkpointEvery: settings.checkpointEvery,
          onCheckpoint: checkpoint,
          onLosses: reporter(hooks, number, N, kind.steps),
        },
      )
      totals.seconds += trained.seconds
      totals.stepsTaken += trained.stepsTaken
      totals.skipped += trained.state.skipped
      variants = mergeVariants(variants, trained.variants)
      const parameters = trained.state.average ?? trained.state.parameters
      if (number < N) {
        await checkpoint(trained.state)
        const began = performance.now()
        const weights = device.createBuffer(parameters.length)
        try {
          weights.write(parameters)
          const push = await pushForward(device, { field, parameters: weights, scale }, pool, {
            solver: settings.push,
            seed: kind.seed,
            stream: number,
            signal: hooks.signal,
            onProgress: (rows) => hooks.onProgress?.({ phase: 'push', subFlow: number, subFlows: N, rows, of: n }),
          })
          pool.buffer.dispose()
          pool = push.pushed
          values = (await pool.buffer.read()) as Float32Array
          pushEvaluations.push(push.evaluations)
          variants = mergeVariants(variants, push.variants)
        } finally {
          weights.dispose()
        }
        totals.pushSeconds += (performance.now() - began) / 1000
      }
      finished.push({ parameters, scale })
      await hooks.onCheckpoint?.(
        { finished: [...finished], subFlow: number + 1, scale: 1, training: null, pool: values },
        sum(),
      )
    }
    return { subFlows: finished, ...totals, pushEvaluations, variants }
  } finally {
    pool.buffer.dispose()
  }
}

/** Turns the losses of a stretch of steps into a progress report. */
function reporter(hooks: ChainHooks, subFlow: number, subFlows: number, steps: number) {
  let last = performance.now()
  return (first: number, losses: Float32Array, skipped: number): void => {
    hooks.onLosses?.(subFlow, first, losses)
    const now = performance.now()
    hooks.onProgress?.({
      phase: 'train',
      subFlow,
      subFlows,
      step: first + losses.length,
      steps,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      stepsPerSecond: losses.length / Math.max((now - last) / 1000, 1e-9),
      skipped,
    })
    last = now
  }
}
