/**
 * What an MLP's training step becomes on a WebGPU device, without one: how many dispatches, and who adds up the parts of
 * the weight gradients.
 */

import { describe, expect, test } from 'vitest'
import { CompositeChoice, compositePlanners } from '../../src/device/webgpu/composites.js'
import { planLaunches } from '../../src/device/webgpu/launches.js'
import { bearers, type Launch } from '../../src/device/webgpu/plans.js'
import type { AdapterTarget } from '../../src/device/webgpu/target.js'
import { partsOfGradients } from '../../src/device/webgpu/weight-gradients.js'
import { kernels } from '../../src/kernels/registry.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { type LoweredOperation, lower } from '../../src/program/lower.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { stepOf } from './training-step.js'

const net = (layers: number, more: Partial<MlpSpec> = {}): MlpSpec => ({
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: new Array(layers).fill(64),
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
  ...more,
})

const targets: Record<string, AdapterTarget> = {
  'a processor': { software: true, lanes: 8, workgroupBytes: 32768, f16: true, units: null, forced: {} },
  'a processor without subgroups': {
    software: true,
    lanes: 0,
    workgroupBytes: 32768,
    f16: true,
    units: null,
    forced: {},
  },
  'a GPU': { software: false, lanes: 32, workgroupBytes: 49152, f16: true, units: null, forced: {} },
}

const bufferOf = (length: number, dtype: 'f32' | 'u32' | 'f16' = 'f32') => ({ length, dtype })

function shadersOf(operations: readonly LoweredOperation[], target: AdapterTarget): string[] {
  const shared = partsOfGradients(operations, target)
  return operations.flatMap((one) => planLaunches(one, target, shared).launches.map(({ shader }) => shader))
}

function launchesOf(spec: MlpSpec, batch: number, target: AdapterTarget, precision?: 'mixed'): string[] {
  const { operations } = lower(stepOf(spec, batch, bufferOf, precision).program, () => false)
  return shadersOf(operations, target)
}

describe.each(Object.entries(targets))('webgpu: a training step on %s', (_, target) => {
  test.each([1, 2, 3, 4, 6])('of %i hidden layers has at most 3L + 6 dispatches', (layers) => {
    for (const more of [{}, { dimension: 43 }, { time: 'every' as const }, { hidden: new Array(layers).fill(37) }]) {
      expect(launchesOf(net(layers, more), 1000, target).length).toBeLessThanOrEqual(3 * layers + 6)
      const mixed = launchesOf(net(layers, more), 1000, target, 'mixed')
      expect(mixed.length).toBeLessThanOrEqual(3 * layers + 6)
      // its products are of float16, and the optimizer leaves the next step's weights so
      expect(mixed.filter((shader) => shader.endsWith('_half')).length).toBe(3 * layers + 2)
      expect(mixed.at(-1)).toBe('adam_mixed')
    }
  })

  test('with Fourier features takes one more, in either precision', () => {
    const features = net(3, { frequencies: [1, 2], dimension: 43 })
    expect(launchesOf(features, 1000, target).length).toBe(3 * 3 + 7)
    expect(launchesOf(features, 1000, target, 'mixed').length).toBe(3 * 3 + 7)
  })

  test('adds up the parts of its weight gradients where it takes the norm', () => {
    for (const precision of [undefined, 'mixed'] as const) {
      const shaders = launchesOf(net(3, { hidden: [32, 32, 32] }), 1000, target, precision)
      expect(shaders).toContain('gradient_norm_parts')
      expect(shaders).not.toContain('linear_backward_weight_sum')
    }
  })

  test('of a batch that is one part leaves nothing to add up', () => {
    expect(launchesOf(net(3), 50, target)).toContain('gradient_norm')
  })
})

describe('a training step whose rows go through all layers and back in one launch', () => {
  /** Of the whole program, as it is compiled. */
  const all = (spec: MlpSpec, target: AdapterTarget): string[] => {
    const choice = new CompositeChoice(target)
    const { operations } = lower(choice.layered(stepOf(spec, 1000, bufferOf).program), choice.takes)
    const shared = partsOfGradients(operations, target)
    return operations
      .flatMap((one) => (compositePlanners[one.contract.name] ?? planLaunches)(one, target, shared).launches)
      .map(({ shader }) => shader)
  }
  const gpu = targets['a GPU']
  const forced: AdapterTarget = { ...gpu, forced: { mlp_backward: 'fused' } }

  test.each([1, 2, 3, 6])(
    'of %i hidden layers has L + 5 dispatches, of which the weight gradients do not wait',
    (layers) => {
      const shaders = all(net(layers), forced)
      expect(shaders.slice(0, 2)).toEqual(['draw_batch', 'mlp_deltas'])
      expect(shaders.slice(-2)).toEqual(['gradient_norm_parts', 'adam'])
      expect(shaders.slice(2, -2).every((shader) => shader.startsWith('linear_backward_weight'))).toBe(true)
      expect(shaders.length).toBe(layers + 5)
    },
  )

  test('is what a GPU takes unasked for narrow networks, no processor does, and no width that is not a multiple of four can', () => {
    const wide = { hidden: [256, 256] }
    expect(all(net(3), gpu)).toContain('mlp_deltas')
    expect(all(net(2, wide), gpu)).not.toContain('mlp_deltas')
    expect(all(net(2, wide), forced)).toContain('mlp_deltas')
    expect(all(net(3), targets['a processor'])).not.toContain('mlp_deltas')
    expect(all(net(2, { hidden: [64, 37] }), forced)).not.toContain('mlp_deltas')
    expect(all(net(3), { ...forced, workgroupBytes: 4096 })).not.toContain('mlp_deltas')
    expect(all(net(3), { ...forced, bindingBytes: 1_000_000 })).not.toContain('mlp_deltas')
  })
})

test('a gradient that something else writes into as well is added up layer by layer', () => {
  const { operations } = lower(stepOf(net(3), 1000, bufferOf).program, () => false)
  const norm = operations.findIndex(({ contract }) => contract.name === 'gradient_norm')
  const gradient = operations[norm].operands.gradient
  const add = { ...operations[0], operands: { ...operations[0].operands, x: gradient } }
  const shaders = shadersOf([...operations.slice(0, norm), add, ...operations.slice(norm)], targets['a GPU'])
  expect(shaders).toContain('linear_backward_weight_sum')
  expect(shaders).not.toContain('gradient_norm_parts')
})

test('flops and bytes are borne by the launches that are named as the contract, else by the first', () => {
  const launch = (shader: string): Launch => ({ shader, constants: {}, uniforms: {}, groups: [1, 1, 1] })
  const borne = (contract: string, ...shaders: string[]): number[] => {
    const launches = shaders.map(launch)
    const by = bearers(contract, launches)
    return launches.flatMap((one, i) => (by.has(one) ? [i] : []))
  }
  expect(borne('linear_loss', 'linear_loss_half', 'linear_loss_half_rows')).toEqual([0])
  expect(borne('group_norm', 'group_norm_moments', 'group_norm_statistics', 'group_norm')).toEqual([2])
  const backward = ['attention_backward_rows', 'attention_backward_lanes', 'attention_backward_lanes']
  expect(borne('attention_backward', ...backward)).toEqual([1, 2])
  expect(borne('convert', 'convert_back')).toEqual([0])
})

describe.each(Object.entries(targets))('webgpu: attention on %s', (_, target) => {
  test('of more pictures and heads than a launch may have groups along an axis', () => {
    const [B, heads, N, C] = [20_000, 8, 16, 64]
    const builder = new ProgramBuilder()
    const tensor = (...shape: number[]) =>
      builder.tensor(bufferOf(shape.reduce((product, extent) => product * extent, 1)), shape)
    const given = { qkv: tensor(B, 4, 4, 3 * C), y: tensor(B, 4, 4, C), log_sum_exp: tensor(B, heads, N) }
    builder.add(kernels.get('attention')!, given, { heads })
    const back = { ...given, dy: tensor(B, 4, 4, C), dqkv: tensor(B, 4, 4, 3 * C) }
    builder.add(kernels.get('attention_backward')!, back, { heads })
    const { operations } = lower(builder.build(), () => false)
    const launches = operations.flatMap((one) => planLaunches(one, target).launches)
    expect(launches.length).toBe(4)
    for (const { shader, groups } of launches) {
      expect(Math.max(...groups), shader).toBeLessThanOrEqual(65_535)
      // a workgroup for each tile of each head of each picture, or one for 64 queries
      const tiles = shader === 'attention_backward_rows' ? (B * heads * N) / 64 : B * heads
      expect(groups[0] * groups[1] * groups[2], shader).toBeGreaterThanOrEqual(tiles)
    }
    const [forward] = launches.map(({ shader }) => shader)
    expect(forward).toBe(target.software ? (target.lanes > 0 ? 'attention_lanes' : 'attention') : 'attention_blocks')
  })
})
