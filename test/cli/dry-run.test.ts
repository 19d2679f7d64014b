/** `lfm train --dry-run`: the known sizes of the paper's networks without their data, and what does not fit. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import { bytesText, checkMemory } from '../../src/learn/estimate.js'
import { networkFor } from '../../src/networks/registry.js'
import { estimateRun } from '../../src/run/training.js'
import { lfm } from './lfm.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-dry-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

const cifar10 = `
data: { kind: cifar10, path: cifar-10-batches-bin }
model: { kind: unet, width: 128, multipliers: [1, 2, 2, 2], depth: 2, attention: [16], headChannels: 32, dropout: 0.1 }
flow: { gammas: [0.1, 0.15, 0.225, null] }
train: { batch: 8, steps: 50000, ema: 0.9999 }
device: reference
`

describe('lfm train --dry-run', { timeout: 60_000 }, () => {
  test('plans without the data, and writes nothing', async () => {
    writeFileSync(join(work, 'cifar10.yaml'), cifar10)
    const { code, stdout } = await lfm(['train', 'cifar10.yaml', '--dry-run'], { cwd: work })
    expect(code).toBe(0)
    expect(stdout).toContain('35 746 307 in each of 4 sub-flows')
    expect(stdout).toContain('forward pass of a row: 12.4 GFLOP')
    expect(stdout).toMatch(/training step of 8 rows: 300 GFLOP/)
    expect(stdout).toMatch(/peak memory of training: [\d.]+ GiB \(activations .*the data not counted\)/)
    expect(readdirSync(work)).toEqual(['cifar10.yaml'])
  })

  test('plans with the data, for any model', async () => {
    const toy =
      'data: { kind: toy, name: moons, train: 1000, test: 0 }\nmodel: { hidden: [16] }\ntrain: { batch: 100 }\n'
    writeFileSync(join(work, 'toy.yaml'), `${toy}device: reference\n`)
    const { stdout } = await lfm(['train', 'toy.yaml', '--dry-run', '--json'], { cwd: work })
    const estimate = JSON.parse(stdout.trim().split('\n').at(-1)!)
    expect(estimate).toMatchObject({ parameters: 2 * 16 + 2 * 16 + 2 * 16 + 2, rows: 1000, rowShape: [2], batch: 100 })
    expect(estimate.memory.pool).toBe(4 * 2000)
  })

  test.each([
    ['model.multipliers=[1,2,2,2,2,2,2]', /model\.multipliers has 7 levels.*32 × 32.*multiple of 64/s],
    ['model.width=48', /model\.groups must divide.*model\.width 48/s],
    ['train.microBatches=3', /train\.microBatches must divide train\.batch/],
    ['train.batch=100000000', /train\.batch 100000000 needs .* this machine has .*train\.recompute: true/s],
  ])('%s is refused by its key', async (setting, message) => {
    const { code, stderr } = await lfm(['train', 'cifar10.yaml', '--dry-run', '--set', setting], { cwd: work })
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
  })
})

describe('the estimate of a training', () => {
  const estimate = (train: object) => {
    const options = resolveOptions({
      model: { kind: 'unet', attention: [8] },
      train: { batch: 32, steps: 10, ...train },
    })
    const field = networkFor(options.model, [1, 16, 16])
    const rows = { count: 1000, pixels: true }
    return { options, ...estimateRun(field, options, rows, null) }
  }

  test('counts bytes, and falls with recomputation and micro-batches', () => {
    const whole = estimate({})
    expect(whole.memory.pool).toBe(1000 * 256)
    const P = networkFor(whole.options.model, [1, 16, 16]).parameterLength
    expect(whole.memory.optimizer - 4 * 4 * P).toBeGreaterThan(0)
    expect(whole.memory.optimizer - 4 * 4 * P).toBeLessThan(4 * 5000)
    const again = estimate({ recompute: true })
    expect(again.memory.activations).toBeLessThan(0.8 * whole.memory.activations)
    const parts = estimate({ microBatches: 4 })
    expect(parts.memory.activations).toBeLessThan(0.35 * whole.memory.activations)
    expect(parts.memory.optimizer - whole.memory.optimizer).toBe(4 * P)
  })

  test('counts right ends where the longest fit reads them', () => {
    const poolOf = (flow: object) => {
      const options = resolveOptions({ model: { hidden: [8] }, train: { batch: 32, steps: 10 }, flow })
      return estimateRun(networkFor(options.model, [6]), options, { count: 1000, pixels: false }, null).memory.pool
    }
    expect(poolOf({ recipe: 'plain' })).toBe(4 * 6 * 1000)
    expect(poolOf({ recipe: 'plain', coupling: 'optimal' })).toBe(2 * 4 * 6 * 1000)
  })

  test('counts the rows that are validated on, and what a measurement computes, unless none is made', () => {
    const memoryOf = (train: object, unseen: number) => {
      const options = resolveOptions({ model: { hidden: [64] }, train: { batch: 32, steps: 10, ...train } })
      const rows = { count: 1000, pixels: false }
      return estimateRun(networkFor(options.model, [6]), options, rows, null, unseen).memory
    }
    const without = memoryOf({}, 0)
    expect(without.validation).toBe(0)
    expect(memoryOf({ validateEvery: 'off' }, 200)).toEqual(without)
    const few = memoryOf({}, 200)
    expect(few.validation).toBeGreaterThan(4 * 6 * 200)
    expect(few.peak).toBe(without.peak + few.validation)
    expect(memoryOf({}, 500).validation - few.validation).toBeGreaterThanOrEqual(4 * 6 * 300)
  })

  test('is held against the device', () => {
    const { options, ...whole } = estimate({})
    const cpu = { type: 'cpu', name: 'here', details: {} } as const
    expect(() => checkMemory(whole, options, cpu, whole.memory.peak)).not.toThrow()
    expect(() => checkMemory(whole, options, cpu, whole.memory.peak - 1)).toThrow(
      new RegExp(`train.batch 32 needs ${bytesText(whole.memory.peak)}.*train.microBatches: 2`, 's'),
    )
    const gpu = { type: 'hardware', name: 'card', details: { maxBufferSize: whole.memory.largest } } as const
    expect(() => checkMemory(whole, options, gpu, 0)).not.toThrow()
    const small = { ...gpu, details: { maxBufferSize: whole.memory.largest - 1 } }
    expect(() => checkMemory(whole, options, small, 0)).toThrow(/needs a buffer of .*'card' allows .*maxBufferSize/s)
  })
})
