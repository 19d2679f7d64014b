/**
 * Training asks a device for two runs of steps at a time: losses are reported while later steps are already asked for, a
 * checkpoint is at its exact step, an abort loses no step that was done, and how the steps are cut into runs changes no bit.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { freshState, type TrainingState } from '../../src/learn/fit.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { describeOn } from '../devices.js'
import { optimizer, poolOf, type SubFlow, subFlow, type TrainingHooks, trainSubFlow } from '../training.js'

const field = mlpNetwork({
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [8],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})
const rows = 64
const pool = Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(0.37 * i * i))

const settings = (steps: number): SubFlow => subFlow({ steps, batch: 16, optimizer: { ...optimizer, lr: 1e-3 } })

/** A device that tells how many replays were asked of its programs. */
function counting(device: Device): { device: Device; asked: () => number } {
  let asked = 0
  const compile: Device['compile'] = async (program) => {
    const executable = await device.compile(program)
    return {
      launches: executable.launches,
      variants: executable.variants,
      run: (times = 1, options) => {
        asked += times
        return executable.run(times, options)
      },
      dispose: () => executable.dispose(),
    }
  }
  const counted = new Proxy(device, {
    get: (on, name) => {
      if (name === 'compile') return compile
      const value = Reflect.get(on, name)
      return typeof value === 'function' ? value.bind(on) : value
    },
  })
  return { device: counted, asked: () => asked }
}

async function train(device: Device, steps: number, hooks: TrainingHooks): Promise<TrainingState> {
  const buffer = device.createBuffer(pool.length)
  buffer.write(pool)
  try {
    const asked = settings(steps)
    const start = freshState(field.initialise(5, 1), asked.optimizer)
    return (await trainSubFlow(device, field, poolOf(buffer, rows), start, asked, hooks)).state
  } finally {
    buffer.dispose()
  }
}

await describeOn(['reference', 'native'], 'runs of steps', (device) => {
  test('losses come while later steps are asked for, checkpoints when none are', async () => {
    const { device: counted, asked } = counting(device())
    const steps = 150
    const seen: number[] = []
    const ahead: boolean[] = []
    const saved: [step: number, asked: number][] = []
    await train(counted, steps, {
      checkpointEvery: 60,
      onLosses: (first, losses) => {
        for (const k of losses.keys()) seen.push(first + k)
        const done = first + losses.length
        ahead.push(asked() > done || done % 60 === 0 || done === steps)
      },
      onCheckpoint: async ({ step }) => {
        saved.push([step, asked()])
      },
    })
    expect(seen).toEqual(Array.from({ length: steps }, (_, k) => k))
    // the first run of each stretch between checkpoints is short, so that there are others to be ahead of it
    expect(ahead.length).toBeGreaterThan(6)
    expect(ahead).not.toContain(false)
    expect(saved).toEqual([
      [60, 60],
      [120, 120],
    ])
  })

  test('an abort reports every step that was done, and saves after the last', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let reported = 0
    const saved: number[] = []
    const run = train(device(), 100_000, {
      signal: controller.signal,
      checkpointEvery: 0,
      onLosses: (first, losses) => {
        expect(first).toBe(reported)
        reported += losses.length
        if (reported > 30) controller.abort(reason)
      },
      onCheckpoint: async ({ step }) => {
        saved.push(step)
      },
    })
    await expect(run).rejects.toBe(reason)
    expect(saved).toEqual([reported])
  })
})

await describeOn(['native'], 'many steps', (device) => {
  test('have the same losses and the same end however they are cut into runs', async () => {
    const steps = 5000 // more than the ring of losses holds
    const outcome = async (checkpointEvery: number): Promise<[TrainingState, number[]]> => {
      const all: number[] = []
      const state = await train(device(), steps, { checkpointEvery, onLosses: (_, losses) => all.push(...losses) })
      return [state, all]
    }
    const [whole, losses] = await outcome(0)
    expect(losses.length).toBe(steps)
    expect(await outcome(777)).toEqual([whole, losses])
  })
})
