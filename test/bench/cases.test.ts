import { describe, expect, it } from 'vitest'
import { cases, flopsOf, selectCases } from '../../bench/cases.js'
import { kernelCost, kernelWorks } from '../../bench/kernel-works.js'
import { openOurs } from '../../bench/ours.js'
import { pictureWorks } from '../../bench/picture-works.js'
import { shapes } from '../../bench/shapes.js'
import { openReference } from '../../src/device/reference/device.js'
import { kernels } from '../../src/kernels/registry.js'

const works = { ...kernelWorks, ...pictureWorks }

describe('bench: cases', () => {
  it('have a row for every kernel of the registry', () => {
    const measured = new Set(Object.values(works).map((work) => work.kernel))
    expect([...kernels.keys()].filter((name) => !measured.has(name))).toEqual([])
  })

  it('fit their contracts', () => {
    for (const { kernel, operands, attributes } of Object.values(works)) {
      expect(() => kernels.get(kernel)!.check(operands, attributes), kernel).not.toThrow()
      expect(kernelCost({ kind: 'kernel', kernel, operands, attributes, values: {} }).bytes).toBeGreaterThan(0)
    }
  })

  it('have names of their own', () => {
    expect(new Set(cases.map((c) => c.name)).size).toBe(cases.length)
  })

  it('count the products of a step: three for a layer, none for the gradient of the input', () => {
    const rose = shapes.find((shape) => shape.name === 'rose')!
    const products = 2 * 256 + 2 * 256 * 256 + 256 * 2
    const step = flopsOf({ kind: 'step', net: rose, rows: 10_000 })
    expect(step).toBe(10_000 * (6 * products - 2 * 2 * 256))
    // the figure of the design, which counts the time column as well
    expect(step).toBeGreaterThan(0.99 * 7.92e9)
    expect(flopsOf({ kind: 'rk4', net: rose, rows: 10_000 })).toBe(8 * 10_000 * products)
    expect(flopsOf({ kind: 'trace', net: rose, rows: 100 })).toBe(8 * 100 * products * 3)
  })
})

describe('bench: filters', () => {
  const names = (...filters: string[]): string[] => selectCases(filters).map((c) => c.name)

  it('name whole parts of a case: rose is not rose-1k', () => {
    expect(names('step/rose')).toEqual(['step/rose'])
    expect(names('rose')).toContain('rk4/rose')
    expect(names('rose').some((name) => name.includes('rose-1k'))).toBe(false)
    expect(names('mat_mul')).toHaveLength(3)
  })

  it('add up, and none takes all', () => {
    expect(names('step/rose', 'step/tiny')).toEqual(['step/rose', 'step/tiny'])
    expect(names()).toHaveLength(cases.length)
  })

  it('list the names where one is unknown', () => {
    expect(() => names('step', 'flower')).toThrow(/'flower' names no case[\s\S]*step\/rose[\s\S]*kernels\/adam/)
  })
})

describe('bench: works on a device', () => {
  const tiny = { name: 'small', batch: 8, dimension: 2, width: 8, layers: 2, activation: 'silu', beta: 1 } as const

  it('run as often as told, training steps beyond the optimizer table too', async () => {
    const device = openReference()
    for (const kind of ['step', 'rk4', 'forward', 'trace'] as const) {
      const runner = await openOurs(device, { kind, net: tiny, rows: kind === 'step' ? 1 : 8 })
      await runner.run(2)
      await runner.dispose()
    }
    expect(device.memory().buffers).toBe(0)
    await device.dispose()
  })

  it('leave adaptive_control with all rows alive', () => {
    const work = kernelWorks.adaptive_control
    const of = (name: string, length: number): number[] =>
      Array.from({ length }, (_, i) => work.values[name]?.[Math.min(i, work.values[name].length - 1)] ?? 0)
    // one row in float32, as devices keep it
    const shape = (extents: readonly number[]): readonly number[] => extents
    const operands = {
      y: { shape: shape([1, 2]), data: new Float32Array(2) },
      y_new: { shape: shape([1, 2]), data: new Float32Array(2) },
      stages: { shape: shape([7, 64]), data: Float32Array.from(of('stages', 7 * 64)) },
      t: { shape: shape([1]), data: Float32Array.from(of('t', 1)) },
      h: { shape: shape([1]), data: Float32Array.from(of('h', 1)) },
      evaluations: { shape: shape([1]), data: new Uint32Array(1) },
    }
    const launches = 20_000
    for (let i = 0; i < launches; i++) kernels.get('adaptive_control')!.reference(operands, work.attributes)
    expect(operands.evaluations.data[0]).toBe(6 * launches)
    expect(operands.h.data[0]).toBeCloseTo(0.9 ** 5, 3)
  })
})
