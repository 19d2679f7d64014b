/**
 * Sampling through a whole chain: fused, one launch for the noise and one for each sub-flow; layered, none but products; the same
 * samples as by the expansion. Which networks fit into a workgroup is arithmetic, and tested as such.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shapes, specOf } from '../../bench/shapes.js'
import type { Device, Executable } from '../../src/device/device.js'
import { mlpTile } from '../../src/device/webgpu/mlp-tile.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { type Trace, Transport, wholePath } from '../../src/model/transport.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { mlpParameterLength } from '../../src/networks/mlp/spec.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { adapterOrSkip } from './adapter.js'

const name = await adapterOrSkip()
const [rose, , miniboone, gas, bsds] = shapes.map(specOf)

describe('webgpu: tiles of a network', () => {
  test('the rose net fits into 48, 32 and 16 KiB, with and without its trace', () => {
    const rows = [48, 32, 16].map((kib) => [0, 2].map((tangents) => mlpTile(rose, tangents, 1024 * kib)?.rows ?? 0))
    expect(rows).toEqual([
      [32, 24],
      [20, 24],
      [8, 0],
    ])
  })

  test('a tile stays within the memory it was made for', () => {
    for (const kib of [16, 24, 32, 48, 64]) {
      for (const net of [rose, miniboone, gas, bsds, { ...rose, hidden: [1, 7, 100] }]) {
        for (const tangents of [0, 1, 2, 3]) {
          expect(mlpTile(net, tangents, 1024 * kib)?.workgroupBytes ?? 0).toBeLessThanOrEqual(1024 * kib)
        }
      }
    }
  })

  test('what does not fit is left to the expansion', () => {
    expect(mlpTile({ ...rose, hidden: [256, 520] }, 0, 48 * 1024)).toBeNull()
    expect(mlpTile({ ...rose, hidden: new Array(17).fill(8) }, 0, 48 * 1024)).toBeNull()
    expect(mlpTile(miniboone, miniboone.dimension, 48 * 1024)).toBeNull()
    expect(mlpTile(rose, 0, 4096)).toBeNull()
  })
})

describe.skipIf(!name)(`webgpu: a fused chain on ${name}`, { timeout: 600_000 }, () => {
  const SUB_FLOWS = 3
  const ROWS = 64
  const solver = { solver: 'rk4', steps: 2, rtol: 1e-5, atol: 1e-5 } as SolverSettings
  const chain = anglesOf([0.1, 0.3, null].map((gamma) => ({ gamma, path: 'linear' })))
  const devices: Device[] = []
  const open = async (variants: Record<string, string>, kib?: number): Promise<Device> => {
    const limits = kib ? { maxComputeWorkgroupStorageSize: 1024 * kib } : {}
    const device = await openWebgpu({ adapter: name, variants, limits })
    devices.push(device)
    return device
  }
  let expanded: { samples: Float32Array; logDet: Float32Array | null }

  /** Samples of a chain of rose nets with ∫ div v dt, and what the device made of the program. */
  async function sample(
    device: Device,
    trace: Trace,
    settings = solver,
  ): Promise<{ samples: Float32Array; logDet: Float32Array | null; made: Executable[] }> {
    const made: Executable[] = []
    const spied = new Proxy(device, {
      get: (target, key) => {
        if (key !== 'compile') return Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key)
        return async (program: never) => {
          const executable = await target.compile(program)
          made.push(executable)
          return executable
        }
      },
    })
    const field = mlpNetwork(rose)
    const links = Array.from({ length: SUB_FLOWS }, (_, i) => {
      const parameters = device.createBuffer(mlpParameterLength(rose))
      parameters.write(Float32Array.from({ length: parameters.length }, (_, j) => 0.15 * Math.sin((j + 1) * (i + 1.7))))
      return { field, parameters, outputScale: 1, place: { number: i, chain } }
    })
    const transport = await Transport.open(spied, {
      legs: wholePath(links, 'decode'),
      solver: settings,
      trace,
      rows: ROWS,
      source: { kind: 'noise', seed: 5 },
    })
    const { states, logDet } = await transport.run(ROWS, () => {})
    transport.dispose()
    for (const { parameters } of links) parameters.dispose()
    return { samples: states[0], logDet, made }
  }

  beforeAll(async () => {
    expanded = await sample(await open({ integrate: 'expanded', mlp_tangents: 'expanded' }), { kind: 'exact' })
  })
  afterAll(() => Promise.all(devices.map((device) => device.dispose())))

  for (const { label, trace, kib } of [
    { label: 'with the exact trace', trace: { kind: 'exact' } as Trace },
    { label: 'in 16 KiB', trace: null, kib: 16 },
  ]) {
    test(`N + 1 launches and the samples of the expansion, ${label}`, async () => {
      const device = await open({ integrate: 'fused' }, kib)
      const { samples, logDet, made } = await sample(device, trace)
      expect(made.map(({ variants }) => variants.integrate)).toEqual(['fused'])
      expect(made.map(dispatches)).toEqual([['normal', 'integrate', 'integrate', 'integrate']])
      expect(farthest(samples, expanded.samples)).toBeLessThan(2e-5)
      if (trace) expect(farthest(logDet!, expanded.logDet!)).toBeLessThan(1e-4)
      expect(device.memory().buffers).toBe(0)
    })
  }

  test('a two-step method by the angle goes on through memory from a sub-flow to the next', async () => {
    const ab2: SolverSettings = { ...solver, solver: 'ab2', clock: 'angle', evaluations: 7 }
    const [fused, apart] = [
      await sample(await open({ integrate: 'fused' }), null, ab2),
      await sample(await open({ integrate: 'expanded' }), null, ab2),
    ]
    expect(fused.made.map(dispatches)).toEqual([['normal', 'integrate', 'integrate', 'integrate']])
    expect(farthest(fused.samples, apart.samples)).toBeLessThan(2e-5)
    // without what is remembered it would be Euler's
    const euler = await sample(await open({ integrate: 'expanded' }), null, { ...ab2, solver: 'euler' })
    expect(farthest(fused.samples, euler.samples)).toBeGreaterThan(1e-3)
  })

  test('layer by layer a stage is its products alone', async () => {
    const device = await open({ integrate: 'layered' })
    const { samples, logDet, made } = await sample(device, { kind: 'exact' })
    expect(farthest(samples, expanded.samples)).toBeLessThan(2e-5)
    expect(farthest(logDet!, expanded.logDet!)).toBeLessThan(1e-4)
    const forward = ['linear_forward', 'linear_forward', 'linear_forward']
    const tangents = ['linear_tangent', 'linear_tangent', 'linear_tangent', 'linear_tangent', 'divergence_stage']
    const stage = [...forward, ...tangents, 'linear_stage']
    const subFlow = ['input_tangent', ...new Array(4 * (solver.steps as number)).fill(stage).flat()]
    expect(made.map(dispatches)).toEqual([['normal', ...new Array(SUB_FLOWS).fill(subFlow).flat()]])
  })
})

/** Names of the launches that one replay records. */
const dispatches = (executable: Executable): string[] =>
  (executable as unknown as { program: { dispatches: { name: string }[] } }).program.dispatches.map(({ name }) => name)

const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0)
