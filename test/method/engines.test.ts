/**
 * Whole training on every engine: bit-identical for the same seed, and when a run goes on from a checkpoint; after a hundred
 * steps the engines agree. Also what is skipped and what stops a run.
 */

import { expect, test } from 'vitest'
import type { Device, DeviceKind } from '../../src/device/device.js'
import { openDevice } from '../../src/device/node/select.js'
import { TrainingError } from '../../src/errors.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { RecipeSettings, RecipeState } from '../../src/recipes/recipe.js'
import { describeOn } from '../devices.js'
import { chain, optimizer, trainChain } from '../training.js'

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [24, 31],
  activation: 'gelu',
  beta: 1,
  time: 'every',
  frequencies: [1.5],
}
const field = mlpNetwork(net)
const n = 500
const x = Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(0.37 * i * i) + (i % 2))

function settings(over: { lr?: number; steps?: number[]; clip?: number; seed?: number } = {}): RecipeSettings {
  const { lr = 2e-3, steps = [60, 40], clip = 0.5, seed = 12 } = over
  const rule = { ...optimizer, optimizer: 'adamw', lr, weightDecay: 0.01, ema: 0.9, clip, warmup: 5 } as const
  return chain([0.2, null], {
    steps,
    paths: ['linear', 'trig'],
    timesPerPair: 2,
    outputScale: true,
    fit: { batch: 96, seed, optimizer: { ...rule, schedule: { kind: 'cosine' } } },
    checkpointEvery: 17,
  })
}

async function train(device: Device, over = {}, start: RecipeState | null = null) {
  const checkpoints: RecipeState[] = []
  const losses: number[][] = [[], []]
  const { networks, skipped } = await trainChain(
    device,
    field,
    x,
    settings(over),
    {
      onCheckpoint: async (state) => {
        checkpoints.push(state)
      },
      onLosses: (subFlow, _, values) => losses[subFlow - 1].push(...values),
    },
    start,
  )
  return { parameters: networks.map((network) => network.parameters), checkpoints, losses, skipped }
}

const distance = (a: Float32Array, b: Float32Array): number => {
  const norm = Math.hypot(...b)
  return Math.hypot(...a.map((value, i) => value - b[i])) / norm
}

await describeOn(['reference', 'native', 'webgpu'], 'training', (device) => {
  test('the same seed is bit-identical, another seed is not', async () => {
    const [a, b, c] = [await train(device()), await train(device()), await train(device(), { seed: 13 })]
    expect(a.parameters).toEqual(b.parameters)
    expect(a.losses).toEqual(b.losses)
    expect(a.parameters[0]).not.toEqual(c.parameters[0])
  })

  test('going on from any checkpoint gives the bits of a run that was never cut', async () => {
    const whole = await train(device())
    const places = whole.checkpoints.map(({ fit, training }) => [fit, training?.step ?? null])
    expect(places).toEqual([
      [1, 17],
      [1, 34],
      [1, 51],
      [1, 60],
      [2, null],
      [2, 17],
      [2, 34],
      // what is left of the last one's training, for who trains on
      [3, 40],
    ])
    for (const checkpoint of whole.checkpoints) {
      const { parameters } = await train(device(), {}, checkpoint)
      expect(parameters).toEqual(whole.parameters)
    }
  })

  test('a loss that is not finite stops the run and keeps the last finite parameters', async () => {
    const checkpoints: RecipeState[] = []
    const run = trainChain(device(), field, x, settings({ lr: 1e36, clip: 0 }), {
      onCheckpoint: async (state) => {
        checkpoints.push(state)
      },
    })
    await expect(run).rejects.toThrow(TrainingError)
    await expect(run).rejects.toThrow(/step \d+ of sub-flow 1/)
    const { training } = checkpoints[checkpoints.length - 1]
    expect(training!.parameters.every(Number.isFinite)).toBe(true)
  })
})

await describeOn(['native', 'webgpu'], 'a hundred training steps', (device, kind: DeviceKind) => {
  test('end where the reference ends', async () => {
    const reference = await openDevice('reference')
    const [theirs, truth] = [await train(device()), await train(reference)]
    await reference.dispose()
    expect(distance(theirs.parameters[0], truth.parameters[0]), kind).toBeLessThan(2e-3)
    expect(distance(theirs.parameters[1], truth.parameters[1]), kind).toBeLessThan(2e-3)
    theirs.losses.forEach((losses, i) => {
      expect(distance(Float32Array.from(losses), Float32Array.from(truth.losses[i])), kind).toBeLessThan(2e-3)
    })
  })
})
