/** Minibatch optimal transport: pairs in blocks, renewed while training goes on, to the same bits wherever it is resumed. */

import { afterAll, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import { openDevice } from '../../src/device/node/select.js'
import { networkFor } from '../../src/networks/registry.js'
import { RandomStream, streams } from '../../src/random/stream.js'
import { optimalPairs } from '../../src/recipes/optimal-pairs.js'
import type { RecipeState } from '../../src/recipes/recipe.js'
import { chain, trainChain } from '../training.js'

const device = await openDevice('reference')
afterAll(() => device.dispose())

const normals = (count: number): Float32Array => {
  const random = new RandomStream(3, streams.sample)
  return Float32Array.from({ length: count }, (_, i) => random.row(i).normal())
}
const ranks = (values: ArrayLike<number>): number[] => {
  const order = Array.from(values, (value, i) => [value, i]).sort((a, b) => a[0] - b[0])
  const rank = new Array<number>(values.length)
  order.forEach(([, i], k) => {
    rank[i] = k
  })
  return rank
}
const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length

test('in one block on a line, noise is given out in the order of the rows', async () => {
  const left = normals(200)
  const right = await optimalPairs(left, 1, { block: 256, seed: 1, stretch: 0 })
  expect(ranks(right)).toEqual(ranks(left))
})

test('every block has noise of its own that is standard normal, and its rows are nearer to it than to that of others', async () => {
  const [n, D] = [2000, 2]
  const left = normals(n * D)
  const right = await optimalPairs(left, D, { block: 100, seed: 1, stretch: 0 })
  const values = [...right].sort((a, b) => a - b)
  expect(values[Math.floor(0.975 * values.length)]).toBeCloseTo(1.96, 0)
  expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeCloseTo(1, 1)
  expect(new Set(values).size).toBeGreaterThan(0.99 * n * D)
  // independent rows are 2 a dimension apart
  expect(apart(left, right)).toBeLessThan(0.3)
  expect(apart(left, await optimalPairs(left, D, { block: 10, seed: 1, stretch: 0 }))).toBeGreaterThan(
    1.5 * apart(left, right),
  )
})

test('pairs depend on seed and stretch alone, and pixels are taken in the scale of the model', async () => {
  const left = normals(120)
  const of = (seed: number, stretch: number) => optimalPairs(left, 2, { block: 32, seed, stretch })
  const first = await of(1, 0)
  expect(await of(1, 0)).toEqual(first)
  expect(await of(1, 1)).not.toEqual(first)
  expect(await of(2, 0)).not.toEqual(first)
  const pixels = Uint8Array.from({ length: 120 }, (_, i) => (37 * i) % 256)
  const scaled = Float32Array.from(pixels, (value) => (value - 127.5) / 127.5)
  const settings = { block: 32, seed: 1, stretch: 0 }
  expect(await optimalPairs(pixels, 2, settings)).toEqual(await optimalPairs(scaled, 2, settings))
})

const network = networkFor(resolveOptions({ model: { hidden: [16], activation: 'silu' } }).model, [1])
const settings = chain([0.3, null], {
  steps: [4, 11],
  coupling: 'optimal',
  assignment: { block: 32, every: 3 },
  checkpointEvery: 4,
  fit: { ...chain([null], { steps: [1] }).fit, batch: 40 },
})
const data = normals(160)

test('a chain whose free sub-flow has such pairs goes on from every checkpoint to the same bits', async () => {
  const states: RecipeState[] = []
  const whole = await trainChain(device, network, data, settings, {
    onCheckpoint: async (state) => void states.push(state),
  })
  // the free sub-flow is saved after 4 and 8 steps, between renewals after 3, 6 and 9; at the end its optimizer is kept
  expect(states.map(({ fit, training }) => [fit, training?.step ?? null])).toEqual([
    [1, 4],
    [2, null],
    [2, 4],
    [2, 8],
    [3, 11],
  ])
  for (const state of states.slice(0, -1)) {
    const resumed = await trainChain(device, network, data, settings, {}, state)
    expect(resumed.networks[1].parameters).toEqual(whole.networks[1].parameters)
  }
  const seldom = await trainChain(device, network, data, { ...settings, assignment: { block: 32, every: 100 } })
  expect(seldom.networks[0].parameters).toEqual(whole.networks[0].parameters)
  expect(seldom.networks[1].parameters).not.toEqual(whole.networks[1].parameters)
})

test('nearly all of the loss of independent pairs is gone: on a line the paths do not cross', async () => {
  const last = async (coupling: 'optimal' | 'dependent'): Promise<number> => {
    const losses: number[] = []
    const plain = {
      ...settings,
      gammas: [null],
      paths: ['linear' as const],
      steps: [150],
      coupling,
      checkpointEvery: 0,
    }
    await trainChain(
      device,
      network,
      data,
      { ...plain, assignment: { block: 160, every: 25 } },
      {
        onLosses: (_, first, values) => losses.splice(first, values.length, ...values),
      },
    )
    return losses.slice(100).reduce((sum, value) => sum + value, 0) / 50
  }
  // π/2 is the least loss with independent noise
  expect(await last('dependent')).toBeGreaterThan(1.2)
  expect(await last('optimal')).toBeLessThan(0.4)
})

test('drawn left ends have no noise to be assigned to, and are refused', () => {
  expect(() => resolveOptions({ flow: { push: 'simulated', coupling: 'optimal' } })).toThrow(
    'flow.push: simulated goes with flow.coupling: dependent, not with optimal',
  )
})
