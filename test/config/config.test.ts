import { describe, expect, it } from 'vitest'
import {
  applyOverrides,
  configKeys,
  type MlpModel,
  parseConfig,
  readConfig,
  resolveConfig,
  resolveOptions,
} from '../../src/config/index.js'
import { keyOfOtherName, otherNames } from '../../src/config/other-names.js'
import { ConfigError } from '../../src/errors.js'
import { scheduleGammas } from '../../src/recipes/schedule.js'

/** The issues of a refused config. */
function issuesOf(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  throw new Error('was accepted')
}

const toy = { kind: 'toy', name: 'moons' }

describe('a config', () => {
  it('of the documented shape resolves to lists as long as there are sub-flows', () => {
    const raw = parseConfig(
      `
data:  { kind: image-density, path: rose.png, train: 100000, validation: 5000, test: 10000 }
model: { kind: mlp, hidden: [256, 256, 256], activation: softplus20, time: first }
flow:  { gammas: [0.025, 0.031, 0.039, 0.049, 0.061, null], interpolant: linear, coupling: dependent, warmStart: true }
train: { batch: 2000, steps: 2000, lr: 0.001, schedule: cosine, checkpointEvery: 500 }
ode:   { solver: rk4, steps: 8 }
seed: 1103
`,
      { path: 'rose.yaml' },
    )
    const config = resolveConfig(raw)
    expect(config.data).toEqual({
      kind: 'image-density',
      path: 'rose.png',
      train: 100000,
      validation: 5000,
      test: 10000,
      standardise: false,
    })
    expect(config.model).toEqual({
      kind: 'mlp',
      hidden: [256, 256, 256],
      activation: 'softplus',
      beta: 20,
      time: 'first',
      fourier: [],
      conditionAt: 'first',
      classes: false,
    })
    expect(config.flow.gammas).toEqual([0.025, 0.031, 0.039, 0.049, 0.061, null])
    expect(config.flow.interpolant).toEqual(Array(6).fill('linear'))
    expect(config.train.steps).toEqual(Array(6).fill(2000))
    expect(config.train).toMatchObject({ ema: 0, clip: 0, checkpointEvery: 500, schedule: { kind: 'cosine' } })
    expect(config.ode.push).toEqual({ solver: 'rk4', steps: 8, clock: 'local', rtol: 1e-5, atol: 1e-5 })
    expect(config.seed).toBe(1103)
    expect(config.device).toEqual({ kind: 'auto', variants: {} })
  })

  it('standardises files and not pictures and toy sets, unless it says otherwise', () => {
    const standardise = (data: object) => (resolveConfig({ data }).data as { standardise?: boolean }).standardise
    expect(standardise({ kind: 'csv', path: 'a.csv' })).toBe(true)
    expect(standardise({ kind: 'npy', path: 'a.npy' })).toBe(true)
    expect(standardise({ kind: 'image-density', path: 'a.png' })).toBe(false)
    expect(standardise(toy)).toBe(false)
    expect(standardise({ ...toy, standardise: true })).toBe(true)
  })

  it('keeps a list of steps and of interpolants', () => {
    const { train, flow } = resolveOptions({
      flow: { gammas: [0.1, null], interpolant: ['linear', 'trig'] },
      train: { steps: [30, 10] },
    })
    expect(train.steps).toEqual([30, 10])
    expect(flow.interpolant).toEqual(['linear', 'trig'])
  })

  it('gives plain flow matching one free sub-flow with all the steps', () => {
    const gammas = [0.1, 0.2, null]
    const list = resolveOptions({ flow: { gammas, plain: true }, train: { steps: [5, 7, 9] } })
    expect([list.flow.gammas, list.train.steps]).toEqual([[null], [21]])
    const one = resolveOptions({ flow: { gammas, plain: true, interpolant: 'trig' }, train: { steps: 4 } })
    expect([one.train.steps, one.flow.interpolant]).toEqual([[12], ['trig']])
  })

  it('trains the usual chain where none is said, with a budget shared out', () => {
    const chain = (over: object = {}) => {
      const { flow, train } = resolveOptions(over)
      return [flow.gammas, flow.interpolant, train.steps]
    }
    const usual = [
      [0.05, 0.2, null],
      ['linear', 'linear', 'arc'],
    ]
    expect(chain()).toEqual([...usual, [7200, 2400, 2400]])
    expect(chain({ flow: { n: 'auto' } })).toEqual(chain())
    expect(chain({ train: { steps: { total: 4001 } } })).toEqual([...usual, [2401, 800, 800]])
    expect(chain({ train: { steps: 500 } })).toEqual([...usual, [500, 500, 500]])
    const said = { gammas: [0.1, null] }
    expect(chain({ flow: said })).toEqual([
      [0.1, null],
      ['linear', 'linear'],
      [2000, 2000],
    ])
    expect(chain({ flow: said, train: { steps: { total: 9 } } })[2]).toEqual([5, 4])
    const plain = (flow: object, steps?: unknown) => chain({ flow: { recipe: 'plain', ...flow }, train: { steps } })
    expect(plain({})).toEqual([[null], ['linear'], [12_000]])
    expect(plain({}, 500)).toEqual([[null], ['linear'], [500]])
    expect(plain({}, { total: 500 })).toEqual(plain({}, 500))
    expect(plain({ n: 'auto' }, 500)[2]).toEqual([1500])
    expect(plain(said, 500)[2]).toEqual([1000])
    expect(issuesOf(() => resolveOptions({ flow: { plain: true }, train: { steps: [1, 2, 3] } }))).toEqual([
      'train.steps has 3 entries, but there is 1 sub-flow; give one for each, or one for all.',
    ])
    expect(issuesOf(() => resolveOptions({ flow: { n: 'auto', gammas: [null] } }))).toEqual([
      'flow.gammas and flow.n are both given; leave one of them out.',
    ])
    expect(issuesOf(() => resolveOptions({ train: { steps: { total: 2 } } }))).toEqual([
      'train.steps.total must be at least 3, one for each, but is 2.',
    ])
  })

  it('takes the rate of an MLP by its widest layer, the batch and the steps where none is given, and rises to it', () => {
    const rate = (hidden: number[], train: object = {}) => {
      const { lr, warmup } = resolveOptions({ model: { hidden }, train }).train
      return [lr, warmup]
    }
    expect([rate([64]), rate([32, 100]), rate([256, 8])]).toEqual([
      [0.008, 100],
      [0.0059, 100],
      [0.003, 100],
    ])
    // the longest sub-flow counts: 450 of 7200 steps
    expect(rate([64], { steps: [50, 450, 450] })).toEqual([0.016, 5])
    expect(rate([64], { steps: { total: 750 } })).toEqual([0.016, 15])
    expect(rate([64], { batch: 8000 })).toEqual([0.016, 100])
    expect(rate([64], { batch: 125 })).toEqual([0.004, 100])
    expect(rate([64], { batch: 1, steps: 1_000_000 })[0]).toBe(0.002)
    expect(rate([64], { batch: 64_000, steps: 10 })[0]).toBe(0.032)
    expect(rate([64], { lr: 0.002 })).toEqual([0.002, 0])
    expect(rate([64], { warmup: 7 })).toEqual([0.008, 7])
    const unet = resolveOptions({ model: { kind: 'unet' }, train: { batch: 10, steps: 10 } }).train
    expect([unet.lr, unet.warmup]).toEqual([0.001, 0])
  })

  it('samples with two steps of history in the angle where nothing is said of a solver, and else by what is said', () => {
    const sampler = (ode: object, flow: object = { gammas: [0.1, null] }) => {
      const { solver, steps, clock, evaluations } = resolveOptions({ ode, flow }).ode.sample
      return [solver, clock, evaluations ?? steps]
    }
    expect(sampler({})).toEqual(['ab2', 'angle', 16])
    expect(sampler({ push: { steps: 3 }, evaluate: { solver: 'dopri5' } })).toEqual(['ab2', 'angle', 16])
    expect(sampler({ sample: { evaluations: 40 } })).toEqual(['ab2', 'angle', 40])
    expect(sampler({}, { schedule: { kind: 'cosine', n: 20 } })).toEqual(['ab2', 'angle', 40])
    expect(sampler({ steps: 5 })).toEqual(['rk4', 'local', 5])
    expect(sampler({ sample: { steps: 5 } })).toEqual(['rk4', 'local', 5])
    expect(sampler({ solver: 'euler' })).toEqual(['euler', 'local', 8])
    expect(sampler({ sample: { clock: 'angle' } })).toEqual(['rk4', 'angle', 8])
    const { push, evaluate } = resolveOptions({}).ode
    for (const other of [push, evaluate]) expect(other).toMatchObject({ solver: 'rk4', steps: 8, clock: 'local' })
  })

  it('lets push, sample and evaluate override the solver of all', () => {
    const { ode } = resolveOptions({
      ode: {
        solver: 'midpoint',
        steps: 3,
        clock: 'angle',
        sample: { steps: 50, evaluations: 40 },
        evaluate: { solver: 'dopri5', rtol: 1e-3 },
      },
    })
    expect(ode.push).toEqual({ solver: 'midpoint', steps: 3, clock: 'angle', rtol: 1e-5, atol: 1e-5 })
    expect(ode.sample).toMatchObject({ solver: 'midpoint', steps: 50 })
    expect(ode.sample.evaluations).toBe(40)
    expect(ode.evaluate).toEqual({
      solver: 'dopri5',
      steps: 3,
      clock: 'angle',
      rtol: 1e-3,
      atol: 1e-5,
      trace: 'exact',
      probes: 8,
    })
  })

  it.each([
    ['softplus', 'softplus', 1],
    ['softplus20', 'softplus', 20],
    ['softplus0.5', 'softplus', 0.5],
    ['elu', 'elu', 1],
  ])('reads the activation %s', (written, activation, beta) => {
    expect(resolveOptions({ model: { activation: written } }).model).toMatchObject({ activation, beta })
  })

  it('reads what can be switched off, and rate schedules', () => {
    const train = (keys: object) => resolveOptions({ train: keys }).train
    for (const off of ['off', false, null])
      expect(train({ ema: off, clip: off, checkpointEvery: off })).toMatchObject({
        ema: 0,
        clip: 0,
        checkpointEvery: 0,
      })
    expect(train({ ema: 0.999, clip: 1 })).toMatchObject({ ema: 0.999, clip: 1 })
    expect(train({ schedule: 'constant' }).schedule).toEqual({ kind: 'constant' })
    expect(train({ schedule: { step: { every: 1000, factor: 0.99 } } }).schedule).toEqual({
      kind: 'step',
      every: 1000,
      factor: 0.99,
    })
  })

  it('takes a device by name or with variants', () => {
    expect(resolveOptions({ device: 'native' }).device).toEqual({ kind: 'native', variants: {} })
    expect(resolveOptions({ device: { kind: 'webgpu', variants: { linear_forward: 64 } } }).device).toEqual({
      kind: 'webgpu',
      variants: { linear_forward: '64' },
    })
  })

  it('has two kinds of model with keys of their own', () => {
    expect(resolveOptions({ model: { kind: 'unet', width: 64 } }).model).toEqual({
      kind: 'unet',
      width: 64,
      multipliers: [1, 2, 2],
      depth: 1,
      attention: [16],
      headChannels: 32,
      groups: 32,
      dropout: 0,
      scaleShift: false,
      residualResampling: false,
      classes: false,
    })
    const refused = (model: object): string => {
      try {
        resolveOptions({ model })
      } catch (error) {
        return (error as Error).message
      }
      return 'nothing was refused'
    }
    expect(refused({ width: 64 })).toMatch(/model.width is a key for model.kind unet or unet1d, not for 'mlp'/)
    expect(refused({ kind: 'unet', hidden: [64] })).toMatch(/model.hidden is a key for model.kind mlp, not for 'unet'/)
    expect(refused({ kind: 'unet', dropout: 1 })).toMatch(/model.dropout must be a number from 0 to below 1, but is 1/)
    expect(refused({ kind: 'unte' })).toMatch(
      /model.kind must be mlp, unet or unet1d, but is 'unte'; did you mean unet\?/,
    )
  })

  it('has a UNet of sequences', () => {
    expect(resolveOptions({ model: { kind: 'unet1d' } }).model).toEqual({
      ...{
        kind: 'unet1d',
        width: 64,
        multipliers: [1, 2, 4],
        depth: 1,
        kernel: 5,
        groups: 8,
        dropout: 0,
        classes: false,
      },
    })
    expect(() => resolveOptions({ model: { kind: 'unet1d', kernel: 4 } })).toThrow(
      /model.kernel must be an odd number from 1 to 31, but is 4/,
    )
  })

  it('takes the trace that the model allows, and refuses parts of a batch where they mean nothing', () => {
    expect(resolveOptions({}).ode.evaluate.trace).toBe('exact')
    expect(resolveOptions({ model: { kind: 'unet' } }).ode.evaluate.trace).toBe('hutchinson')
    const unet = { kind: 'unet' } as const
    expect(() => resolveOptions({ model: unet, train: { batch: 64, microBatches: 3 } })).toThrow(
      /train.microBatches must divide train.batch, but 64 is no multiple of 3/,
    )
    expect(() => resolveOptions({ train: { microBatches: 2 } })).toThrow(/train.microBatches is for model.kind unet/)
    expect(() => resolveOptions({ train: { recompute: true } })).toThrow(/train.recompute is for model.kind unet/)
  })

  it('resolves the same config twice to equal values that share nothing', () => {
    const a = resolveOptions({})
    const b = resolveOptions({})
    expect(a).toEqual(b)
    ;(a.model as MlpModel).hidden.push(1)
    a.flow.gammas.push(1)
    a.train.steps.push(1)
    a.train.betas[0] = 0.1
    a.device.variants.x = 'y'
    expect(resolveOptions({})).toEqual(b)
  })
})

describe('what is wrong with a config is named with its path and what would be right', () => {
  it.each<[string, object, string]>([
    ['an unknown key', { train: { step: 3 } }, 'train.step is not a key; did you mean train.steps?'],
    ['a key of another section', { lr: 1 }, 'lr is not a key; did you mean train.lr?'],
    [
      "another library's name",
      { train: { learningRate: 1 } },
      'train.learningRate is not a key; did you mean train.lr?',
    ],
    ['one at the root', { batch_size: 1 }, 'batch_size is not a key; did you mean train.batch?'],
    [
      'one that counts something else',
      { train: { epochs: 3 } },
      'train.epochs is not a key; did you mean train.steps (batches, not passes through the data)?',
    ],
    [
      'a key of another place',
      { ode: { push: { trace: 'exact' } } },
      'ode.push.trace is not a key; did you mean ode.evaluate.trace?',
    ],
    [
      'a key like no other',
      { zzzzzz: 1 },
      'zzzzzz is not a key; the keys are model, flow, train, ode, distill, seed, device.',
    ],
    [
      'a key of another kind',
      { flow: { schedule: { kind: 'cosine', n: 4, c: 1 } } },
      "flow.schedule.c is a key for flow.schedule.kind geometric, not for 'cosine'.",
    ],
    [
      'data among options',
      { data: {} },
      'data is not a key; the keys are model, flow, train, ode, distill, seed, device.',
    ],
    ['a text for a number', { train: { lr: 'fast' } }, "train.lr must be a number above 0, but is 'fast'."],
    ['infinity', { train: { lr: Infinity } }, 'train.lr must be a number above 0, but is Infinity.'],
    ['a section that is none', { model: 3 }, 'model must be a section with keys of its own, but is 3.'],
    [
      'an empty list of widths',
      { model: { hidden: [] } },
      'model.hidden must be a non-empty list of widths, but is [].',
    ],
    [
      'a width of 0',
      { model: { hidden: [8, 0] } },
      'model.hidden[1] must be a whole number from 1 to 1000000, but is 0.',
    ],
    [
      'a misspelt choice',
      { flow: { coupling: 'dependant' } },
      "flow.coupling must be dependent, shuffled, independent or optimal, but is 'dependant'; did you mean dependent?",
    ],
    [
      'a sharpness of 0',
      { model: { activation: 'softplus0' } },
      "model.activation must be relu, elu, softplus, softplus20 (softplus with β = 20), silu, gelu or tanh, but is 'softplus0'; did you mean softplus?",
    ],
    [
      'γ = 0',
      { flow: { gammas: [0.1, 0] } },
      'flow.gammas[1] must be a number above 0, or null in the last place (the free sub-flow), but is 0.',
    ],
    [
      'γ < 0',
      { flow: { gammas: [-0.1, null] } },
      'flow.gammas[0] must be a number above 0, or null in the last place (the free sub-flow), but is -0.1.',
    ],
    [
      'null before the last',
      { flow: { gammas: [null, 0.1] } },
      'flow.gammas[0] is null, but only the last of the 2 may be (the free sub-flow).',
    ],
    [
      'no γ',
      { flow: { gammas: [] } },
      'flow.gammas must be a non-empty list of numbers above 0, the last of which may be null (the free sub-flow), but is [].',
    ],
    [
      'two sources of γ',
      { flow: { gammas: [0.1], schedule: { kind: 'cosine', n: 3 } } },
      'flow.gammas and flow.schedule are both given; leave one of them out.',
    ],
    [
      'too few steps',
      { flow: { gammas: [0.1, 0.2, null] }, train: { steps: [1, 2] } },
      'train.steps has 2 entries, but there are 3 sub-flows; give one for each, or one for all.',
    ],
    [
      'too many interpolants',
      { flow: { gammas: [null], interpolant: ['linear', 'trig'] } },
      'flow.interpolant has 2 entries, but there is 1 sub-flow; give one for each, or one for all.',
    ],
    [
      'steps of 0',
      { train: { steps: [1, 0] } },
      'train.steps[1] must be a whole number from 1 to 100000000, but is 0.',
    ],
    [
      'a solver that there is not',
      { ode: { sample: { solver: 'rk5' } } },
      "ode.sample.solver must be euler, midpoint, heun, rk4, ab2, ddim or dopri5, but is 'rk5'; did you mean rk4?",
    ],
    ['a clock that there is not', { ode: { clock: 'sun' } }, "ode.clock must be local or angle, but is 'sun'."],
    [
      'steps of too few sub-flows',
      { flow: { gammas: [0.1, 0.2, null] }, ode: { sample: { steps: [4, 4] } } },
      'ode.sample.steps has 2 entries, but there are 3 sub-flows; give one for each, or one for all.',
    ],
    [
      'too few evaluations',
      { flow: { gammas: [0.1, 0.2, null] }, ode: { solver: 'rk4', sample: { evaluations: 11 } } },
      'ode.sample.evaluations must be at least 12, for a step of rk4 through each of 3 sub-flows, but is 11.',
    ],
    ['a tolerance of 0', { ode: { evaluate: { rtol: 0 } } }, 'ode.evaluate.rtol must be a number above 0, but is 0.'],
    [
      'a schedule that lacks a key',
      { train: { schedule: { step: { every: 10 } } } },
      'train.schedule.step.factor is missing; it must be a number above 0.',
    ],
    [
      'a misspelt schedule',
      { train: { schedule: 'cosin' } },
      "train.schedule must be constant, cosine or { step: { every: 1000, factor: 0.99 } }, but is 'cosin'; did you mean cosine?",
    ],
    [
      'times that do not divide the batch',
      { flow: { timesPerPair: 3 }, train: { batch: 10 } },
      'flow.timesPerPair must divide train.batch, but 10 is no multiple of 3.',
    ],
    [
      'an unknown device',
      { device: 'gpu' },
      "device must be auto, webgpu, native, reference or { kind, variants }, but is 'gpu'.",
    ],
    ['a decay of 1', { train: { ema: 1 } }, 'train.ema must be a number between 0 and 1, or off, but is 1.'],
    ['a negative seed', { seed: -1 }, 'seed must be a whole number from 0 to 2^53 - 1, but is -1.'],
  ])('%s', (_, options, message) => {
    expect(issuesOf(() => resolveOptions(options))).toEqual([message])
  })

  it.each<[string, object, string]>([
    ['no data', {}, 'data is missing; it must be a section with keys of its own.'],
    [
      'no kind',
      { data: { path: 'a' } },
      'data.kind is missing; it must be image-density, toy, csv, npy, table, images, idx, cifar10 or maf.',
    ],
    ['no path', { data: { kind: 'csv' } }, 'data.path is missing; it must be a text.'],
    [
      'a part of one and a half rows',
      { data: { kind: 'csv', path: 'a', train: 1.5 } },
      'data.train must be a count of rows (a whole number) or a fraction of them (below 1), but is 1.5.',
    ],
    [
      'a fraction of endless draws',
      { data: { ...toy, train: 0.5 } },
      'data.train must be a whole number from 1 on, but is 0.5.',
    ],
    [
      'a gaussian of no shape',
      { data: { kind: 'toy', name: 'gaussian' } },
      'data.mean and data.covariance must be given for the gaussian.',
    ],
    [
      'moons with a mean',
      { data: { ...toy, mean: [0] } },
      'data.mean must be left out: it is for the gaussian alone, not for moons.',
    ],
    [
      'a noisy checkerboard',
      { data: { kind: 'toy', name: 'checkerboard', noise: 0.1 } },
      'data.noise must be left out: checkerboard has none.',
    ],
    [
      'rows of a toy set',
      { data: { ...toy, shuffle: false } },
      "data.shuffle is a key for data.kind csv, npy, table, images, idx or cifar10, not for 'toy'.",
    ],
  ])('%s', (_, config, message) => {
    expect(issuesOf(() => resolveConfig(config))).toEqual([message])
  })

  it('all at once, with where the config came from', () => {
    const run = () => resolveConfig({ data: toy, train: { batch: 0, step: 3 } }, 'rose.yaml')
    expect(issuesOf(run)).toHaveLength(2)
    expect(run).toThrow(/^rose\.yaml: 2 problems\.\n {2}train\.batch must be .*\n {2}train\.step is not a key/)
  })

  it('also where the file is no YAML mapping', async () => {
    const parse = (text: string) => () => parseConfig(text, { path: 'c.yaml' })
    expect(parse('a: 1\na: 2')).toThrow(/^c\.yaml: .*unique at line 2/)
    expect(parse('a: [1')).toThrow(/^c\.yaml: .*line 1/)
    expect(parse('- 3')).toThrow(/^c\.yaml: a config is a mapping/)
    expect(parse('a: *b')).toThrow(/^c\.yaml: .*alias/)
    await expect(readConfig('nowhere.yaml')).rejects.toThrow('nowhere.yaml cannot be read: there is no such file.')
  })
})

describe('overrides', () => {
  it('set keys, parsed as YAML, in a copy', () => {
    const raw = { data: toy, train: { lr: 1 } }
    const config = applyOverrides(raw, [
      'train.steps=100',
      'flow.gammas=[0.1, null]',
      'ode.push.solver=euler',
      'train.clip=off',
    ])
    expect(config).toEqual({
      data: toy,
      train: { lr: 1, steps: 100, clip: 'off' },
      flow: { gammas: [0.1, null] },
      ode: { push: { solver: 'euler' } },
    })
    expect(raw).toEqual({ data: toy, train: { lr: 1 } })
  })

  it('choose variants beside a device given by name', () => {
    const config = applyOverrides({ device: 'native' }, ['device.variants.linear_forward=plain'])
    expect(config).toEqual({ device: { kind: 'native', variants: { linear_forward: 'plain' } } })
  })

  it('are refused where they are no assignment or go through a value', () => {
    expect(() => applyOverrides({}, ['train.steps'])).toThrow('must have the form path=value')
    expect(() => applyOverrides({ train: { lr: 1 } }, ['train.lr.x=1'])).toThrow('train.lr is 1, which has no keys')
    expect(() => applyOverrides({}, ['a=[1'])).toThrow('the value is no YAML')
    expect(() => applyOverrides({}, ['__proto__.x=1'])).toThrow('is not a key')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('the schema', () => {
  it('says of every key what it must be and what it is for', () => {
    const keys = configKeys()
    expect(keys.filter(({ expects, description }) => !expects || !description)).toEqual([])
    const find = (path: string) => keys.find((entry) => entry.path === path)
    expect(find('train.batch')).toEqual({
      path: 'train.batch',
      expects: 'a whole number from 1 to 100000000',
      default: 1000,
      description: 'Rows in a batch.',
    })
    expect(find('data.kind')?.expects).toBe('image-density, toy, csv, npy, table, images, idx, cifar10, maf')
    expect(find('train.ema')?.default).toBe('off')
  })
})

describe('schedules of γ', () => {
  const rounded = (gammas: (number | null)[]) => gammas.map((gamma) => gamma && Number(gamma.toFixed(5)))

  // The values of the official code for N = 4.
  it.each([
    ['geometric', [0.1, 0.15, 0.225]],
    ['cosine', [0.08302, 0.26975, 0.61526]],
    ['linear', [0.01266, 0.21283, 0.55181]],
  ] as const)('%s, four sub-flows', (kind, published) => {
    expect(rounded(scheduleGammas({ kind, n: 4, last: 'free' }))).toEqual([...published, null])
    const chain = scheduleGammas({ kind, n: 4, last: 'ou' })
    expect(rounded(chain.slice(0, 3))).toEqual(published)
    expect(chain[3]).toBeGreaterThan(published[2])
  })

  it('follow c and ρ, and clip the last β of the cosine at 0.999', () => {
    expect(scheduleGammas({ kind: 'geometric', n: 3, c: 0.5, rho: 2, last: 'ou' })).toEqual([0.5, 1, 2])
    expect(scheduleGammas({ kind: 'cosine', n: 4, last: 'ou' })[3]).toBeCloseTo(-0.5 * Math.log(0.001), 10)
    expect(scheduleGammas({ kind: 'linear', n: 1, last: 'ou' })[0]).toBeCloseTo(-0.5 * Math.log(0.9), 10)
  })

  it('are what the config expands to', () => {
    const { flow } = resolveOptions({ flow: { schedule: { kind: 'geometric', n: 3, c: 0.2, rho: 2 } } })
    expect(flow.gammas).toEqual([0.2, 0.4, null])
    expect(flow.interpolant).toHaveLength(3)
  })
})

it('every key that another library has a name for is one', () => {
  const paths = configKeys().map(({ path }) => path)
  const words = [
    'learningRate',
    'batchsize',
    'epochs',
    'gradClip',
    'num_res_blocks',
    'hidden_dim',
    'NFE',
    'normalize',
    'random-seed',
    'cuda',
  ]
  const found = words.map((word) => keyOfOtherName(word)!.path)
  expect(found).toEqual([
    'train.lr',
    'train.batch',
    'train.steps',
    'train.clip',
    'model.depth',
    'model.hidden',
    'ode.steps',
    'data.standardise',
    'seed',
    'device',
  ])
  for (const path of Object.keys(otherNames))
    expect(
      paths.some((known) => known === path || known.startsWith(`${path}.`)),
      path,
    ).toBe(true)
  expect(keyOfOtherName('nonsense')).toBeUndefined()
})
