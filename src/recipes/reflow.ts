/**
 * Rectified flow (Liu, Gong and Liu 2023): plain flow matching first; then, once or more often, the noise that the model so far
 * turns into samples is stored beside them, and the flow is fitted anew to these pairs, whose paths hardly cross. The last
 * one is the model.
 */

import { z } from 'zod'
import type { Device } from '../device/device.js'
import { seedWords } from '../kernels/draws.js'
import { normal } from '../kernels/normal.js'
import { plainReading } from '../learn/pool.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { timeLaw, timeQuantiles } from '../learn/times.js'
import { blockRows, type Link, Transport, wholePath } from '../model/transport.js'
import type { SolverSettings } from '../ode/solver.js'
import { ProgramBuilder } from '../program/program.js'
import { count } from '../schema/words.js'
import { anglesOf } from './angles.js'
import { subFlowFit } from './local-flow.js'
import type { MadePool, Recipe } from './recipe.js'

const section = z
  .strictObject({
    rounds: count('Fits on pairs, each of the model that the one before made (recipe: reflow).').default(1),
    pairs: count('Pairs that are made for a round. Left out: as many as there are training rows.').optional(),
    time: timeLaw('Distribution of the training times of these fits.').default('uniform'),
  })
  .prefault({})

export type ReflowSettings = z.output<typeof section>

export const reflow = {
  description: 'rectified flow: plain flow matching, then fits on pairs of noise and what the model makes of it',
  section,
  fitsAre: 'fits',
  fits: (_, { rounds }) => 1 + rounds,
  arrange: ({ steps, paths, times }) => ({ gammas: [null], steps, paths, times }),
  plan(settings) {
    const { paths, coupling, timesPerPair, sampling, steps, fit } = settings
    const { rounds, time } = settings.own
    const quantiles = timeQuantiles(time)
    const first = subFlowFit(settings, 1, {
      name: 'the first flow',
      kind: { gamma: null, path: paths[0], coupling },
    })
    const rest = Array.from({ length: rounds }, (_, i) => ({
      settings: { ...fit, name: `round ${i + 1} of reflow`, number: i + 2, steps: steps[i + 1] },
      task: flowMatching({ right: 'stored', path: paths[i + 1], timesPerPair, quantiles, sampling }),
      kind: null,
      note: 'on pairs',
    }))
    return { fits: [first, ...rest], stages: [rounds] }
  },
  madeRows: (n, { pairs }) => pairs ?? n,
  async nextPool({ device, network, settings, signal, onRows }, pool, finished) {
    const { parameters, outputScale } = finished[finished.length - 1]
    const weights = device.createBuffer(parameters.length)
    try {
      weights.write(parameters)
      const chain = anglesOf([{ gamma: null, path: settings.paths[finished.length - 1] }])
      const link = { field: network, parameters: weights, outputScale, place: { number: 0, chain } }
      return await pairsOf(device, link, {
        n: settings.own.pairs ?? pool.rows,
        solver: settings.pushSolver,
        seed: settings.fit.seed,
        stream: finished.length,
        signal,
        onRows,
      })
    } finally {
      weights.dispose()
    }
  },
} satisfies Recipe<ReflowSettings>

interface PairOptions {
  readonly n: number
  readonly solver: SolverSettings
  readonly seed: number
  /** of the noise; samples of a model have stream 0 */
  readonly stream: number
  readonly signal?: AbortSignal
  readonly onRows?: (rows: number, of: number) => void
}

/** A pool of n pairs: samples of a flow, and beside them the noise they were made of. */
async function pairsOf(device: Device, link: Link, options: PairOptions): Promise<MadePool> {
  const { n, solver, seed, stream, signal, onRows } = options
  const { dimension: D } = link.field
  const rows = blockRows(n, link.field, null, device.info)
  const legs = wholePath([link], 'decode')
  const transport = await Transport.open(device, { legs, solver, trace: null, rows, source: { kind: 'input' } })
  const left = device.createBuffer(n * D)
  const right = device.createBuffer(n * D)
  const number = device.createBuffer(1, 'u32')
  try {
    const builder = new ProgramBuilder()
    builder.add(
      normal,
      { first: builder.tensor(number), y: builder.tensor(transport.input, [rows, D]) },
      { ...seedWords(seed), stream },
    )
    const noise = await device.compile(builder.build())
    try {
      let evaluations = 0
      let most = 0
      for (let first = 0; first < n; first += rows) {
        signal?.throwIfAborted()
        const count = Math.min(rows, n - first)
        number.write(Uint32Array.of(first))
        await noise.run(1, { signal })
        device.copy(transport.input, 0, right, first * D, count * D)
        const spent = await transport.block(first, count, signal)
        device.copy(transport.outputs[0], 0, left, first * D, count * D)
        evaluations += spent.mean * count
        most = Math.max(most, spent.max)
        onRows?.(first + count, n)
      }
      return {
        pool: { left, right, rows: n, reading: plainReading },
        evaluations: { mean: evaluations / n, max: most },
        variants: transport.variants,
      }
    } finally {
      noise.dispose()
    }
  } catch (error) {
    left.dispose()
    right.dispose()
    throw error
  } finally {
    number.dispose()
    transport.dispose()
  }
}
