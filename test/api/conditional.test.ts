/** Conditional models as a program has them: trained with columns or classes, saved, resumed and loaded; and what they refuse. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, DataError, InvalidArgumentError, LocalFlow, type TrainArguments } from '../../src/index.js'
import { describeOn } from '../devices.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-conditional-'))
afterAll(() => rmSync(work, { recursive: true }))

const n = 512
/** Points at (c, −c) with a little spread; c is −1, 0 or 1. */
const labels = Array.from({ length: n }, (_, i) => [3, 5, 8][i % 3])
const centre = (label: number): number => [3, 5, 8].indexOf(label) - 1
const x = labels.map((label, i) => [0, 1].map((d) => (d ? -1 : 1) * centre(label) + 0.1 * Math.sin(7.3 * i + 2 * d)))
const cond = labels.map((label) => [10 * centre(label) + 100])

const settings = {
  model: { hidden: [32, 32], activation: 'silu' },
  flow: { gammas: [0.4, null] },
  train: { batch: 128, steps: 300, lr: 0.01 },
  seed: 5,
} satisfies TrainArguments
const short = { ...settings, train: { ...settings.train, steps: 20 } }

const mean = (values: ArrayLike<number>, d: number): number =>
  Array.from(values)
    .filter((_, i) => i % 2 === d)
    .reduce((sum, value, _, all) => sum + value / all.length, 0)

await describeOn(['native', 'webgpu', 'reference'], 'a conditional flow', (_, kind) => {
  test.skipIf(kind === 'reference')(
    'of columns draws samples of what it is told, a row for each or one for all',
    async () => {
      const flow = await LocalFlow.train(x, { ...settings, cond, device: kind })
      for (const c of [-1, 0, 1]) {
        const { values } = await flow.sample(400, { cond: [100 + 10 * c] })
        expect(mean(values, 0)).toBeCloseTo(c, 0.9)
        expect(Math.abs(mean(values, 0) - c)).toBeLessThan(0.1)
        expect(Math.abs(mean(values, 1) + c)).toBeLessThan(0.1)
      }
      const each = await flow.sample(3, { cond: [[90], [100], [110]], seed: 2 })
      const alone = await flow.sample(3, { cond: [110], seed: 2 })
      expect([...each.values].slice(4)).toEqual([...alone.values].slice(4))
      await flow.dispose()
    },
  )

  test('of classes keeps their names, and goes through save and load', async () => {
    const flow = await LocalFlow.train(x, { ...(kind === 'reference' ? short : settings), labels, device: kind })
    expect(flow.condition).toEqual({ kind: 'classes', classes: [3, 5, 8], dropout: 0.1 })
    expect(flow.options.model.classes).toBe(true)
    const drawn = await flow.sample(50, { class: 8, guidance: 1.5, seed: 1 })
    if (kind !== 'reference') expect(Math.abs(mean(drawn.values, 0) - 1)).toBeLessThan(0.15)
    const told = { class: labels.slice(0, 20) }
    const [latents, scores] = [await flow.encode(x.slice(0, 20), told), await flow.logProb(x.slice(0, 20), told)]
    await flow.save(join(work, `classes-${kind}`))
    await flow.dispose()

    const loaded = await LocalFlow.load(join(work, `classes-${kind}`), { device: kind })
    expect(loaded.condition).toEqual(flow.condition)
    expect((await loaded.sample(50, { class: 8, guidance: 1.5, seed: 1 })).values).toEqual(drawn.values)
    expect((await loaded.encode(x.slice(0, 20), told)).values).toEqual(latents.values)
    expect(await loaded.logProb(x.slice(0, 20), told)).toEqual(scores)
    const { states } = await loaded.trajectory(x.slice(0, 20), { ...told, direction: 'encode' })
    expect(states.length).toBe(3)
    await loaded.dispose()
  })
})

await describeOn(['native'], 'a conditional training', () => {
  test('that is stopped and resumed is bit-identical to one that was not: conditions stay with pushed rows', async () => {
    const all = { ...short, train: { ...short.train, checkpointEvery: 7 }, device: 'native', cond } as const
    const whole = await LocalFlow.train(x, all)
    const out = join(work, 'resumed')
    for (const at of [2, 3]) {
      const stop = new AbortController()
      let checkpoints = 0
      const onCheckpoint = (): void => {
        if (++checkpoints === at) stop.abort(new Error('stopped'))
      }
      await LocalFlow.train(x, { ...all, out, resume: at === 3, signal: stop.signal, onCheckpoint }).catch(() => null)
    }
    const others = cond.map(([c]) => [c + 1])
    await expect(LocalFlow.train(x, { ...all, cond: others, out, resume: true })).rejects.toThrow(/have changed/)
    const resumed = await LocalFlow.train(x, { ...all, out, resume: true })
    resumed.subFlows.forEach(({ parameters }, i) => {
      expect(parameters).toEqual(whole.subFlows[i].parameters)
    })
    await whole.dispose()
    await resumed.dispose()
  })

  test('of actions and what was seen is one object, with settings in it or beside it, scaled from −1 to 1', async () => {
    const actions = x.map(([a, b]) => [1000 + 300 * a, b])
    const told = { ...short, device: 'native' } as const
    const range = { ...told, cond, standardise: 'range' } as const
    const [apart, inOne, beside, asTold] = await Promise.all([
      LocalFlow.train(actions, range),
      LocalFlow.train({ actions, cond, ...told }),
      LocalFlow.train({ actions, cond }, told),
      LocalFlow.train({ actions, cond, standardise: true }, told),
    ])
    for (const policy of [inOne, beside]) {
      expect(policy.scaler).toEqual(apart.scaler)
      expect(policy.subFlows).toEqual(apart.subFlows)
      expect(policy.raw).toEqual(apart.raw)
    }
    expect(asTold.scaler).not.toEqual(apart.scaler)
    const { values } = await inOne.sample(1, { cond: cond[0] })
    expect(values).toHaveLength(2)
    await expect(LocalFlow.train({ actions, cond }, { cond })).rejects.toThrow('cond must be said once')
    await expect(LocalFlow.train({ actions } as never)).rejects.toThrow('cond must be what was seen')
    await expect(LocalFlow.train({ actions, cond: cond.slice(1) })).rejects.toThrow(
      `cond has ${n - 1} rows, but there are ${n} rows`,
    )
    for (const policy of [apart, inOne, beside, asTold]) await policy.dispose()
  })

  test('validates on conditions of its own', async () => {
    const part = { validation: x.slice(0, 100), test: x.slice(100, 120) }
    const told = { train: cond, validation: cond.slice(0, 100), test: cond.slice(100, 120) }
    const train = { ...short.train, validateEvery: 10 }
    const flow = await LocalFlow.train(x, { ...short, ...part, train, cond: told, device: 'native' })
    const without = await LocalFlow.train(x, { ...short, ...part, train, device: 'native' })
    expect(flow.training!.validation[0].losses.every(Number.isFinite)).toBe(true)
    expect(flow.training!.validation[0].losses).not.toEqual(without.training!.validation[0].losses)
    await flow.dispose()
    await without.dispose()
    await expect(LocalFlow.train(x, { ...short, ...part, cond, device: 'native' })).rejects.toThrow(
      'The validation rows have no conditions',
    )
  })

  test.each([
    [{ cond: cond.slice(1) }, InvalidArgumentError, 'cond has 511 rows, but there are 512'],
    [{ cond: [...cond.slice(1), [Number.NaN]] }, DataError, 'cond holds NaN in row 511'],
    [{ labels: labels.slice(1) }, InvalidArgumentError, 'labels has 511 classes, but there are 512 rows'],
    [{ labels: labels.map((label) => label - 4) }, InvalidArgumentError, 'labels[0] must be a class'],
    [{ cond, labels }, ConfigError, 'leave one of them out'],
    [{ model: { classes: true } }, ConfigError, 'have no classes'],
    [
      { cond, flow: { recipe: 'shared', gammas: [0.4, null] }, train: { steps: 20, batch: 256 } },
      ConfigError,
      'flow.recipe: shared',
    ],
    [{ cond, flow: { gammas: [0.2, null], coupling: 'independent' } }, ConfigError, 'flow.coupling: independent'],
    [{ cond, flow: { gammas: [null], coupling: 'optimal' } }, ConfigError, 'flow.coupling: optimal'],
    [{ labels: { train: labels, test: labels } }, InvalidArgumentError, 'there are no test rows'],
    [
      { labels: { train: labels, validation: [3, 4] }, validation: x.slice(0, 2) },
      InvalidArgumentError,
      'class must be one that the training rows have (3, 5, 8), but is 4',
    ],
  ] as const)('refuses %#', async (wrong, kind, message) => {
    const error = await LocalFlow.train(x, { ...short, device: 'native', ...(wrong as TrainArguments) }).catch((e) => e)
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toContain(message)
  })
})

await describeOn(['native'], 'a call of a conditional flow', () => {
  let [told, classed, certain, plain]: LocalFlow[] = []
  beforeAll(async () => {
    const device = 'native'
    told = await LocalFlow.train(x, { ...short, cond, device })
    classed = await LocalFlow.train(x, { ...short, labels, device })
    certain = await LocalFlow.train(x, { ...short, cond, device, train: { ...short.train, conditionDropout: 0 } })
    plain = await LocalFlow.train(x, { ...short, device })
  })
  afterAll(async () => {
    for (const flow of [told, classed, certain, plain]) await flow.dispose()
  })

  const flows = { told: () => told, classed: () => classed, certain: () => certain, plain: () => plain }
  test.each([
    ['told', {}, 'none was given: give cond, 1 column for each row'],
    ['told', { class: 3 }, 'class was given, but this model was trained with other conditions'],
    ['told', { cond: [[1, 2]] }, 'cond must be rows of 1 column, as in training, but its shape is [1, 2]'],
    ['told', { cond: [[1], [2], [3]] }, 'cond has 3 rows, but there are 2'],
    ['told', { cond: [Number.NaN] }, 'cond holds NaN'],
    ['told', { cond: [1], guidance: -1 }, 'guidance must be a finite number from 0 on'],
    ['told', { cond: [1], guidance: Number.POSITIVE_INFINITY }, 'guidance must be a finite number from 0 on'],
    ['told', { cond: [1], guidance: [1, 2, 3] }, 'a list of 2 of them'],
    ['classed', {}, 'give class, one of 3, 5, 8'],
    ['classed', { class: 4 }, 'class must be one that the training rows have (3, 5, 8), but is 4'],
    ['classed', { class: [3, 5, 8] }, 'class has 3 rows, but there are 2'],
    ['classed', { class: Number.NaN }, 'class must be one that the training rows have'],
    ['classed', { cond: [1] }, 'cond was given, but this model was trained with other conditions'],
    ['certain', { cond: [1], guidance: 2 }, 'trained with train.conditionDropout 0'],
    ['plain', { cond: [1] }, 'cond was given, but this model was trained without a condition'],
    ['plain', { class: 1 }, 'class was given, but this model was trained without a condition'],
    ['plain', { guidance: 2 }, 'guidance was given, but this model was trained without a condition'],
  ] as const)('%s refuses %o, whatever it does', async (name, options, message) => {
    const flow = flows[name]()
    const rows = x.slice(0, 2)
    const calls = [
      flow.sample(2, options),
      flow.encode(rows, options),
      flow.decode(rows, options),
      flow.logProb(rows, options),
      flow.trajectory(rows, options),
    ]
    for (const error of await Promise.all(
      calls.map((call) =>
        call.then(
          () => null,
          (reason) => reason,
        ),
      ),
    )) {
      expect(error?.message).toContain(message)
    }
  })

  test('goes without a condition where the guidance is 0', async () => {
    const { values } = await classed.sample(2, { guidance: 0 })
    expect((await classed.sample(2, { class: 5, guidance: 0 })).values).toEqual(values)
    expect((await classed.sample(2, { class: 5 })).values).not.toEqual(values)
  })

  test.each([
    [{ kind: 'pairs', into: 2 }, 'none was given: give cond, 1 column'],
    [{ kind: 'pairs', into: 2, cond: [[1, 2]] }, 'cond must be rows of 1 column'],
    [{ kind: 'pairs', into: 2, labels: [3] }, 'class was given, but this model was trained with other conditions'],
    [{ kind: 'pairs', into: 2, cond: [1], guidance: -1 }, 'guidance must be a finite number from 0 on'],
  ] as const)('is not distilled with %o', async (request, message) => {
    await expect(told.distill(request)).rejects.toThrow(message)
  })

  test('told at every layer has no students that take a second time at the first', async () => {
    const model = { hidden: [8, 8], conditionAt: 'every' } as const
    await using every = await LocalFlow.train(x, { ...short, cond, model, device: 'native' })
    await expect(every.distill({ kind: 'any-step', into: 2, cond })).rejects.toThrow(
      'told its condition at every layer',
    )
  })

  test('is not distilled under guidance where it has always been told', async () => {
    const request = { kind: 'pairs', into: 2, cond: [1], guidance: 2 } as const
    await expect(certain.distill(request)).rejects.toThrow('trained with train.conditionDropout 0')
    await expect(plain.distill({ kind: 'pairs', into: 2, labels: [3] })).rejects.toThrow('trained without a condition')
  })
})
