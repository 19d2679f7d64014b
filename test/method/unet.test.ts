/**
 * The UNet: known sizes, the gradient of every parameter against finite differences with every option, recomputation and
 * micro-batches, divergence, integration, files, and that it learns.
 */

import { describe, expect, test } from 'vitest'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { blockRows } from '../../src/model/transport.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { Network, TrainingMode } from '../../src/networks/network.js'
import { inherited } from '../../src/networks/registry.js'
import {
  type UnetSpec,
  unetDimension,
  unetLayout,
  unetParameterCount,
  unetProblem,
} from '../../src/networks/unet/spec.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { microBatchProblem } from '../../src/networks/unet/unet_backward.js'
import { addIntegration } from '../../src/ode/integrate.js'
import { localSteps } from '../../src/ode/steps.js'
import { euler, heun, midpoint, rk4, type Tableau } from '../../src/ode/tableaus.js'
import { aligned, ProgramBuilder, type StorageBuffer } from '../../src/program/program.js'
import { float64Program, type Memory } from '../float64.js'
import { smallUnet } from '../small-unet.js'

const paper = {
  kind: 'unet',
  channels: 3,
  height: 32,
  breadth: 32,
  condition: 0,
  groups: 32,
  dropout: 0,
  scaleShift: false,
  residualResampling: false,
} as const
const cifar10: UnetSpec = {
  ...paper,
  width: 128,
  multipliers: [1, 2, 2, 2],
  depth: 2,
  attention: [16],
  headChannels: 32,
}
const imagenet32: UnetSpec = { ...cifar10, depth: 3, attention: [16, 8], headChannels: 64 }
const flowers128: UnetSpec = {
  ...paper,
  height: 128,
  breadth: 128,
  width: 64,
  multipliers: [1, 1, 2, 3, 4],
  depth: 2,
  attention: [16],
  headChannels: 64,
}

describe('known sizes', () => {
  test.each([
    ['CIFAR-10', cifar10, 35_746_307, 12.4],
    ['ImageNet-32', imagenet32, 49_062_787, 16.8],
    ['Flowers', flowers128, 21_424_323, 33.2],
  ] as const)('%s', (_, net, parameters, gigaflops) => {
    expect(unetParameterCount(net)).toBe(parameters)
    expect(unetNetwork(net).rowFlops / 1e9).toBeCloseTo(gigaflops, 1)
  })

  test('the paper’s training step of 256 pictures of CIFAR-10 is 9.5 TFLOP', () => {
    expect(unetNetwork(cifar10).stepFlops(256) / 1e12).toBeCloseTo(9.5, 0)
  })

  test('a training step has three products a layer, the first one two, and seven for the two of an attention', () => {
    const { rowFlops, stepFlops } = unetNetwork(smallUnet)
    const first = 2 * 8 * 8 * 9 * 2 * 8
    // four blocks of attention on 4 × 4 positions and 16 channels
    const attention = 4 * 4 * 16 ** 2 * 16
    expect(stepFlops(5)).toBe(5 * (3 * rowFlops - first + attention / 2))
  })
})

/** Two levels, a block each, every kind of layer; 4 × 4 pictures of two channels. */
const small: UnetSpec = {
  ...paper,
  channels: 2,
  height: 4,
  breadth: 4,
  width: 4,
  multipliers: [1, 2],
  depth: 1,
  attention: [4],
  headChannels: 2,
  groups: 2,
}
const nets: Record<string, UnetSpec> = {
  plain: small,
  'scale and shift, residual resampling': { ...small, scaleShift: true, residualResampling: true },
  'dropout, one block more, not square': { ...small, depth: 2, dropout: 0.3, attention: [2], breadth: 6 },
  'a second time': { ...small, condition: 1, secondTime: true },
  'a second time behind two columns': { ...small, condition: 3, secondTime: true, scaleShift: true },
  'a condition of three columns, by scale and shift': { ...small, condition: 3, scaleShift: true },
  'of sequences, with a condition': {
    ...small,
    ...{ kind: 'unet1d', height: 1, breadth: 8, channels: 3, kernel: 5, attention: [], multipliers: [1, 2, 2] },
    ...{ condition: 3, scaleShift: true, dropout: 0.2 },
  },
  'three levels': { ...small, multipliers: [1, 1, 2], height: 8, breadth: 4, attention: [] },
}

const B = 2
const draws = { seedLow: 5, seedHigh: 0, stream: 2 }

/** Numbers that look random: sin of a quadratic. */
const wave = (length: number, frequency: number, size = 1): Float64Array =>
  Float64Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * i * i))

/** Every parameter away from where it starts: zero-initialised layers would hide the gradients of those before them. */
function parametersOf(net: UnetSpec): Float64Array {
  const flat = Float64Array.from(unetNetwork(net).initialise(1, 1))
  unetLayout(net).parameters.forEach(({ offset, shape, start }, number) => {
    const length = shape.reduce((product, extent) => product * extent, 1)
    const size = typeof start === 'number' ? 0.2 : 0.5 / Math.sqrt(start.fanIn)
    wave(length, 0.7 + 0.1 * number, size).forEach((value, i) => {
      flat[offset + i] += value
    })
  })
  return flat
}

function memoryOf() {
  const memory = new Map<StorageBuffer, Memory>()
  const make = (values: Memory): StorageBuffer => {
    const buffer: StorageBuffer = { dtype: values instanceof Uint32Array ? 'u32' : 'f32', length: values.length }
    memory.set(buffer, values)
    return buffer
  }
  return { memory, make }
}

interface Gradient {
  readonly parameters: Float64Array
  readonly gradient: Float64Array
  loss(): number
}

function gradientOf(net: UnetSpec, mode: Partial<TrainingMode> = {}, rows = B): Gradient {
  const field = unetNetwork(net)
  const D = unetDimension(net)
  const { memory, make } = memoryOf()
  const builder = new ProgramBuilder()
  const parameters = parametersOf(net)
  const gradient = new Float64Array(parameters.length)
  const rowLoss = new Float64Array(aligned(rows))
  const part = builder.tensor(make(new Float64Array(parameters.length)))
  field.addGradient(
    builder,
    {
      parameters: builder.tensor(make(parameters)),
      x: builder.tensor(make(wave(rows * D, 1.3)), [rows, D]),
      t: builder.tensor(make(Float64Array.from({ length: rows }, (_, i) => (i + 0.5) / rows))),
      ...(net.condition > 0 && {
        condition: builder.tensor(make(wave(rows * net.condition, 0.9)), [rows, net.condition]),
      }),
      target: builder.tensor(make(wave(rows * D, 2.1)), [rows, D]),
      gradient: builder.tensor(make(gradient)),
      row_loss: builder.tensor(make(rowLoss), [rows]),
      state: builder.tensor(make(Uint32Array.of(7, 0, 0, 0, 0, 0, 0, 0))),
      part,
    },
    0.8,
    { draws, recompute: false, microBatches: 1, ...mode },
  )
  const run = float64Program(builder.build(), memory)
  return {
    parameters,
    gradient,
    loss() {
      run()
      return rowLoss.reduce((sum, value) => sum + value, 0) / rows
    },
  }
}

const worst = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

describe.each(Object.entries(nets))('gradient: %s', (_, net) => {
  test('of every parameter, against central differences along a direction', { timeout: 120_000 }, () => {
    const { parameters, gradient, loss } = gradientOf(net)
    loss()
    const found = gradient.slice()
    for (const [number, { name, offset, shape }] of unetLayout(net).parameters.entries()) {
      const length = shape.reduce((product, extent) => product * extent, 1)
      const direction = wave(length, 1.9 + 0.3 * number)
      const move = (by: number): number => {
        for (let i = 0; i < length; i++) parameters[offset + i] += by * direction[i]
        return loss()
      }
      const step = 2e-5
      const slope = (move(step) - move(-2 * step)) / (2 * step)
      move(step)
      let along = 0
      for (let i = 0; i < length; i++) along += direction[i] * found[offset + i]
      expect(Math.abs(along - slope), `${name}: ${along} for ${slope}`).toBeLessThan(1e-6 + 1e-5 * Math.abs(slope))
    }
  })

  test('recomputation and micro-batches change nothing; gaps stay zero', () => {
    const rows = 32
    const whole = gradientOf(net, {}, rows)
    const loss = whole.loss()
    for (const mode of [{ recompute: true }, { microBatches: 2 }, { recompute: true, microBatches: 2 }]) {
      const other = gradientOf(net, mode, rows)
      expect(other.loss()).toBeCloseTo(loss, 12)
      expect(worst(other.gradient, whole.gradient)).toBeLessThan(1e-12)
    }
    const named = new Set<number>()
    for (const { offset, shape } of unetLayout(net).parameters) {
      const length = shape.reduce((product, extent) => product * extent, 1)
      for (let i = 0; i < length; i++) named.add(offset + i)
    }
    expect(named.size).toBe(unetParameterCount(net))
    expect(whole.gradient.every((value, i) => named.has(i) || value === 0)).toBe(true)
  })
})

describe('a second time', () => {
  const net: UnetSpec = { ...small, condition: 1, secondTime: true }
  const [field, D] = [unetNetwork(net), unetDimension(net)]
  const velocity = (parameters: Float64Array, t: number[], s: number[], of = field): Float64Array => {
    const { memory, make } = memoryOf()
    const builder = new ProgramBuilder()
    const out = new Float64Array(aligned(B * D))
    of.addVelocity(
      builder,
      {
        parameters: builder.tensor(make(parameters)),
        x: builder.tensor(make(wave(B * D, 1.3)), [B, D]),
        t: builder.tensor(make(Float64Array.from(t)), [t.length]),
        ...(of.condition > 0 && { condition: builder.tensor(make(Float64Array.from(s)), [B, 1]) }),
        out: builder.tensor(make(out), [B, D]),
      },
      1,
    )
    float64Program(builder.build(), memory)()
    return out
  }

  test('may differ between rows where the first is one for all', () => {
    const parameters = parametersOf(net)
    const found = velocity(parameters, [0.7], [0.2, 0.5])
    expect(worst(found, velocity(parameters, [0.7, 0.7], [0.2, 0.5]))).toBeLessThan(1e-12)
    expect(worst(found, velocity(parameters, [0.7], [0.2, 0.2]))).toBeGreaterThan(1e-4)
  })

  test('has its sinusoids behind what is told, and no weight where a conditional network hands its parameters down', () => {
    const toldSpec: UnetSpec = { ...small, condition: 2, scaleShift: true }
    const [told, both] = [toldSpec, { ...toldSpec, condition: 3, secondTime: true }].map((spec) => unetNetwork(spec))
    const parameters = Float32Array.from(parametersOf(toldSpec))
    const under = (of: Network, flat: Float64Array, rows: number[]): Float64Array => {
      const { memory, make } = memoryOf()
      const builder = new ProgramBuilder()
      const out = new Float64Array(aligned(B * D))
      const operands = {
        parameters: builder.tensor(make(flat)),
        x: builder.tensor(make(wave(B * D, 1.3)), [B, D]),
        t: builder.tensor(make(Float64Array.of(0.7)), [1]),
        condition: builder.tensor(make(Float64Array.from(rows)), [B, of.condition]),
        out: builder.tensor(make(out), [B, D]),
      }
      of.addVelocity(builder, operands, 1)
      float64Program(builder.build(), memory)()
      return out
    }
    const handed = Float64Array.from(inherited(told, parameters, both))
    const wanted = under(told, Float64Array.from(parameters), [1, -2, 0.5, 3])
    expect(worst(under(both, handed, [1, -2, 0.3, 0.5, 3, 0.9]), wanted)).toBeLessThan(1e-12)
    expect(worst(under(both, handed, [1, -2, 0.3, 0.5, 2, 0.9]), wanted)).toBeGreaterThan(1e-4)
    // with weights of its own the second time matters, in its own row alone
    const own = parametersOf({ ...toldSpec, condition: 3, secondTime: true })
    const [one, other] = [0.3, 0.6].map((s) => under(both, own, [1, -2, s, 0.5, 3, 0.9]))
    expect(worst(one.subarray(0, D), other.subarray(0, D))).toBeGreaterThan(1e-4)
    expect(worst(one.subarray(D, 2 * D), other.subarray(D, 2 * D))).toBe(0)
  })

  test('has no weight in parameters that a network of one time hands down', () => {
    const one = unetNetwork(small)
    const parameters = Float32Array.from(parametersOf(small))
    const handed = Float64Array.from(inherited(one, parameters, field))
    const found = velocity(handed, [0.7], [0.2, 0.5])
    expect(worst(found, velocity(Float64Array.from(parameters), [0.7], [], one))).toBeLessThan(1e-12)
    expect(field.parameterCount - one.parameterCount).toBe(4 * small.width * small.width)
    // and back
    expect(inherited(field, Float32Array.from(handed), one)).toEqual(parameters)
  })
})

describe('dropout', () => {
  test('is off without draws, and its gradient is that of the masked network', () => {
    const net = nets['dropout, one block more, not square']
    const on = gradientOf(net).loss()
    const off = gradientOf(net, { draws: null }).loss()
    expect(off).toBeCloseTo(gradientOf({ ...net, dropout: 0 }).loss(), 12)
    expect(Math.abs(on - off)).toBeGreaterThan(1e-3)
  })
})

/** v at x; with a trace its divergence as well, exact or by probes. */
function velocityOf(net: UnetSpec, rows: number, trace?: 'exact' | Float64Array) {
  const field = unetNetwork(net)
  const D = unetDimension(net)
  const { memory, make } = memoryOf()
  const builder = new ProgramBuilder()
  const x = wave(rows * D, 1.3)
  const out = new Float64Array(rows * D)
  const divergence = new Float64Array(aligned(rows))
  const operands = {
    parameters: builder.tensor(make(parametersOf(net))),
    x: builder.tensor(make(x), [rows, D]),
    t: builder.constant([0.4]),
    out: builder.tensor(make(out), [rows, D]),
  }
  if (trace) {
    const probes = trace === 'exact' ? undefined : builder.tensor(make(trace), [trace.length / D, D])
    const into = builder.tensor(make(divergence), [rows])
    field.addDivergence(builder, { ...operands, probes, divergence: into }, 1.7)
  } else field.addVelocity(builder, operands, 1.7)
  const run = float64Program(builder.build(), memory)
  return { x, out, divergence, run, D }
}

describe('divergence', () => {
  test.each(['plain', 'scale and shift, residual resampling'])('%s: against differences of the field', (name) => {
    const rows = 2
    const exact = velocityOf(nets[name], rows, 'exact')
    exact.run()
    const field = velocityOf(nets[name], rows)
    field.run()
    expect(worst(field.out, exact.out)).toBe(0)
    const found = exact.divergence.slice(0, rows)
    const traces = new Float64Array(rows)
    for (let d = 0; d < exact.D; d++) {
      const at = (by: number): number[] => {
        for (let b = 0; b < rows; b++) field.x[b * exact.D + d] += by
        field.run()
        return Array.from({ length: rows }, (_, b) => field.out[b * exact.D + d])
      }
      const high = at(1e-4)
      const low = at(-2e-4)
      at(1e-4)
      for (let b = 0; b < rows; b++) traces[b] += (high[b] - low[b]) / 2e-4
    }
    for (let b = 0; b < rows; b++) expect(found[b]).toBeCloseTo(traces[b], 5)
    // all probes of one sign pattern and its mirror images average to the exact trace; unit vectors, scaled, do so at once
    const probes = Float64Array.from({ length: exact.D * rows * exact.D }, (_, i) => {
      const d = Math.floor(i / (rows * exact.D))
      return i % exact.D === d ? Math.sqrt(exact.D) : 0
    })
    const estimated = velocityOf(nets[name], rows, probes)
    estimated.run()
    for (let b = 0; b < rows; b++) expect(estimated.divergence[b]).toBeCloseTo(found[b], 8)
  })

  test('an exact trace of large pictures is refused', () => {
    expect(() => velocityOf({ ...small, height: 16, breadth: 16, attention: [] }, 2, 'exact')).toThrow(
      /512.*hutchinson/s,
    )
  })
})

describe('integration', () => {
  test.each([euler, midpoint, heun, rk4])(
    '$name: stages combined by the network are those combined outside',
    (tableau) => {
      const D = unetDimension(small)
      const rows = 2
      const run = (integrate: (builder: ProgramBuilder, o: Record<string, never>) => void): Float64Array => {
        const { memory, make } = memoryOf()
        const builder = new ProgramBuilder()
        const out = new Float64Array(rows * D)
        const operands = {
          parameters: builder.tensor(make(parametersOf(small))),
          y: builder.tensor(make(wave(rows * D, 0.9)), [rows, D]),
          out: builder.tensor(make(out), [rows, D]),
        }
        integrate(builder, operands as unknown as Record<string, never>)
        float64Program(builder.build(), memory)()
        return out
      }
      const interval = { start: 0.9, end: 0.2, steps: 2 }
      const evaluations = localSteps({ kind: 'runge-kutta', tableau, summary: '' }, 0.9, 0.2, 2)
      const combined = run((builder, o) => addIntegration(builder, unetNetwork(small), o as never, [0.6], evaluations))
      const apart = run((builder, o) => outside(builder, tableau, o, interval))
      expect(worst(combined, apart)).toBeLessThan(1e-12)
      expect(worst(combined, wave(rows * D, 0.9))).toBeGreaterThan(1e-3)
    },
  )
})

/** The same steps with the field and stage_combine alone. */
function outside(
  builder: ProgramBuilder,
  { nodes, a, weights }: Tableau,
  o: Record<string, never>,
  { start, end, steps }: { start: number; end: number; steps: number },
): void {
  const { parameters, y: first, out } = o as unknown as Record<string, ReturnType<ProgramBuilder['tensor']>>
  const field = unetNetwork(small)
  const [rows, D] = first.shape
  const h = (end - start) / steps
  let y = first
  for (let step = 0; step < steps; step++) {
    const stages = builder.temporary([nodes.length, aligned(rows * D)])
    nodes.forEach((node, s) => {
      const x = s === 0 ? y : builder.temporary([rows, D])
      if (s > 0) builder.add(stageCombine, { y, stages, out: x }, { coefficients: a[s].map((c) => c * h) })
      const t = builder.constant([start + (step + node) * h])
      const v = builder.view(stages, [rows, D], s * aligned(rows * D))
      field.addVelocity(builder, { parameters, x, t, out: v }, 0.6)
    })
    const next = step === steps - 1 ? out : builder.temporary([rows, D])
    builder.add(stageCombine, { y, stages, out: next }, { coefficients: weights.map((w) => w * h) })
    y = next
  }
}

describe('blocks of rows', () => {
  const cpu = { kind: 'native', name: '', type: 'cpu', cpuTarget: null, threads: 2, details: {} } as const
  const digits = (side: number): UnetSpec => ({
    ...paper,
    channels: 1,
    height: side,
    breadth: side,
    width: 32,
    multipliers: [1, 2, 2],
    depth: 1,
    attention: [],
    headChannels: 32,
  })

  test('are short where a row is work for a processor, so that an abort does not wait', () => {
    const field = unetNetwork(digits(16))
    const rows = blockRows(20_000, field, null, cpu)
    expect(rows * field.rowFlops).toBeLessThan(3e10)
    expect(rows * field.rowFlops).toBeGreaterThan(1e10)
    expect(blockRows(3, field, null, cpu)).toBe(3)
    // a GPU takes as many as its memory is meant for
    expect(blockRows(20_000, field, null, { ...cpu, kind: 'webgpu', type: 'hardware' })).toBeGreaterThan(4 * rows)
  })

  test('of light rows are longer the fewer evaluations a row has', () => {
    const field = mlpNetwork({
      kind: 'mlp',
      dimension: 2,
      condition: 0,
      hidden: [64, 64],
      activation: 'silu',
      beta: 1,
      time: 'first',
      frequencies: [],
    })
    const rows = (evaluations: number | null): number => blockRows(1_000_000, field, null, cpu, evaluations)
    expect(rows(128)).toBe(rows(null))
    expect(rows(320)).toBe(rows(128))
    expect(rows(32) / rows(128)).toBeCloseTo(4, 1)
    expect(rows(4) / rows(128)).toBeCloseTo(8, 1)
  })

  test('keep windows on them at multiples of 64 elements', () => {
    // 28 · 28 = 16 · 49
    const rows = blockRows(1001, unetNetwork(digits(28)), { kind: 'hutchinson', probes: 2, seed: 1 }, cpu)
    expect((rows * 784) % 64).toBe(0)
    expect(rows % 64).not.toBe(0)
  })
})

describe('parameters', () => {
  const field = unetNetwork(small)

  test('a fresh network is the zero field: its last convolution starts at zero', () => {
    const flat = field.initialise(3, 1)
    const tensors = new Map(field.toTensors(flat, '').map((tensor) => [tensor.name, tensor]))
    for (const name of ['out.2.weight', 'middle_block.0.out_layers.3.weight', 'middle_block.1.proj_out.bias']) {
      expect(tensors.get(name)!.values.every((value) => value === 0)).toBe(true)
    }
    expect(tensors.get('out.0.weight')!.values.every((value) => value === 1)).toBe(true)
    const { shape, values } = tensors.get('input_blocks.0.0.weight')!
    expect(shape).toEqual([4, 2, 3, 3])
    const bound = 1 / Math.sqrt(2 * 9)
    expect(Math.max(...values)).toBeLessThanOrEqual(bound)
    expect(Math.max(...values)).toBeGreaterThan(0.9 * bound)
    expect(field.initialise(3, 1)).toEqual(flat)
    expect(field.initialise(3, 2)).not.toEqual(flat)
  })

  test('files have guided-diffusion’s names and layout, and read back as they were', () => {
    const flat = Float32Array.from(parametersOf(small))
    const tensors = field.toTensors(flat, 'a.')
    expect(field.fromTensors(new Map(tensors.map((tensor) => [tensor.name, tensor])), 'a.')).toEqual(flat)
    const names = tensors.map(({ name }) => name)
    expect(names).toContain('a.time_embed.2.weight')
    expect(names).toContain('a.input_blocks.1.1.qkv.weight')
    expect(names).toContain('a.input_blocks.2.0.op.weight')
    expect(names).toContain('a.output_blocks.0.0.skip_connection.weight')
    expect(names).toContain('a.output_blocks.1.1.conv.weight')
    expect(names).toContain('a.output_blocks.1.0.emb_layers.1.bias')
    // element [n, c, i, j] of a file is element [i, j, c, n] on the device
    const conv = unetLayout(small).parameters.find(({ name }) => name === 'input_blocks.0.0.weight')!
    const { values } = tensors.find(({ name }) => name === 'a.input_blocks.0.0.weight')!
    const [n, c, i, j] = [3, 1, 2, 0]
    expect(values[((n * 2 + c) * 3 + i) * 3 + j]).toBe(flat[conv.offset + ((i * 3 + j) * 2 + c) * 4 + n])
    tensors.pop()
    expect(() => field.fromTensors(new Map(tensors.map((tensor) => [tensor.name, tensor])), 'a.')).toThrow(
      /another architecture.*emb_layers/s,
    )
  })
})

describe('what does not fit is named', () => {
  test.each([
    [{ height: 6, multipliers: [1, 1, 2] }, /model.multipliers has 3 levels.*6 × 4.*multiple of 4/s],
    [{ groups: 3 }, /model.groups must divide.*4 × 1 = 4 channels for 3 groups/s],
    [{ attention: [16] }, /model.attention names a height of 16.*4, 2/s],
    [{ headChannels: 3 }, /model.headChannels.*4 channels for heads of 3/s],
  ] as const)('%j', (change, message) => {
    expect(unetProblem({ ...small, ...change })).toMatch(message)
    expect(() => unetNetwork({ ...small, ...change })).toThrow(message)
  })

  test('micro-batches', () => {
    expect(unetProblem(small)).toBeNull()
    expect(microBatchProblem(small, 6, 1)).toBeNull()
    expect(microBatchProblem(small, 6, 4)).toMatch(/must divide train.batch/)
    expect(microBatchProblem(small, 6, 2)).toMatch(/parts of 3 rows.*multiples of 64/s)
    expect(microBatchProblem(small, 64, 4)).toBeNull()
  })
})
