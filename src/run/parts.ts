/**
 * A chain whose sub-flows are trained alone, in any order and by several processes, and joined. Only a simulated push allows it:
 * the data of every sub-flow are then drawn from the process itself. Sub-flow n of a run lies in `RUN/sub-flow-n`, a run folder
 * of its own; joined they are, to the bit, what one training makes.
 */

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type ResolvedOptions, resolveOptions } from '../config/index.js'
import { CheckpointError, ConfigError, list } from '../errors.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import { addTimings, noTimings, openRun, type Run, type RunState, readState } from './run.js'

/** The folder of one sub-flow of a run. */
export const partFolder = (run: string, number: number): string => join(run, `sub-flow-${number}`)

/** Throws ConfigError where a chain's sub-flows cannot be trained alone. @param what was asked for, such as '--sub-flow' */
function expectApart({ flow, distill }: ResolvedOptions, what: string): void {
  const N = flow.gammas.length
  if (distill || flow.recipe !== 'local') throw new ConfigError(`${what} is for the sub-flows of flow.recipe: local.`)
  if (flow.push !== 'simulated') {
    throw new ConfigError(
      `${what} needs flow.push: simulated, but it is ${flow.push}: the data of a sub-flow are those that the sub-flows before it ` +
        'have pushed, so that they are trained one after another.',
    )
  }
  if (flow.warmStart && N > 1) {
    throw new ConfigError(
      `${what} needs flow.warmStart: false: otherwise a sub-flow starts from the parameters of the one before.`,
    )
  }
}

/** Whether a chain of several sub-flows can be trained by one process for each. */
export function goesApart(options: ResolvedOptions): boolean {
  const { flow, distill } = options
  return !distill && flow.recipe === 'local' && flow.push === 'simulated' && !flow.warmStart && flow.gammas.length > 1
}

/**
 * The config that trains sub-flow `number` of a chain alone.
 * @param raw of the whole chain, as it was written @param options the same, resolved
 * @throws ConfigError where there is no such sub-flow, or it cannot be trained alone
 */
export function partConfig<Raw extends object>(raw: Raw, options: ResolvedOptions, number: number, what: string): Raw {
  expectApart(options, what)
  const { flow, train } = options
  const N = flow.gammas.length
  if (number > N) throw new ConfigError(`${what} ${number} is not there: the chain has ${N} sub-flows.`)
  const i = number - 1
  const before = flow.gammas.slice(0, i).reduce<number>((sum, gamma) => sum + (gamma ?? 0), 0)
  const written = raw as { readonly flow?: object; readonly train?: object; readonly ode?: unknown }
  const { n: _, schedule: __, plain: ___, ...said } = (written.flow ?? {}) as Record<string, unknown>
  const { ode: ____, ...others } = written
  return {
    ...others,
    flow: {
      ...said,
      gammas: [flow.gammas[i]],
      interpolant: [flow.interpolant[i]],
      time: [flow.time[i]],
      part: { number, of: N, before },
    },
    train: { ...written.train, steps: [train.steps[i]], lr: train.lr, warmup: train.warmup },
  } as unknown as Raw
}

/** The state of a run whose sub-flows have all been trained alone, and hashes of what they were trained on. */
export interface Joined {
  readonly state: RunState
  readonly dataSha256: readonly (string | null)[]
}

/**
 * Reads the sub-flows of a run.
 * @throws ConfigError where the chain is not one of parts, CheckpointError where parts are missing, not finished, or of another config
 */
export async function joinParts(folder: string, raw: object, options: ResolvedOptions, what: string): Promise<Joined> {
  expectApart(options, what)
  const N = options.flow.gammas.length
  const numbers = Array.from({ length: N }, (_, i) => i + 1)
  const found = await Promise.all(
    numbers.map((number) => openRun(partFolder(folder, number)).catch((error: unknown) => error as Error)),
  )
  const missing = numbers.filter((_, i) => found[i] instanceof Error)
  if (missing.length > 0) {
    const first = found[missing[0] - 1] as Error
    throw new CheckpointError(
      `${folder} has no sub-flow ${list(missing.map(String))} of ${N} to be joined. ${first.message} Train what is missing by ` +
        `lfm train --sub-flow ${missing[0]}.`,
    )
  }
  const runs = found as Run[]
  const going = runs.filter(({ manifest }) => manifest.progress.phase !== 'done')
  if (going.length > 0) {
    throw new CheckpointError(
      `${list(going.map((run) => `${run.folder} (step ${run.manifest.progress.step} of ${run.options.train.steps[0]})`))} ` +
        'is not trained to its end. Go on with it by --resume, then join.',
    )
  }
  const { data: _, ...own } = raw as { data?: unknown }
  for (const [i, run] of runs.entries()) {
    const { device: __, ...asked } = resolveOptions(partConfig(own, options, i + 1, what))
    const { device: ___, ...made } = run.options
    if (!isDeepStrictEqual(learning(asked), learning(made))) {
      throw new CheckpointError(
        `${run.folder} was trained by another config than the one that is joined. Train it anew by lfm train --sub-flow ${i + 1} ` +
          '--force, or join with the config that it was trained by.',
      )
    }
  }
  const states = await Promise.all(runs.map((run) => readState(run)))
  const finished = states.map(({ chain }): TrainedNetwork => chain.finished[0])
  // the last one's optimizer, for who trains on
  const { training } = (await readState(runs[N - 1], true)).chain
  return {
    state: {
      chain: { finished, fit: N + 1, outputScale: 1, training, pool: null },
      losses: states.map(({ losses }) => losses[0]),
      validation: states.map(({ validation }) => validation[0]),
      timings: states.reduce((sum, { timings }) => addTimings(sum, timings), noTimings),
      variants: Object.assign({}, ...states.map(({ variants }) => variants)),
    },
    dataSha256: runs.map(({ extra }) => extra.dataSha256),
  }
}

/** What parameters depend on. */
const learning = ({ model, flow, train, seed }: Omit<ResolvedOptions, 'device'>): object => {
  const { checkpointEvery: _, logEvery: __, ...rest } = train
  return { model, flow, train: rest, seed }
}
