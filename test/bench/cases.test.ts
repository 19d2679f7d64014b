import { describe, expect, it } from 'vitest'
import { cases, flopsOf, type NetWork, rowsOn, selectCases } from '../../bench/cases.js'
import { kernelCost, kernelWorks } from '../../bench/kernel-works.js'
import { leastStepBytes } from '../../bench/least-bytes.js'
import { openOurs } from '../../bench/ours.js'
import { convolutionWorks, pictureWorks } from '../../bench/picture-works.js'
import { CaseGroup, paces } from '../../bench/session.js'
import { type PictureShape, pictureShapes, shapes } from '../../bench/shapes.js'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { DeviceError } from '../../src/errors.js'
import { kernels } from '../../src/kernels/registry.js'
import { unetLayout, unetRowFlops } from '../../src/networks/unet/spec.js'

const convolutions = Object.entries(convolutionWorks).map(([name, { work }]) => [name, work(3)] as const)
const works = { ...kernelWorks, ...pictureWorks, ...Object.fromEntries(convolutions) }
const digits = pictureShapes.find((shape) => shape.name === 'digits')!

const tinyPictures: PictureShape = {
  ...digits,
  name: 'tiny-pictures',
  spec: {
    ...digits.spec,
    height: 4,
    breadth: 4,
    width: 4,
    multipliers: [1, 2],
    attention: [2],
    headChannels: 4,
    groups: 2,
  },
}

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
    const sampling = { evaluations: 16, students: false }
    expect(flopsOf({ kind: 'sample', net: rose, rows: 100, sampling })).toBe(16 * 100 * 2 * products)
  })
})

describe('bench: networks on pictures', () => {
  it('are the digits network and the paper’s', () => {
    const [small, paper] = pictureShapes
    expect(small.spec).toMatchObject({ width: 32, multipliers: [1, 2, 2], depth: 1, attention: [16], headChannels: 32 })
    const numbers = ({ spec }: PictureShape): number =>
      unetLayout(spec).parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
    expect(numbers(paper)).toBe(35_746_307)
    // a batch of each: 110 GFLOP and 9.6 TFLOP
    expect(flopsOf({ kind: 'step', net: small, rows: 64 }) / 1e9).toBeCloseTo(109.8, 1)
    expect(flopsOf({ kind: 'step', net: paper, rows: 256 }) / 1e12).toBeCloseTo(9.6, 1)
    expect(flopsOf({ kind: 'rk4', net: small, rows: 3 })).toBe(12 * unetRowFlops(small.spec))
  })

  it('take the whole batch on a GPU, and what a processor can do elsewhere', () => {
    const step = cases.find((c) => c.name === 'step/cifar10')!
    const on = (kind: Device['kind'], type: Device['info']['type']): number =>
      rowsOn(step, { kind, info: { type } as Device['info'] })
    expect(on('webgpu', 'hardware')).toBe(256)
    expect([on('webgpu', 'software'), on('native', 'cpu'), on('reference', 'cpu')]).toEqual([8, 8, 8])
    expect(rowsOn(cases.find((c) => c.name === 'step/rose')!, { kind: 'native', info: {} as Device['info'] })).toBe(
      10_000,
    )
    expect(rowsOn(cases.find((c) => c.name === 'kernels/adam')!, { kind: 'native', info: {} as Device['info'] })).toBe(
      0,
    )
  })

  it('need at least the tensors that the backward pass reads', () => {
    const work = (rows: number): NetWork => ({ kind: 'step', net: tinyPictures, rows })
    const perPicture = (leastStepBytes(work(2)) - leastStepBytes(work(1))) / 4
    // levels of 4 × 4 × 4 and 2 × 2 × 8: every residual block keeps its input normalised, its middle twice, its output
    // and 2 · 2 · groups of statistics, attention six of its extents, a change of size its output
    const [large, small, statistics] = [64, 32, 8]
    const blocks = [
      [large, large], // down
      [large / 4, small], // down, with attention
      [small, small], // middle, with attention
      [small, small], // middle
      [16 * 4, small], // up: 8 + 8 channels
      [4 * 12, small], // up: 8 + 4
      [16 * 12, large], // up: 8 + 4
      [16 * 8, large], // up: 4 + 4
    ]
    const residual = blocks.reduce((sum, [input, output]) => sum + input + 3 * output + statistics, 0)
    const attention = 4 * 6 * small
    const resampling = large / 4 + 16 * 8
    expect(perPicture).toBe(residual + attention + resampling + 2 * large)
  })

  it('are left out in one line where a device cannot do them', async () => {
    const device = {
      kind: 'webgpu',
      info: { type: 'hardware' },
      memory: () => ({ bytes: 0, buffers: 0 }),
      createBuffer: (length: number, dtype: 'f32' | 'u32' = 'f32') => ({ length, dtype, write() {}, dispose() {} }),
      compile: async () => {
        throw new DeviceError('The webgpu device has no conv2d yet; device: reference runs every kernel.')
      },
    } as unknown as Device
    const said: string[] = []
    const step = cases.find((c) => c.name === 'step/digits')!
    const note = (line: string): void => void said.push(line)
    const done = (): void => void said.push('measured')
    const group = new CaseGroup(device, step, [], paces.quick, null, note, null, done)
    await group.setUp()
    await group.round()
    group.report()
    await group.tearDown()
    expect(said).toEqual([
      'step/digits is left out: The webgpu device has no conv2d yet; device: reference runs every kernel.',
    ])
  })
})

describe('bench: filters', () => {
  const names = (...filters: string[]): string[] => selectCases(filters).map((c) => c.name)

  it('name whole parts of a case: rose is not rose-1k', () => {
    expect(names('step/rose')).toEqual(['step/rose'])
    expect(names('rose')).toContain('rk4/rose')
    expect(names('rose').some((name) => name.includes('rose-1k'))).toBe(false)
    expect(names('mat_mul')).toHaveLength(4)
    expect(names('digits')).toEqual(['step/digits', 'rk4/digits', 'forward/digits', 'mixed/digits'])
    expect(names('conv2d_backward_input/64x64x3x3')).toEqual(['kernels/conv2d_backward_input/64x64x3x3'])
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
  const tiny = {
    kind: 'mlp',
    name: 'small',
    batch: 8,
    dimension: 2,
    width: 8,
    layers: 2,
    activation: 'silu',
    beta: 1,
  } as const

  it('run as often as told, training steps beyond the optimizer table too', async () => {
    const device = openReference()
    for (const kind of ['step', 'rk4', 'forward', 'trace'] as const) {
      const runner = await openOurs(device, { kind, net: tiny, rows: kind === 'step' ? 1 : 8 })
      await runner.run(2)
      await runner.dispose()
    }
    for (const kind of ['step', 'rk4', 'forward'] as const) {
      const runner = await openOurs(device, { kind, net: tinyPictures, rows: 2 })
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
