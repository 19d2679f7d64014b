/**
 * The method on pictures: pixels are learnt as their values in [−1, 1], mirroring happens in the first sub-flow alone, and what
 * is pushed keeps the orientation that it was pushed with.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { pixelValue } from '../../src/kernels/pool.js'
import { disposePool, uploadPool } from '../../src/learn/pool.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { pushForward } from '../../src/recipes/push-forward.js'
import type { RecipeState } from '../../src/recipes/recipe.js'
import { LocalFlow, type TrainArguments } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'
import { type ChainHooks, chain, optimizer, trainChain } from '../training.js'

/** Pictures of 3 rows of 5 pixels, so that a row of values is no multiple of a word. */
const [n, H, W] = [200, 3, 5]
const D = H * W
const bytes = Uint8Array.from({ length: n * D }, (_, i) => (i * i * 37) % 256)
const values = Float32Array.from(bytes, pixelValue)
const mirrored = values.map((_, i) => values[i - (i % W) + (W - 1 - (i % W))])

const net: MlpSpec = {
  kind: 'mlp',
  dimension: D,
  condition: 0,
  hidden: [16],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
}
const field = mlpNetwork(net)
const solver = { solver: 'euler', steps: 1, rtol: 1, atol: 1 } as const

async function train(
  device: Device,
  x: Float32Array | Uint8Array,
  mirror: number,
  start: RecipeState | null = null,
  hooks: ChainHooks = {},
) {
  const states: RecipeState[] = []
  const { networks } = await trainChain(
    device,
    field,
    x,
    chain([0.3, null], {
      steps: [12, 12],
      fit: { batch: 50, seed: 3, optimizer: { ...optimizer, clip: 0 } },
      outputScale: true,
      mirror,
      pushSolver: solver,
      checkpointEvery: 8,
    }),
    {
      onCheckpoint: async (state) => {
        states.push(state)
      },
      ...hooks,
    },
    start,
  )
  return { parameters: networks.map(({ parameters }) => parameters), states }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - b[i])) / Math.hypot(...b)

await describeOn(['reference', 'native', 'webgpu'], 'pictures', (device) => {
  test('bytes are learnt as the floats that they stand for', async () => {
    const [fromBytes, fromFloats] = [await train(device(), bytes, 0), await train(device(), values, 0)]
    // the data themselves are no part of a checkpoint
    expect(fromBytes.states[0].pool).toBeNull()
    fromBytes.parameters.forEach((parameters, i) => {
      expect(distance(parameters, fromFloats.parameters[i])).toBeLessThan(1e-4)
    })
  })

  test('mirrored ones are learnt otherwise, and an interrupted run ends bit-identical', async () => {
    const whole = await train(device(), bytes, W)
    expect(distance(whole.parameters[0], (await train(device(), bytes, 0)).parameters[0])).toBeGreaterThan(1e-3)
    for (const state of whole.states) {
      expect((await train(device(), bytes, W, state)).parameters).toEqual(whole.parameters)
    }
  })

  test.each(['bytes', 'floats'])('each picture, given as %s, is pushed in one of its orientations', async (kind) => {
    const pool = uploadPool(device(), { left: kind === 'bytes' ? bytes : values }, D, W)
    // a network of zeros moves nothing
    const parameters = device().createBuffer(field.parameterLength)
    const options = { solver, seed: 5, stream: 1 }
    try {
      const { pool: pushed } = await pushForward(device(), { field, parameters, outputScale: 1 }, pool, options)
      expect(pushed.reading).toEqual({ values: 'floats', mirror: 0 })
      const got = (await pushed.left.read()) as Float32Array
      pushed.left.dispose()
      let turned = 0
      for (let i = 0; i < n; i++) {
        const row = got.subarray(i * D, (i + 1) * D)
        const [own, other] = [values, mirrored].map((all) => distance(row, all.subarray(i * D, (i + 1) * D)))
        expect(Math.min(own, other)).toBeLessThan(1e-6)
        if (other < own) turned++
      }
      // of 200 fair coins; four standard deviations
      expect(Math.abs(turned - n / 2)).toBeLessThan(29)
    } finally {
      parameters.dispose()
      disposePool(pool)
    }
  })
})

await describeOn(['reference'], 'a push', (device) => {
  test('that is cut off is repeated, bit-identically', async () => {
    // more rows than one block of the push has
    const many = Uint8Array.from({ length: 17_000 * D }, (_, i) => (i * i * 37) % 256)
    const whole = await train(device(), many, W)
    const cut = new AbortController()
    const states: RecipeState[] = []
    const stopped = train(device(), many, W, null, {
      signal: cut.signal,
      onProgress: ({ phase }) => phase === 'push' && cut.abort(new Error('cut')),
      onCheckpoint: async (state) => {
        states.push(state)
      },
    })
    await expect(stopped).rejects.toThrow('cut')
    const last = states.at(-1)!
    // the sub-flow is trained, its push is not there
    expect([last.fit, last.training?.step, last.finished.length]).toEqual([1, 12, 0])
    expect((await train(device(), many, W, last)).parameters).toEqual(whole.parameters)
  })
})

test('LocalFlow takes bytes [n, C, H, W] and answers in that shape and in [−1, 1]', async () => {
  const x = { values: bytes, shape: [n, 1, H, W] }
  const options: TrainArguments = {
    device: 'reference',
    flow: { gammas: [null] },
    model: { hidden: [4] },
    train: { batch: 20, steps: 2 },
    ode: { steps: 1 },
  }
  const flow = await LocalFlow.train(x, { ...options, flips: true })
  expect((await flow.sample(3)).shape).toEqual([3, 1, H, W])
  const few = { values: bytes.subarray(0, 2 * D), shape: [2, 1, H, W] }
  const same = { values: values.subarray(0, 2 * D), shape: [2, 1, H, W] }
  expect(await flow.logProb(few)).toEqual(await flow.logProb(same))
  await flow.dispose()
  await expect(
    LocalFlow.train(
      { values: Float32Array.from({ length: 40 }, (_, i) => Math.sqrt(i)), shape: [20, 2] },
      { ...options, flips: true },
    ),
  ).rejects.toThrow('flips must be false, or the data pictures')
})
