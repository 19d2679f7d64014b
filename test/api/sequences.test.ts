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
  train: { batch: 64, steps: 120, lr: 0.003 },
  ode: { solver: 'midpoint', steps: 4 },
  seed: 5,
} satisfies TrainArguments
const short = { ...settings, train: { ...settings.train, steps: 16, checkpointEvery: 5 }, cond }

await describeOn(['native', 'webgpu'], 'a flow of sequences', (_, kind) => {
  test('learns where they go as it is told, and which way else by itself', async () => {
    const flow = await LocalFlow.train(actions, { ...settings, cond, device: kind })
    for (const c of [-1, 1]) {
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
      expect(score).toBeGreaterThan(others[i])
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
