/** Sequences [steps, channels] through a UNet along their steps: learnt under a condition, saved, resumed, scored and refused. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, LocalFlow, type TrainArguments } from '../../src/index.js'
import { describeOn } from '../devices.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-sequences-'))
afterAll(() => rmSync(work, { recursive: true }))

const [n, steps] = [256, 8]
const speed = (i: number): number => (i % 2 ? 1 : -1)
/** Straight ways from (0, 0) to the right or to the left, as they are told, and up or down, as nobody tells. */
const ways = Array.from({ length: n }, (_, i) =>
  Array.from({ length: steps }, (_, k) => [
    (speed(i) * (k + 1)) / steps + 0.03 * Math.sin(7.3 * i + k),
    ((i % 4 < 2 ? 1 : -1) * (k + 1)) / steps,
  ]),
)
const cond = ways.map((_, i) => [speed(i)])
const actions = { values: Float32Array.from(ways.flat(2)), shape: [n, steps, 2] }

const settings = {
  model: { kind: 'unet1d', width: 16, multipliers: [1, 2], groups: 4 },
  flow: { gammas: [0.4, null] },
  train: { batch: 48, steps: 100, lr: 0.004 },
  ode: { solver: 'midpoint', steps: 4 },
  seed: 5,
} satisfies TrainArguments
const short = { ...settings, train: { ...settings.train, batch: 16, steps: 12, checkpointEvery: 4 }, cond }

await describeOn(['native', 'webgpu'], 'a flow of sequences', (_, kind) => {
  test('learns where they go as it is told, and which way else by itself', async () => {
    // a software adapter would take minutes; its gradients are compared in test/method/unet-engines.test.ts
    const train = kind === 'native' ? settings.train : { ...settings.train, batch: 16, steps: 3 }
    const flow = await LocalFlow.train(actions, { ...settings, train, cond, device: kind })
    for (const c of kind === 'native' ? [-1, 1] : []) {
      const { values, shape } = await flow.sample(64, { cond: [c], seed: 1 })
      expect(shape).toEqual([64, steps, 2])
      const ends = Array.from({ length: 64 }, (_, i) => [...values.subarray(((i + 1) * steps - 1) * 2).slice(0, 2)])
      const right = ends.filter(([along]) => Math.abs(along - c) < 0.3).length
      const up = ends.filter(([, across]) => across > 0).length
      // half of them where it did not listen
      expect(right).toBeGreaterThan(48)
      expect(up).toBeGreaterThan(8)
      expect(up).toBeLessThan(56)
    }
    const some = { values: actions.values.slice(0, 4 * steps * 2), shape: [4, steps, 2] }
    const latents = await flow.encode(some, { cond: cond.slice(0, 4) })
    const back = await flow.decode(latents, { cond: cond.slice(0, 4) })
    expect(Math.max(...back.values.map((value, i) => Math.abs(value - some.values[i])))).toBeLessThan(0.1)
    const own = await flow.logProb(some, { cond: cond.slice(0, 4), probes: 4 })
    const others = await flow.logProb(some, { cond: cond.slice(0, 4).map(([c]) => [-c]), probes: 4 })
    own.forEach((score, i) => {
      expect(score).not.toBe(others[i])
      if (kind === 'native') expect(score).toBeGreaterThan(others[i])
    })
    await flow.save(join(work, kind))
    const drawn = await flow.sample(3, { cond: [1], guidance: 2, seed: 4 })
    await flow.dispose()
    const loaded = await LocalFlow.load(join(work, kind), { device: kind })
    expect((await loaded.sample(3, { cond: [1], guidance: 2, seed: 4 })).values).toEqual(drawn.values)
    await loaded.dispose()
  })
})

await describeOn(['native'], 'a training on sequences', () => {
  test('that is stopped and resumed is bit-identical to one that was not', async () => {
    const whole = await LocalFlow.train(actions, { ...short, device: 'native' })
    const out = join(work, 'resumed')
    const stop = new AbortController()
    let checkpoints = 0
    const onCheckpoint = (): void => {
      if (++checkpoints === 5) stop.abort(new Error('stopped'))
    }
    const stopped = LocalFlow.train(actions, { ...short, device: 'native', out, signal: stop.signal, onCheckpoint })
    await expect(stopped).rejects.toThrow('stopped')
    const resumed = await LocalFlow.train(actions, { ...short, device: 'native', out, resume: true })
    resumed.subFlows.forEach(({ parameters }, i) => {
      expect(parameters).toEqual(whole.subFlows[i].parameters)
    })
    await whole.dispose()
    await resumed.dispose()
  })

  test('takes actions in any unit, each channel from −1 to 1', async () => {
    // places in a world of 512, the second channel in a narrow part of it
    const raw = { values: actions.values.map((value, i) => 256 + (i % 2 ? 20 : 200) * value), shape: actions.shape }
    const range = { ...short, standardise: 'range', train: { ...short.train, steps: 1 }, device: 'native' } as const
    const flow = await LocalFlow.train(raw, range)
    const { mean, std } = flow.scaler!
    for (const d of [0, 1]) {
      const channel = raw.values.filter((_, i) => i % 2 === d)
      const [low, high] = [Math.min(...channel), Math.max(...channel)]
      for (let k = 0; k < steps; k++) {
        expect((low - mean[2 * k + d]) / std[2 * k + d]).toBeCloseTo(-1, 6)
        expect((high - mean[2 * k + d]) / std[2 * k + d]).toBeCloseTo(1, 6)
      }
    }
    const some = { values: raw.values.slice(0, 2 * steps * 2), shape: [2, steps, 2] }
    const told = { cond: cond.slice(0, 2) }
    const latents = await flow.encode(some, told)
    const back = await flow.decode(latents, told)
    expect(back.shape).toEqual([2, steps, 2])
    expect(Math.max(...back.values.map((value, i) => Math.abs(value - some.values[i])))).toBeLessThan(1)
    // what goes through the networks is of size one
    expect(Math.max(...latents.values.map(Math.abs))).toBeLessThan(20)
    await flow.save(join(work, 'range'))
    const loaded = await LocalFlow.load(join(work, 'range'), { device: 'native' })
    expect(loaded.scaler).toEqual(flow.scaler)
    expect((await loaded.decode(latents, told)).values).toEqual(back.values)
    await loaded.dispose()
    await flow.dispose()
    await expect(LocalFlow.train(raw, { ...range, standardise: { mean: [0, 0], std: [1, 1] } })).rejects.toThrow(
      /standardise must be .* of 16 numbers each/,
    )
  })

  test.each([
    [
      { ...actions, shape: [n, steps * 2] },
      {},
      /model\.kind unet1d is for sequences, rows \[steps, channels\].*\[16\]/,
    ],
    [actions, { multipliers: [1, 1, 1, 1, 1] }, /sequences are halved 4 times, but 8 steps are no multiple of 16/],
    [actions, { groups: 5 }, /model\.groups must divide.*16 channels for 5 groups/],
  ])('refuses %#', async (x, changes, message) => {
    const model = { ...settings.model, ...changes }
    const error = await LocalFlow.train(x, { ...short, model, device: 'native' }).catch((e) => e)
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toMatch(message)
  })
})
