/** Validation along a training, early stopping, and training on. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError, data, LocalFlow, type TrainArguments, type ValidationLoss } from '../../src/index.js'
import { engine, tensorBits, workFolder } from '../cli/lfm.js'
import { describeOn } from '../devices.js'

const work = workFolder()
const moons = (n: number, seed: number) => ({ values: data.toy('moons').sample(n, seed), shape: [n, 2] })
const [rows, unseen] = [moons(400, 1), moons(300, 2)]
const settings = {
  model: { kind: 'mlp', hidden: [24], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { batch: 100, steps: 60, lr: 0.01, schedule: 'constant', validateEvery: 20, checkpointEvery: 30 },
  ode: { steps: 2 },
  seed: 4,
  device: engine,
} satisfies TrainArguments
const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, v) => sum + v / values.length, 0)

await describeOn(['webgpu', 'native', 'reference'], 'a validation loss', (_, device) => {
  it('is measured on the same rows with the same noise, and changes nothing of the training', async () => {
    const plain = await LocalFlow.train(rows, { ...settings, device })
    const measured: ValidationLoss[] = []
    const flow = await LocalFlow.train(rows, {
      ...settings,
      device,
      validation: unseen,
      onValidation: (loss) => measured.push(loss),
    })
    expect(flow.subFlows).toEqual(plain.subFlows)
    expect(plain.training!.validation.flatMap(({ losses }) => losses)).toEqual([])
    expect(flow.training!.validation.map(({ steps }) => steps)).toEqual([
      [20, 40, 60],
      [20, 40, 60],
    ])
    expect(measured.map(({ loss }) => loss)).toEqual(flow.training!.validation.flatMap(({ losses }) => losses))
    expect(measured[0]).toMatchObject({ subFlow: 1, step: 20, best: true, stops: false })
    // parameters that do not move have one loss
    const still = { ...settings, device, validation: unseen, train: { ...settings.train, lr: 1e-30 } }
    const unmoved = await LocalFlow.train(rows, still)
    for (const { losses } of unmoved.training!.validation) expect(new Set(losses).size).toBe(1)
    await Promise.all([plain.dispose(), flow.dispose(), unmoved.dispose()])
  })

  it('is the loss that the steps have, on other rows', async () => {
    const train = { ...settings.train, lr: 1e-30, steps: 80, validateEvery: 80 }
    const flow = await LocalFlow.train(rows, { ...settings, device, validation: rows, train })
    flow.training!.validation.forEach(({ losses: [loss] }, i) => {
      // 8000 draws beside 4400, of the same rows and parameters
      expect(Math.abs(loss / mean(flow.training!.losses[i]) - 1)).toBeLessThan(0.08)
    })
    await flow.dispose()
  })
})

const square = (n: number, seed: number) => ({
  values: Uint8Array.from({ length: n * 64 }, (_, i) => (i * seed * 37) % 251),
  shape: [n, 1, 8, 8],
})
const unet: TrainArguments = {
  ...settings,
  model: { kind: 'unet', width: 8, multipliers: [1, 2], depth: 1, groups: 4, attention: [], headChannels: 8 },
  train: { batch: 16, microBatches: 2, steps: 4, validateEvery: 2, ema: 0.9 },
}

describe('every way of training', () => {
  const few = { ...settings.train, steps: 4, validateEvery: 2 }
  it.each<[string, TrainArguments, number[]]>([
    ['a simulated push', { ...settings, train: few, flow: { gammas: [0.3, 0.5, null], push: 'simulated' } }, [2, 2, 2]],
    ['assigned pairs', { ...settings, train: few, flow: { gammas: [0.3, null], coupling: 'optimal' } }, [2, 2]],
    ['several times for a pair', { ...settings, train: few, flow: { gammas: [0.3, null], timesPerPair: 4 } }, [2, 2]],
    ['rectified flow', { ...settings, train: few, flow: { recipe: 'reflow', reflow: { rounds: 2 } } }, [2, 2, 2]],
  ])('validates: %s', async (_, given, counts) => {
    const flow = await LocalFlow.train(rows, { ...given, validation: unseen })
    const losses = flow.training!.validation.map((of) => of.losses)
    expect(losses.map(({ length }) => length)).toEqual(counts)
    for (const loss of losses.flat()) expect(loss).toBeGreaterThan(0)
    await flow.dispose()
  })

  it('validates rounds of rectified flow on pairs that it does not learn from', async () => {
    const still = { ...few, steps: [4, 40], lr: 1e-30, validateEvery: 40 }
    const given = { ...settings, train: still, flow: { recipe: 'reflow' as const } }
    const flow = await LocalFlow.train(rows, { ...given, validation: unseen })
    const [, [loss]] = flow.training!.validation.map(({ losses }) => losses)
    // of one distribution, on other noise
    expect(loss).not.toBe(mean(flow.training!.losses[1]))
    expect(Math.abs(loss / mean(flow.training!.losses[1]) - 1)).toBeLessThan(0.15)
    const alone = await LocalFlow.train(rows, given)
    expect(flow.subFlows).toEqual(alone.subFlows)
    await Promise.all([flow.dispose(), alone.dispose()])
  })

  it('makes the same pairs again where a round was interrupted', async () => {
    const given = { ...settings, flow: { recipe: 'reflow' as const }, validation: unseen }
    const whole = await LocalFlow.train(rows, given)
    const stop = new AbortController()
    const out = join(work, 'round')
    const stopped = LocalFlow.train(rows, {
      ...given,
      out,
      signal: stop.signal,
      onCheckpoint: ({ subFlow, step }) => subFlow === 2 && step === 30 && stop.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
    const resumed = await LocalFlow.train(rows, { ...given, out, resume: true })
    expect(resumed.training!.validation).toEqual(whole.training!.validation)
    await Promise.all([whole.dispose(), resumed.dispose()])
  })

  it.each([{}, { coupling: 'optimal' as const }])('validates on pictures, %j', async (more) => {
    const given = { ...unet, flow: { ...settings.flow, ...more }, flips: true }
    const flow = await LocalFlow.train(square(48, 3), { ...given, validation: square(20, 5) })
    const alone = await LocalFlow.train(square(48, 3), given)
    expect(flow.training!.validation.map(({ losses }) => losses.length)).toEqual([2, 2])
    expect(flow.subFlows).toEqual(alone.subFlows)
    await Promise.all([flow.dispose(), alone.dispose()])
  })
})

describe('patience', () => {
  // a few rows that a network learns by heart
  const few = {
    ...settings,
    flow: { gammas: [null] },
    model: { kind: 'mlp', hidden: [64, 64], activation: 'silu' },
    train: { ...settings.train, batch: 12, steps: 4000, validateEvery: 50, patience: 3 },
    validation: unseen,
  } satisfies TrainArguments

  it('ends a sub-flow that gets no better, and keeps its best parameters', async () => {
    const flow = await LocalFlow.train(moons(12, 3), few)
    const [{ steps, losses }] = flow.training!.validation
    const best = losses.indexOf(Math.min(...losses))
    expect(losses.length - 1 - best).toBe(3)
    expect(steps.at(-1)).toBeLessThan(4000)
    expect(flow.training!.losses[0]).toHaveLength(steps.at(-1)!)
    const { patience: _, ...train } = few.train
    const there = await LocalFlow.train(moons(12, 3), { ...few, train: { ...train, steps: steps[best] } })
    expect(flow.subFlows).toEqual(there.subFlows)
    await Promise.all([flow.dispose(), there.dispose()])
  })

  it('needs rows to validate on', async () => {
    const training = LocalFlow.train(rows, { ...few, validation: undefined })
    await expect(training).rejects.toBeInstanceOf(ConfigError)
    await expect(LocalFlow.train(rows, { ...few, validation: undefined })).rejects.toThrow('no validation rows')
  })

  it('is as long in a run that was interrupted', async () => {
    const [whole, parts] = [join(work, 'whole'), join(work, 'parts')]
    const given = { ...few, flow: { gammas: [0.3, null] }, train: { ...few.train, checkpointEvery: 70 } }
    await (await LocalFlow.train(moons(12, 3), { ...given, out: whole })).dispose()
    for (const [subFlow, step] of [
      [1, 140],
      [2, 70],
    ]) {
      const stop = new AbortController()
      const training = LocalFlow.train(moons(12, 3), {
        ...given,
        out: parts,
        resume: subFlow > 1,
        signal: stop.signal,
        onCheckpoint: (at) => at.subFlow === subFlow && at.step >= step && stop.abort(),
      })
      await expect(training).rejects.toMatchObject({ name: 'AbortError' })
    }
    await (await LocalFlow.train(moons(12, 3), { ...given, out: parts, resume: true })).dispose()
    expect(await tensorBits(parts)).toEqual(await tensorBits(whole))
    expect(readFileSync(join(parts, 'validation.csv'), 'utf8')).toBe(
      readFileSync(join(whole, 'validation.csv'), 'utf8'),
    )
    expect(readFileSync(join(parts, 'report.html'), 'utf8')).toContain('Validation loss')
  })
})

describe('a run that is done', () => {
  const train = (steps: number | number[], more: object = {}) => ({ ...settings.train, steps, ...more })

  it('is trained on as if it had been asked for more steps at once', async () => {
    const out = join(work, 'longer')
    const given = { ...settings, validation: unseen, out }
    await (await LocalFlow.train(rows, { ...given, train: train(40) })).dispose()
    // both keys name all sub-flows; the first is finished and stays
    const on = await LocalFlow.train(rows, { ...given, train: train(80), resume: true })
    const once = await LocalFlow.train(rows, { ...given, out: undefined, train: train([40, 80]) })
    expect(on.subFlows).toEqual(once.subFlows)
    expect(on.training!.validation).toEqual(once.training!.validation)
    expect(on.training!.resumedFrom).toEqual({ subFlow: 2, step: 40 })
    expect(readFileSync(on.training!.report!, 'utf8')).toContain('train.steps [40, 40] → [40, 80]')
    await Promise.all([on.dispose(), once.dispose()])
    // and no more than that
    const same = await LocalFlow.train(rows, { ...given, train: train(80), resume: true })
    expect(same.training!.losses).toEqual(once.training!.losses)
    await same.dispose()
  })

  it('may be trained on at another rate, which its report says', async () => {
    const out = join(work, 'rate')
    const given = { ...settings, flow: { gammas: [null] }, out }
    await (await LocalFlow.train(rows, { ...given, train: train(30) })).dispose()
    const before = await tensorBits(out)
    const on = await LocalFlow.train(rows, { ...given, train: train(50, { lr: 1e-30 }), resume: true })
    const after = await tensorBits(out)
    const weights = Object.keys(before).filter((name) => name.startsWith('subflow') && !name.endsWith('.loss'))
    expect(weights.length).toBeGreaterThan(2)
    for (const name of weights) expect(after[name]).toBe(before[name])
    expect(readFileSync(on.training!.report!, 'utf8')).toContain('From step 30 of sub-flow 1 on: train.lr 0.01 → 1e-30')
    await on.dispose()
    await expect(LocalFlow.train(rows, { ...given, train: train(70, { batch: 50 }), resume: true })).rejects.toThrow(
      'begun with other settings (train.batch)',
    )
  })

  it('that a program saved has no optimizer to go on with', async () => {
    const flow = await LocalFlow.train(rows, { ...settings, train: train(5) })
    const out = join(work, 'saved')
    await flow.save(out)
    await flow.dispose()
    await expect(LocalFlow.train(rows, { ...settings, out, train: train(9), resume: true })).rejects.toThrow(
      'keeps no optimizer',
    )
  })
})
