/**
 * The kernels on pictures, as their references define them: every backward kernel against finite differences of its
 * forward kernel (the parity cases are the inputs, windows, strides and masks included), and known answers.
 */

import { describe, expect, test } from 'vitest'
import { attention } from '../../src/kernels/attention.js'
import { averagePool } from '../../src/kernels/average_pool.js'
import type { Attributes, Kernel, ReferenceTensor, Shape } from '../../src/kernels/contract.js'
import { size } from '../../src/kernels/contract.js'
import { conv2d, plainConvolution } from '../../src/kernels/conv2d.js'
import { flowLoss } from '../../src/kernels/flow_loss.js'
import { groupNorm, plainNorm } from '../../src/kernels/group_norm.js'
import { kernels } from '../../src/kernels/registry.js'
import { timeEmbedding } from '../../src/kernels/time_embedding.js'
import { runReference } from '../parity/harness.js'
import { pictureCases } from '../parity/picture-cases.js'

type Tensors = Record<string, ReferenceTensor>

const tensor = (shape: Shape, value: (i: number) => number = () => 0): ReferenceTensor => ({
  shape,
  data: Float64Array.from({ length: size(shape) }, (_, i) => value(i)),
})
const wave = (shape: Shape, frequency: number, base = 0): ReferenceTensor =>
  tensor(shape, (i) => base + Math.sin(frequency * i + 1))

/** Σ of all elements of `output` times their `weights`, after a forward kernel. */
function scalar(forward: Kernel, operands: Tensors, attributes: Attributes, output: string, weights: Float64Array) {
  forward.reference(operands, attributes)
  return weights.reduce((sum, weight, i) => sum + weight * operands[output].data[i], 0)
}

/** Central differences of the scalar with respect to some elements of an operand. */
function differences(
  forward: Kernel,
  operands: Tensors,
  attributes: Attributes,
  output: string,
  weights: Float64Array,
  operand: string,
  elements: readonly number[],
): number[] {
  const { data } = operands[operand]
  return elements.map((i) => {
    const kept = data[i]
    const at = (value: number): number => {
      data[i] = value
      return scalar(forward, operands, attributes, output, weights)
    }
    const slope = (at(kept + 1e-5) - at(kept - 1e-5)) / 2e-5
    data[i] = kept
    return slope
  })
}

const some = (length: number): number[] => [
  ...new Set([0, length - 1, length >> 1, length >> 2, Math.floor(length / 3)]),
]
const general = <A extends object>(kernel: Kernel<A>): Kernel => kernel as unknown as Kernel

interface Check {
  readonly label: string
  readonly forward: Kernel
  readonly operands: Tensors
  readonly attributes: Attributes
  readonly output: string
  readonly weights: Float64Array
  /** gradients by the names of the forward kernel's operands, and the elements to compare */
  readonly gradients: Readonly<Record<string, { values: ArrayLike<number>; elements?: readonly number[] }>>
}

/** Elements of channel c of a picture window, in the operand's own data. */
const elementsOf = (shape: Shape, first: number, C: number, layout: unknown): number[] => {
  const S = shape[3]
  const all = Array.from({ length: size(shape) }, (_, i) => i)
  return layout === 'nchw' ? all : all.filter((i) => i % S >= first && i % S < first + C)
}

const small = (shape: Shape): boolean => size(shape) < 3000

/** Gradients of the convolution, from the parity cases of its two backward kernels. */
const convolutionChecks: Check[] = pictureCases
  .filter(({ kernel, operands }) => kernel === 'conv2d_backward_weight' && small(operands.x.shape))
  .map((one) => {
    const a = one.attributes as unknown as Record<string, never>
    const { x, dy, dweight, dshift } = one.operands
    const [, , C, N] = dweight.shape
    const clean = (values: ArrayLike<number>): Float64Array =>
      Float64Array.from(values, (v) => (Number.isNaN(v) ? 0 : v))
    const attributes = {
      ...plainConvolution,
      stride: a.stride,
      padding: a.padding,
      upsample: a.upsample,
      xLayout: a.xLayout,
      yLayout: a.dyLayout,
      xFirst: a.xFirst,
      yFirst: a.dyFirst,
      shiftFirst: a.shiftFirst,
    }
    const weight = wave(dweight.shape, 2.3)
    const back = kernels.get('conv2d_backward_input')!
    const dx = tensor(x.shape)
    back.reference(
      { dy: { shape: dy.shape, data: clean(dy.values) }, weight, dx },
      {
        ...attributes,
        dxLayout: a.xLayout,
        dyLayout: a.dyLayout,
        dxFirst: a.xFirst,
        dyFirst: a.dyFirst,
        savedFirst: 0,
        addFirst: 0,
        scale: 1,
      },
    )
    const found = runReference(kernels.get(one.kernel)!, one)
    const window = elementsOf(x.shape, a.xFirst, C, a.xLayout)
    return {
      label: one.label,
      forward: general(conv2d),
      operands: {
        x: { shape: x.shape, data: clean(x.values) },
        weight,
        bias: wave([N], 1.1),
        ...(dshift ? { shift: wave(dshift.shape, 0.7) } : {}),
        y: tensor(dy.shape),
      },
      attributes,
      output: 'y',
      weights: clean(dy.values),
      gradients: {
        x: { values: dx.data, elements: some(window.length).map((i) => window[i]) },
        weight: { values: found.dweight.data },
        bias: { values: found.dbias.data },
        ...(dshift
          ? {
              shift: {
                values: found.dshift.data,
                elements: some(N).map((n) => (dshift.shape[0] - 1) * dshift.shape[1] + (a.shiftFirst as number) + n),
              },
            }
          : {}),
      },
    }
  })

const normChecks: Check[] = [0, 0.4].flatMap((dropout) =>
  (['identity', 'silu'] as const).map((activation): Check => {
    const [B, H, W, C, S, first] = [2, 3, 2, 6, 9, 2]
    const attributes = {
      ...plainNorm,
      seedLow: 77,
      stream: 2,
      xFirst: first,
      groups: 3,
      activation,
      dropout,
      modulationFirst: 1,
      block: 3,
      addFirst: 0,
      add2First: 0,
    }
    const operands: Tensors = {
      x: wave([B, H, W, S], 1.7),
      gamma: wave([C], 0.9, 1),
      beta: wave([C], 2.1),
      modulation: wave([B, 2 * C + 3], 1.3),
      state: { shape: [8], data: Uint32Array.of(41, 0, 0, 0, 0, 0, 0, 0) },
      y: tensor([B, H, W, C]),
      statistics: tensor([B, 2, 3]),
    }
    const weights = wave([B, H, W, C], 3.1)
    groupNorm.reference(operands, attributes)
    const found: Tensors = {
      ...operands,
      dy: weights,
      dx: tensor([B, H, W, C]),
      dgamma: tensor([C]),
      dbeta: tensor([C]),
      dmodulation: tensor(operands.modulation.shape),
    }
    kernels.get('group_norm_backward')!.reference(found, attributes)
    const dx = new Float64Array(size(operands.x.shape))
    const window = elementsOf(operands.x.shape, first, C, 'nhwc')
    window.forEach((element, i) => {
      dx[element] = found.dx.data[i]
    })
    return {
      label: `${activation}, dropout ${dropout}`,
      forward: general(groupNorm),
      operands,
      attributes,
      output: 'y',
      weights: weights.data as Float64Array,
      gradients: {
        x: { values: dx, elements: some(window.length).map((i) => window[i]) },
        gamma: { values: found.dgamma.data },
        beta: { values: found.dbeta.data },
        modulation: { values: found.dmodulation.data },
      },
    }
  }),
)

const attentionChecks: Check[] = [
  [1, 2, 1, 1, 3],
  [2, 3, 3, 2, 4],
].map(([B, H, W, heads, d]): Check => {
  const C = heads * d
  const operands: Tensors = {
    qkv: wave([B, H, W, 3 * C], 1.9),
    y: tensor([B, H, W, C]),
    log_sum_exp: tensor([B, heads, H * W]),
  }
  attention.reference(operands, { heads })
  const dy = wave([B, H, W, C], 2.7)
  const dqkv = tensor([B, H, W, 3 * C])
  kernels.get('attention_backward')!.reference({ ...operands, dy, dqkv }, { heads })
  return {
    label: `${heads} heads of ${d}`,
    forward: general(attention),
    operands,
    attributes: { heads },
    output: 'y',
    weights: dy.data as Float64Array,
    gradients: { qkv: { values: dqkv.data } },
  }
})

const poolCheck: Check = (() => {
  const dy = wave([1, 2, 3, 2], 1.4)
  const dx = tensor([1, 4, 6, 2])
  kernels.get('average_pool_backward')!.reference({ dy, dx }, { dyFirst: 0, addFirst: 0, factor: 0.25 })
  return {
    label: 'mean of 2 × 2',
    forward: general(averagePool),
    operands: { x: wave([1, 4, 6, 2], 0.8), y: tensor([1, 2, 3, 2]) },
    attributes: { xFirst: 0, factor: 0.25 },
    output: 'y',
    weights: dy.data as Float64Array,
    gradients: { x: { values: dx.data } },
  }
})()

const lossCheck: Check = (() => {
  const attributes = { scale: 0.7, firstRow: 1 }
  const operands: Tensors = {
    v: wave([2, 3], 1.1),
    target: wave([2, 3], 2.9),
    delta: tensor([2, 3]),
    row_loss: tensor([4]),
  }
  flowLoss.reference(operands, attributes)
  return {
    label: 'two rows of four',
    forward: general(flowLoss),
    operands,
    attributes,
    output: 'row_loss',
    // the mean over the batch
    weights: new Float64Array(4).fill(1 / 4),
    // delta is the gradient of v/scale
    gradients: { v: { values: operands.delta.data.slice().map((value) => value / attributes.scale) } },
  }
})()

const checks = [...convolutionChecks, ...normChecks, ...attentionChecks, poolCheck, lossCheck]

describe('backward kernels are the derivatives of the forward ones', () => {
  test('of every kernel that has one', () => {
    expect(new Set(checks.map(({ forward }) => forward.name)).size).toBe(5)
    expect(convolutionChecks.length).toBeGreaterThan(10)
  })
  for (const { label, forward, operands, attributes, output, weights, gradients } of checks) {
    test(`${forward.name}: ${label}`, () => {
      for (const [name, { values, elements = some(values.length) }] of Object.entries(gradients)) {
        const slopes = differences(forward, operands, attributes, output, weights, name, elements)
        elements.forEach((element, i) => {
          expect(values[element], `${name}[${element}]`).toBeCloseTo(slopes[i], 5)
        })
      }
    })
  }
})

describe('known answers', () => {
  test('a kernel that picks a pixel shifts the picture; enlarged, each pixel is there four times', () => {
    const x = tensor([1, 2, 2, 1], (i) => i + 1)
    const weight = tensor([3, 3, 1, 1])
    weight.data[3] = 1 // row 1, column 0: the pixel on the left
    const y = tensor([1, 2, 2, 1])
    conv2d.reference({ x, weight, bias: tensor([1]), y }, plainConvolution)
    expect([...y.data]).toEqual([0, 1, 0, 3])
    weight.data.fill(0)
    weight.data[4] = 1
    const large = tensor([1, 4, 4, 1])
    conv2d.reference({ x, weight, bias: tensor([1]), y: large }, { ...plainConvolution, upsample: 2 })
    expect([...large.data]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
    const half = tensor([1, 1, 1, 1])
    conv2d.reference({ x, weight, bias: tensor([1]), y: half }, { ...plainConvolution, stride: 2 })
    expect([...half.data]).toEqual([1])
  })

  test('a group has mean 0 and variance 1; its statistics are kept', () => {
    const [B, H, W, C] = [2, 4, 3, 4]
    const x = wave([B, H, W, C], 2.2, 5)
    const y = tensor([B, H, W, C])
    const statistics = tensor([B, 2, 2])
    const gamma = tensor([C], () => 1)
    groupNorm.reference(
      { x, gamma, beta: tensor([C]), y, statistics },
      { ...plainNorm, groups: 2, activation: 'identity', epsilon: 1e-12 },
    )
    const group = [...y.data].filter((_, i) => i < H * W * C && i % C < 2)
    expect(group.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9)
    expect(group.reduce((sum, value) => sum + value ** 2, 0) / group.length).toBeCloseTo(1, 9)
    expect(statistics.data[0]).toBeGreaterThan(4)
  })

  test('dropout keeps the mean, drops its share, and depends on step, block and row alone', () => {
    const shape = [4, 8, 8, 8]
    const drop = (step: number, extra: object = {}, rows = 4): Float64Array => {
      const x = wave([rows, 8, 8, 8], 0.37, 3)
      const y = tensor([rows, 8, 8, 8])
      const gamma = tensor([8])
      const operands = {
        x,
        gamma,
        beta: tensor([8], () => 1),
        state: { shape: [8], data: Uint32Array.of(step, 0, 0, 0, 0, 0, 0, 0) },
        y,
        statistics: tensor([rows, 2, 8]),
      }
      groupNorm.reference(operands, { ...plainNorm, groups: 8, activation: 'identity', dropout: 0.25, ...extra })
      return y.data as Float64Array
    }
    const first = drop(1)
    const dropped = first.filter((value) => value === 0).length / size(shape)
    expect(dropped).toBeGreaterThan(0.22)
    expect(dropped).toBeLessThan(0.28)
    expect(first.filter((value) => value !== 0).every((value) => Math.abs(value - 4 / 3) < 1e-9)).toBe(true)
    expect(drop(1)).toEqual(first)
    expect(drop(2)).not.toEqual(first)
    expect(drop(1, { block: 1 })).not.toEqual(first)
    // the last two rows of the batch by themselves
    expect(drop(1, { firstRow: 2 }, 2)).toEqual(first.slice(2 * 8 * 8 * 8))
  })

  test('attention to equal keys is the mean of the values', () => {
    const [H, W, d] = [2, 2, 3]
    const qkv = tensor([1, H, W, 3 * d], (i) => (i % 9 < 3 ? Math.sin(i) : i % 9 < 6 ? 0.5 : i))
    const y = tensor([1, H, W, d])
    const logSumExp = tensor([1, 1, 4])
    attention.reference({ qkv, y, log_sum_exp: logSumExp }, { heads: 1 })
    const mean = (6 + 15 + 24 + 33) / 4
    for (let i = 0; i < 4; i++) expect(y.data[i * d]).toBeCloseTo(mean, 9)
    const score = (0.5 * (Math.sin(0) + Math.sin(1) + Math.sin(2))) / Math.sqrt(3)
    expect(logSumExp.data[0]).toBeCloseTo(score + Math.log(4), 9)
  })

  test('the embedding of t = 0 is ones, then zeros', () => {
    const y = tensor([1, 5])
    timeEmbedding.reference({ t: tensor([1]), y }, {})
    expect([...y.data]).toEqual([1, 1, 0, 0, 0])
  })
})
