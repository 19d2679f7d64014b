/** The program interface: what LocalFlow promises on every device, with models too small to be good. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckpointError, DataError, LocalFlow, type TrainArguments } from '../../src/index.js'
import { built, engine, startProcess } from '../cli/lfm.js'
import { describeOn } from '../devices.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-api-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Two bent clouds, [n, 2]. */
function clouds(n: number) {
  const values = Float32Array.from({ length: 2 * n }, (_, k) => {
    const i = k >> 1
    const [angle, radius] = [2.4 * i, 0.1 * Math.sqrt(i % 17)]
    const side = i % 2 ? 1.2 : -1.2
    return k % 2 ? radius * Math.sin(angle) + 0.3 * side * side : side + radius * Math.cos(angle)
  })
  return { values, shape: [n, 2] }
}
const x = clouds(400)
const settings = {
  model: { hidden: [16], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { batch: 64, steps: 60, lr: 0.02 },
  ode: { steps: 4 },
  // latent and data units are the same
  standardise: false,
  seed: 5,
} satisfies TrainArguments
type Values = Float32Array | Float64Array
const largest = (a: Values, b: Values): number =>
  Float64Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)
/** Root mean square of the difference. */
const apart = (a: Values, b: Values): number =>
  Math.sqrt(Float64Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length)
const mean = (values: Values): number =>
  Float64Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
/** The rejection of a promise that must be rejected. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => {
      throw new Error('it was not rejected')
    },
    (reason) => reason,
  )

await describeOn(['webgpu', 'native', 'reference'], 'a trained flow', (_, kind) => {
  let flow: LocalFlow
  beforeAll(async () => {
    flow = await LocalFlow.train(x, { ...settings, device: kind })
  })
  afterAll(() => flow.dispose())

  it('runs on the device that was asked for, and has the parameters of any other', async () => {
    expect(flow.deviceInfo?.kind).toBe(kind)
    const twin = await LocalFlow.train(x, { ...settings, device: 'reference' })
    twin.subFlows.forEach(({ parameters }, n) => {
      expect(largest(parameters, flow.subFlows[n].parameters)).toBeLessThan(2e-3)
    })
    await twin.dispose()
  })

  it('samples by the seed: a sample depends on its number, not on how many are asked for', async () => {
    const few = await flow.sample(7, { seed: 9 })
    const many = await flow.sample(300, { seed: 9 })
    expect(few.shape).toEqual([7, 2])
    expect(many.values.subarray(0, 14)).toEqual(few.values)
    expect((await flow.sample(7, { seed: 10 })).values).not.toEqual(few.values)
    expect(await flow.sample(7)).toEqual(await flow.sample(7, { seed: settings.seed }))
    // noise that nothing has moved would stay near 0 and have as many rows on either side
    expect(mean(many.values.filter((_, k) => k % 2 === 1))).toBeGreaterThan(0.2)
  })

  it('serves calls at the same time as it serves one after another', async () => {
    const folder = join(work, `together-${kind}`)
    await flow.save(folder)
    const loaded = await LocalFlow.load(folder, { device: kind })
    const [a, b] = await Promise.all([loaded.sample(50, { seed: 1 }), loaded.sample(50, { seed: 2 })])
    expect(a).toEqual(await flow.sample(50, { seed: 1 }))
    expect(b).toEqual(await flow.sample(50, { seed: 2 }))
    await loaded.dispose()
  })

  it('is the same flow on another device once it was saved', async () => {
    const folder = join(work, `saved-${kind}`)
    await flow.save(folder)
    const other = await LocalFlow.load(folder, { device: kind === 'reference' ? engine : 'reference' })
    const [here, there] = [await flow.sample(200, { seed: 3 }), await other.sample(200, { seed: 3 })]
    expect(largest(here.values, there.values)).toBeLessThan(1e-4)
    expect(largest(await flow.logProb(x), await other.logProb(x))).toBeLessThan(1e-3)
    await other.dispose()
    await expect(flow.save(folder)).rejects.toBeInstanceOf(CheckpointError)
    await flow.save(folder, { force: true })
  })

  it('samples with as many evaluations as it is told, by either clock, and carries along a trajectory so', async () => {
    const fine = await flow.sample(300, { seed: 4, solver: { solver: 'rk4', steps: 16 } })
    expect(flow.evaluations).toEqual({ mean: 128, max: 128 })
    for (const clock of ['local', 'angle'] as const) {
      const { values } = await flow.sample(300, { seed: 4, evaluations: 41, clock })
      expect(flow.evaluations).toEqual({ mean: 40, max: 40 })
      expect(apart(values, fine.values)).toBeLessThan(0.01)
      await flow.sample(300, { seed: 4, evaluations: 41, solver: 'ab2', clock })
      expect(flow.evaluations).toEqual({ mean: 41, max: 41 })
      const { values: few } = await flow.sample(300, { seed: 4, solver: 'heun', steps: [1, 3], clock })
      expect(flow.evaluations).toEqual({ mean: 8, max: 8 })
      expect(apart(few, values)).toBeGreaterThan(1e-4)
    }
    const { states } = await flow.trajectory(await flow.encode(fine), { times: [2, 1.4, 0.5, 0], clock: 'angle' })
    expect(apart(states[3].values, fine.values)).toBeLessThan(0.02)
  })

  it('decodes what it encoded', async () => {
    const solver = { steps: 32 }
    const z = await flow.encode(x, { solver })
    expect(largest(z.values, x.values)).toBeGreaterThan(0.5)
    const back = await flow.decode(z, { solver })
    expect(back.shape).toEqual([400, 2])
    expect(largest(back.values, x.values)).toBeLessThan(1e-3)
    expect(flow.evaluations).toEqual({ mean: 2 * 4 * 32, max: 2 * 4 * 32 })
  })

  it('carries along a trajectory to the times that are asked for, in the order of travel', async () => {
    const whole = await flow.trajectory(x, { direction: 'encode' })
    expect(whole.times).toEqual([0, 1, 2])
    expect(whole.states.map(({ shape }) => shape)).toEqual([
      [400, 2],
      [400, 2],
      [400, 2],
    ])
    expect(whole.states[0].values).toEqual(x.values)
    expect(largest(whole.states[2].values, (await flow.encode(x)).values)).toBeLessThan(1e-5)
    const z = whole.states[2]
    const back = await flow.trajectory(z, { times: [0.5, 2, 1, 0] })
    expect(back.times).toEqual([2, 1, 0.5, 0])
    expect(back.states[0].values).toEqual(z.values)
    expect(largest(back.states[3].values, (await flow.decode(z)).values)).toBeLessThan(1e-3)
    await expect(flow.trajectory(z, { times: [2.5] })).rejects.toThrow(
      'times must be numbers from 0 (data) to 2 (noise), but is 2.5.',
    )
  })

  it("scores with the exact trace, and nearly so with Hutchinson's", async () => {
    const exact = await flow.logProb(x)
    expect(exact).toHaveLength(400)
    const estimate = await flow.logProb(x, { trace: 'hutchinson', probes: 64 })
    expect(estimate).not.toEqual(exact)
    expect(Math.abs(mean(estimate) - mean(exact))).toBeLessThan(0.05)
    const again = await flow.logProb(x, { trace: 'hutchinson', probes: 64, seed: settings.seed })
    expect(again).toEqual(estimate)
    expect(await flow.logProb(x, { trace: 'hutchinson', probes: 64, seed: 6 })).not.toEqual(estimate)
    // a row's score does not depend on its neighbours
    const one = await flow.logProb({ values: x.values.slice(20, 22), shape: [1, 2] })
    expect(one[0]).toBe(exact[10])
  })

  it('rejects an aborted call with the reason of the signal', async () => {
    const aborted = AbortSignal.abort()
    for (const call of [
      () => LocalFlow.train(x, { ...settings, device: kind, signal: aborted }),
      () => flow.sample(5, { signal: aborted }),
      () => flow.logProb(x, { signal: aborted }),
      () => flow.encode(x, { signal: aborted }),
    ]) {
      const reason = await rejection(call())
      expect(reason).toBe(aborted.reason)
      expect(reason).toBeInstanceOf(DOMException)
      expect(reason).toMatchObject({ name: 'AbortError' })
    }
  })

  it('stops training and sampling in the midst of the work', async () => {
    const mine = new Error('enough')
    const training = new AbortController()
    let last = 0
    const reason = await rejection(
      LocalFlow.train(x, {
        ...settings,
        train: { ...settings.train, steps: 1_000_000 },
        device: kind,
        signal: training.signal,
        onProgress: (progress) => {
          if (progress.phase === 'train') last = progress.step
          training.abort(mine)
        },
      }),
    )
    expect(reason).toBe(mine)
    expect(last).toBeLessThan(1_000_000)
    const sampling = new AbortController()
    const done: number[] = []
    const n = 3 * 16_384
    const stopped = await rejection(
      flow.sample(n, {
        solver: { solver: 'euler', steps: 1 },
        signal: sampling.signal,
        onProgress: (rows) => {
          done.push(rows)
          sampling.abort()
        },
      }),
    )
    expect(stopped).toBe(sampling.signal.reason)
    expect(done).toHaveLength(1)
    expect(done[0]).toBeLessThan(n / 2)
    // and works on after that
    expect((await flow.sample(3)).shape).toEqual([3, 2])
  })
})

await describeOn(['native'], 'the event loop', (_, kind) => {
  it('stays free while rows are carried', async () => {
    const flow = await LocalFlow.train(x, { ...settings, device: kind })
    // one block, one replay: the turns grow with the work, unless the device computes on this thread, which leaves a few for all of it
    const turnsOf = async (steps: number): Promise<number> => {
      let turns = 0
      const turn = (): void => {
        turns++
        next = setImmediate(turn)
      }
      let next = setImmediate(turn)
      await flow.sample(256, { solver: { solver: 'rk4', steps } })
      clearImmediate(next)
      return turns
    }
    let turns = 0
    for (let steps = 1000; turns <= 200 && steps <= 64_000; steps *= 2) turns = await turnsOf(steps)
    expect(turns).toBeGreaterThan(200)
    await flow.dispose()
  })
})

describe('a process', () => {
  it(`that trains on ${engine} and disposes of nothing ends by itself`, async () => {
    const script = fileURLToPath(new URL('no-dispose.mjs', import.meta.url))
    const { ended } = startProcess([process.execPath, script, built(), engine], { cwd: work })
    expect(await ended).toEqual({ code: 0, signal: null, stdout: '3,2\n', stderr: '' })
  })
})

describe('a call with something wrong', () => {
  let flow: LocalFlow
  beforeAll(async () => {
    const short = { ...settings.train, steps: 2 }
    flow = await LocalFlow.train(x, { ...settings, train: short, device: engine })
  })
  afterAll(() => flow.dispose())

  it('says what is wrong with the rows', async () => {
    const three = { values: new Float32Array(6), shape: [2, 3] }
    await expect(flow.logProb(three)).rejects.toThrow('x must have the shape [n, 2] that the model was trained on')
    await expect(flow.decode(three)).rejects.toThrow('z must have the shape [n, 2]')
    const bad = { values: Float32Array.of(1, Number.NaN), shape: [1, 2] }
    await expect(flow.logProb(bad)).rejects.toThrow('x holds NaN in row 0, column 1')
    await expect(LocalFlow.train(bad)).rejects.toBeInstanceOf(DataError)
    await expect(LocalFlow.train({ values: new Float32Array(0), shape: [0, 2] })).rejects.toThrow('x has zero rows')
    await expect(LocalFlow.train({ values: Int8Array.of(1, 2), shape: [1, 2] } as never)).rejects.toThrow(
      'x.values must be a Float32Array, a Float64Array or a Uint8Array, but is Int8Array.',
    )
  })

  it('says what is wrong with an option', async () => {
    const training = (options: object) => LocalFlow.train(x, { ...settings, device: engine, ...options })
    await expect(training({ train: { batch: 401 } })).rejects.toThrow('only 400 training rows')
    await expect(training({ modle: {} })).rejects.toThrow('did you mean model?')
    await expect(training({ device: 'gpu' })).rejects.toThrow("but is 'gpu'")
    await expect(flow.sample(0)).rejects.toThrow('n must be a whole number of samples, at least 1, but is 0.')
    await expect(flow.sample(1.5)).rejects.toThrow('but is 1.5.')
    await expect(flow.sample(1, { seed: -1 })).rejects.toThrow('seed must be')
    await expect(flow.sample(1, { solver: 'rk5' as never })).rejects.toThrow('rk5')
    await expect(flow.sample(1, { solver: { solver: 'dopri5', rtol: 0 } })).rejects.toThrow(/rtol.*0/)
    await expect(flow.sample(1, { evaluations: 3, solver: 'heun' })).rejects.toThrow(
      /at least 4, .*2 sub-flows, but is 3/,
    )
    await expect(flow.sample(1, { clock: 'sun' as never })).rejects.toThrow(/local, angle, but is 'sun'/)
    await expect(flow.sample(1, { steps: [1, 2, 3] })).rejects.toThrow(/each of the 2 sub-flows/)
    await expect(flow.logProb(x, { trace: 'guess' as never })).rejects.toThrow("but is 'guess'.")
    await expect(LocalFlow.load(join(work, 'nowhere'))).rejects.toThrow('holds no run')
  })
})
