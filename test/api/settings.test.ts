/** Every setting of training is heeded: it trains, the loss falls, and the model is another than without it. */

import { beforeAll, describe, expect, it } from 'vitest'
import { LocalFlow, type TrainArguments } from '../../src/index.js'
import { engine } from '../cli/lfm.js'

const n = 512
const x = {
  values: Float32Array.from({ length: 2 * n }, (_, k) => (k % 2 ? 0.5 * Math.sin(0.7 * k) : k % 4 ? 1.5 : -1.5)),
  shape: [n, 2],
}
const base = {
  model: { hidden: [16], activation: 'silu' },
  flow: { gammas: [0.4, null] },
  train: { batch: 256, steps: 60, lr: 0.02 },
  ode: { steps: 2 },
  // already in a scale to learn
  standardise: false,
  // one column has two values
  onWarning: () => {},
  seed: 1,
  device: engine,
} satisfies TrainArguments

interface Trained {
  flow: LocalFlow
  /** mean of the first and of the last losses of the first sub-flow */
  first: number
  last: number
}

async function train(options: TrainArguments): Promise<Trained> {
  const losses: number[] = []
  const flow = await LocalFlow.train(x, {
    ...base,
    ...options,
    flow: { ...base.flow, ...options.flow },
    train: { ...base.train, ...options.train },
    onProgress: (progress) => {
      if (progress.phase === 'train' && progress.subFlow === 1) losses.push(progress.loss)
    },
  })
  await flow.dispose()
  return { flow, first: losses[0], last: losses.at(-1)! }
}

const parametersOf = ({ flow }: Trained): number[] => flow.subFlows.flatMap(({ parameters }) => [...parameters])

let usual: Trained
beforeAll(async () => {
  usual = await train({})
})

describe('a setting', () => {
  it.each<[string, TrainArguments]>([
    [
      'flow.schedule geometric',
      { flow: { gammas: undefined, schedule: { kind: 'geometric', n: 2, c: 0.3, rho: 1.2 } } },
    ],
    ['flow.schedule linear', { flow: { gammas: undefined, schedule: { kind: 'linear', n: 3 } } }],
    ['flow.schedule cosine, last ou', { flow: { gammas: undefined, schedule: { kind: 'cosine', n: 2, last: 'ou' } } }],
    ['flow.interpolant trig', { flow: { interpolant: 'trig' } }],
    ['flow.interpolant of each', { flow: { interpolant: ['linear', 'trig'] } }],
    ['flow.coupling shuffled', { flow: { coupling: 'shuffled' } }],
    ['flow.coupling independent', { flow: { coupling: 'independent' } }],
    ['flow.time beta', { flow: { time: { beta: [2, 0.8] } } }],
    ['flow.timesPerPair', { flow: { timesPerPair: 4 } }],
    ['flow.warmStart', { flow: { warmStart: false } }],
    ['flow.outputScale', { flow: { outputScale: true } }],
    ['flow.plain', { flow: { plain: true } }],
    ['train.steps of each', { train: { steps: [60, 40] } }],
    ['train.optimizer adamw', { train: { optimizer: 'adamw', weightDecay: 0.1 } }],
    ['train.weightDecay', { train: { weightDecay: 0.01 } }],
    ['train.betas', { train: { betas: [0.8, 0.99] } }],
    ['train.eps', { train: { eps: 1e-3 } }],
    ['train.ema', { train: { ema: 0.9 } }],
    ['train.clip', { train: { clip: 0.05 } }],
    ['train.schedule constant', { train: { schedule: 'constant' } }],
    ['train.schedule step', { train: { schedule: { step: { every: 20, factor: 0.5 } } } }],
    ['train.warmup', { train: { warmup: 10 } }],
    ['train.sampling', { train: { sampling: 'replacement' } }],
    ['train.batch', { train: { batch: 128 } }],
    ['model.activation', { model: { hidden: [16], activation: 'tanh' } }],
    ['model.time', { model: { hidden: [16], activation: 'silu', time: 'every' } }],
    ['model.fourier', { model: { hidden: [16], activation: 'silu', fourier: [1, 2] } }],
    ['ode.push', { ode: { steps: 2, push: { solver: 'euler', steps: 1 } } }],
    ['ode.push dopri5', { ode: { steps: 2, push: { solver: 'dopri5', rtol: 1e-3, atol: 1e-3 } } }],
    ['seed', { seed: 2 }],
  ])('%s is heeded', async (_, options) => {
    const trained = await train(options)
    const parameters = parametersOf(trained)
    expect(parameters.every(Number.isFinite)).toBe(true)
    expect(parameters).not.toEqual(parametersOf(usual))
    expect(trained.last).toBeLessThan(0.95 * trained.first)
  })

  it('that is the default changes nothing', async () => {
    const same: TrainArguments = {
      flow: { interpolant: 'linear', coupling: 'dependent', time: 'uniform', warmStart: true, plain: false },
      train: { optimizer: 'adam', ema: 'off', clip: 'off', schedule: 'cosine', warmup: 0, sampling: 'epochs' },
    }
    expect(parametersOf(await train(same))).toEqual(parametersOf(usual))
  })

  it('flow.plain makes one free sub-flow of all the steps', async () => {
    const { flow } = await train({ flow: { plain: true }, train: { steps: [25, 35] } })
    expect(flow.subFlows).toHaveLength(1)
    expect(flow.options.flow.gammas).toEqual([null])
    expect(flow.options.train.steps).toEqual([60])
  })
})

it('pictures as bytes keep their shape', async () => {
  const bytes = { values: Uint8Array.from({ length: 64 * 6 }, (_, i) => (i * 37) % 3), shape: [64, 2, 3] }
  const flow = await LocalFlow.train(bytes, { ...base, train: { batch: 64, steps: 5 } })
  expect((await flow.sample(4)).shape).toEqual([4, 2, 3])
  expect((await flow.encode(bytes)).shape).toEqual([64, 2, 3])
  expect(await flow.logProb(bytes)).toHaveLength(64)
  await flow.dispose()
})
