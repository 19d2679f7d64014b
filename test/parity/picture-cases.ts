/** Parity cases of the kernels on pictures: convolutions, group normalisation, attention, pooling, time and loss. */

import type { ActivationName } from '../../src/kernels/activations.js'
import { type Conv2dAttributes, plainConvolution } from '../../src/kernels/conv2d.js'
import { plainBackwardInput } from '../../src/kernels/conv2d_backward_input.js'
import { plainBackwardWeight } from '../../src/kernels/conv2d_backward_weight.js'
import { outExtent } from '../../src/kernels/convolution.js'
import { plainNorm } from '../../src/kernels/group_norm.js'
import { plainNormBackward } from '../../src/kernels/group_norm_backward.js'
import type { Layout } from '../../src/kernels/pictures.js'
import { aligned } from '../../src/program/program.js'
import { type Case, type CaseOperand, seeded, state, testCase, type Values, written } from './harness.js'

interface Convolution {
  readonly B: number
  readonly H: number
  readonly W: number
  readonly C: number
  readonly N: number
  readonly k: 1 | 3 | 5
  /** rows of the kernel; 1: one of sequences. Default k */
  readonly kh?: 1
  readonly stride?: 1 | 2
  readonly padding?: number
  readonly upsample?: 1 | 2
  readonly xLayout?: Layout
  readonly yLayout?: Layout
  /** channels in front of and behind each window of channels */
  readonly beside?: readonly [number, number]
  readonly activation?: ActivationName
  readonly shift?: 'rows' | 'one'
  readonly residual?: 'whole' | 'half'
  readonly combine?: 'input' | 'output'
  readonly scale?: number
}

/** One pixel, odd extents and channels, 1 × 1, both strides, enlarged, windows, both layouts, more than a tile. */
const convolutions: readonly Convolution[] = [
  { B: 1, H: 1, W: 1, C: 1, N: 1, k: 3 },
  { B: 2, H: 5, W: 7, C: 3, N: 5, k: 3, activation: 'silu', shift: 'rows', scale: 0.6 },
  { B: 3, H: 8, W: 8, C: 1, N: 32, k: 3, xLayout: 'nchw', combine: 'input' },
  { B: 2, H: 6, W: 5, C: 32, N: 3, k: 3, yLayout: 'nchw', residual: 'whole', combine: 'output', scale: 0.25 },
  { B: 2, H: 8, W: 8, C: 16, N: 32, k: 3, beside: [32, 16], shift: 'one', residual: 'whole', activation: 'relu' },
  { B: 2, H: 8, W: 6, C: 17, N: 33, k: 3, stride: 2, beside: [3, 5] },
  { B: 1, H: 7, W: 9, C: 8, N: 8, k: 3, stride: 2, shift: 'rows' },
  { B: 2, H: 4, W: 4, C: 32, N: 32, k: 3, upsample: 2, beside: [0, 32] },
  { B: 1, H: 3, W: 5, C: 7, N: 11, k: 3, upsample: 2, residual: 'half', activation: 'tanh' },
  { B: 3, H: 4, W: 4, C: 48, N: 32, k: 1, padding: 0, residual: 'whole', beside: [16, 0] },
  { B: 1, H: 5, W: 3, C: 67, N: 71, k: 1, padding: 0, activation: 'gelu' },
  { B: 2, H: 6, W: 6, C: 4, N: 4, k: 1, padding: 0, stride: 2, residual: 'whole' },
  { B: 2, H: 16, W: 16, C: 64, N: 64, k: 3, shift: 'rows', residual: 'whole' },
  { B: 2, H: 8, W: 10, C: 32, N: 64, k: 3, stride: 2, shift: 'rows' },
  { B: 3, H: 5, W: 6, C: 64, N: 32, k: 1, padding: 0, beside: [0, 32] },
  { B: 1, H: 6, W: 6, C: 5, N: 9, k: 3, padding: 0 },
  { B: 3, H: 9, W: 37, C: 17, N: 35, k: 3, beside: [3, 2], activation: 'silu', shift: 'rows', residual: 'whole' },
  { B: 1, H: 6, W: 131, C: 4, N: 8, k: 3, scale: 2 },
  { B: 2, H: 9, W: 4, C: 2, N: 3, k: 3, padding: 2, upsample: 2, stride: 2, xLayout: 'nchw' },
  { B: 3, H: 5, W: 3, C: 4, N: 12, k: 3, padding: 0, upsample: 2, stride: 2, residual: 'half', activation: 'tanh' },
  { B: 2, H: 4, W: 5, C: 12, N: 36, k: 3, padding: 2, combine: 'output', shift: 'rows', activation: 'silu' },
  { B: 1, H: 5, W: 5, C: 8, N: 20, k: 3, combine: 'input', scale: 0.5 },
  // sequences: the paper's kernel of five, one step, both ways of changing their length, panels of channels, windows
  { B: 3, H: 1, W: 7, C: 3, N: 5, k: 5, kh: 1, padding: 2, shift: 'rows', activation: 'silu', combine: 'input' },
  { B: 1, H: 1, W: 1, C: 2, N: 3, k: 5, kh: 1, padding: 2 },
  { B: 1, H: 1, W: 16, C: 64, N: 64, k: 5, kh: 1, padding: 2, beside: [0, 64], shift: 'one', residual: 'whole' },
  { B: 5, H: 1, W: 11, C: 32, N: 40, k: 3, kh: 1, stride: 2, beside: [4, 8] },
  { B: 2, H: 1, W: 9, C: 17, N: 33, k: 5, kh: 1, padding: 2, stride: 2 },
  { B: 3, H: 1, W: 6, C: 48, N: 32, k: 3, kh: 1, upsample: 2, beside: [16, 0] },
  { B: 1, H: 1, W: 5, C: 7, N: 3, k: 5, kh: 1, padding: 1, upsample: 2, combine: 'output', yLayout: 'nchw' },
]

interface Pictures {
  readonly operand: CaseOperand
  readonly first: number
}

function convolution(given: Convolution) {
  const { B, H, W, C, N, k, stride = 1, padding = 1, upsample = 1, xLayout = 'nhwc', yLayout = 'nhwc' } = given
  const { beside = [0, 0], activation = 'identity', scale = 1 } = given
  const kh = given.kh ?? k
  const outH = kh === 1 && k > 1 ? 1 : outExtent(H, k, stride, padding, upsample)
  const outW = outExtent(W, k, stride, padding, upsample)
  const label =
    `${B} × ${H} × ${W}, ${kh} × ${k}, ${C} → ${N}` +
    `${stride === 2 ? ', stride 2' : ''}${upsample === 2 ? ', enlarged' : ''}${padding === 1 || k === 1 ? '' : `, padding ${padding}`}` +
    `${beside[0] + beside[1] ? ', windows' : ''}${xLayout === 'nchw' ? ', x nchw' : ''}${yLayout === 'nchw' ? ', y nchw' : ''}`
  const [before, after] = beside
  const shapeOf = (layout: Layout, h: number, w: number, channels: number): number[] =>
    layout === 'nchw' ? [B, channels, h, w] : [B, h, w, before + channels + after]
  /** Values of a picture tensor; those outside the window would spoil every result that read them. */
  const pictures = (v: Values, layout: Layout, h: number, w: number, channels: number, size = 1): Pictures => {
    const shape = shapeOf(layout, h, w, channels)
    const S = before + channels + after
    const outside = (i: number): boolean => layout === 'nhwc' && (i % S < before || i % S >= before + channels)
    return {
      operand: v.fill(shape, (i) => (outside(i) ? Number.NaN : size * v.gaussian())),
      first: layout === 'nhwc' ? before : 0,
    }
  }
  const first = (layout: Layout): number => (layout === 'nhwc' ? before : 0)
  return {
    ...given,
    kh,
    geometry: { stride, padding, upsample } as const,
    label,
    outH,
    outW,
    xLayout,
    yLayout,
    activation,
    scale,
    shapeOf,
    pictures,
    first,
    /** about unit gain */
    weight: (v: Values): CaseOperand => v.normal([kh, k, C, N], 1 / Math.sqrt(kh * k * C)),
  }
}

/** Columns in front of the shift, and behind: fours where the channels are, so that four can be loaded at a time. */
const besideShift = (N: number): readonly [number, number] => (N % 4 === 0 ? [8, 4] : [5, 2])

const forward = convolutions.map(convolution).map((one) =>
  testCase('conv2d', one.label, 4e-6, (v) => {
    const { B, H, W, C, N, outH, outW, xLayout, yLayout, combine, residual, shift } = one
    const x = one.pictures(v, xLayout, H, W, C)
    const half = residual === 'half' ? 2 : 1
    const added = residual && one.pictures(v, yLayout, outH / half, outW / half, N)
    const [before, after] = besideShift(N)
    const length = combine === 'input' ? B * H * W * C : B * outH * outW * N
    const attributes: Conv2dAttributes = {
      ...plainConvolution,
      ...one.geometry,
      activation: one.activation,
      beta: 1,
      xLayout,
      yLayout,
      xFirst: x.first,
      yFirst: one.first(yLayout),
      shiftFirst: shift ? before : 0,
      residualFirst: added ? added.first : 0,
      scale: one.scale,
      combine: combine ?? 'none',
      // a coefficient of zero means the stage is not read
      coefficients: combine ? [0.5, 0, -0.25] : [],
    }
    return {
      attributes: { ...attributes },
      operands: {
        x: x.operand,
        weight: one.weight(v),
        bias: v.normal([N]),
        ...(shift ? { shift: v.normal([shift === 'rows' ? B : 1, before + N + after]) } : {}),
        ...(added ? { residual: added.operand } : {}),
        ...(combine
          ? {
              stages: v.fill([4, aligned(length)], (i) =>
                Math.floor(i / aligned(length)) === 1 ? Number.NaN : v.gaussian(),
              ),
            }
          : {}),
        y: written(one.shapeOf(yLayout, outH, outW, N)),
      },
    }
  }),
)

const backwardInput = convolutions.map(convolution).map((one, i) =>
  testCase('conv2d_backward_input', one.label, 4e-6, (v) => {
    const { B, H, W, C, N, outH, outW, xLayout, yLayout, activation } = one
    const dy = one.pictures(v, yLayout, outH, outW, N)
    const add = i % 2 === 1 && one.pictures(v, 'nhwc', H, W, C)
    const saved = activation !== 'identity' && v.saved([B, H, W, C], activation, 1)
    return {
      attributes: {
        ...plainBackwardInput,
        ...one.geometry,
        activation,
        dyLayout: yLayout,
        dxLayout: xLayout,
        dyFirst: dy.first,
        dxFirst: one.first(xLayout),
        addFirst: add ? add.first : 0,
        scale: one.scale,
      },
      operands: {
        dy: dy.operand,
        weight: one.weight(v),
        ...(saved ? { saved } : {}),
        ...(add ? { add: add.operand } : {}),
        dx: written(one.shapeOf(xLayout, H, W, C)),
      },
    }
  }),
)

const backwardWeight = convolutions.map(convolution).map((one) =>
  testCase('conv2d_backward_weight', one.label, 4e-6, (v) => {
    const { B, H, W, C, N, k, kh, outH, outW, xLayout, yLayout, shift } = one
    const x = one.pictures(v, xLayout, H, W, C)
    const dy = one.pictures(v, yLayout, outH, outW, N)
    const [before, after] = besideShift(N)
    return {
      attributes: {
        ...plainBackwardWeight,
        ...one.geometry,
        xLayout,
        dyLayout: yLayout,
        xFirst: x.first,
        dyFirst: dy.first,
        shiftFirst: shift === 'rows' ? before : 0,
      },
      operands: {
        x: x.operand,
        dy: dy.operand,
        dweight: written([kh, k, C, N]),
        dbias: written([N]),
        ...(shift === 'rows' ? { dshift: written([B, before + N + after]) } : {}),
      },
    }
  }),
)

/** A picture tensor of B × H × W with C channels between `before` and `after` others that nobody may read. */
const windowed = (v: Values, [B, H, W, C]: readonly number[], before: number, after: number): CaseOperand => {
  const S = before + C + after
  return v.fill([B, H, W, S], (i) => (i % S < before || i % S >= before + C ? Number.NaN : v.gaussian()))
}

const norms = [
  { B: 1, H: 1, W: 1, C: 5, groups: 1, activation: 'identity', rows: 0, dropout: 0, before: 0, after: 0 },
  { B: 2, H: 5, W: 3, C: 6, groups: 3, activation: 'silu', rows: 2, dropout: 0, before: 4, after: 1 },
  { B: 3, H: 8, W: 8, C: 32, groups: 32, activation: 'silu', rows: 1, dropout: 0.3, before: 0, after: 32 },
  { B: 2, H: 4, W: 4, C: 96, groups: 32, activation: 'silu', rows: 0, dropout: 0.1, before: 0, after: 0 },
  { B: 2, H: 16, W: 16, C: 64, groups: 32, activation: 'identity', rows: 0, dropout: 0, before: 0, after: 0 },
  { B: 1, H: 7, W: 9, C: 35, groups: 5, activation: 'silu', rows: 1, dropout: 0.9, before: 2, after: 3 },
] as const

const MODULATION_FIRST = 3

const normalised = norms.flatMap(({ B, H, W, C, groups, activation, rows, dropout, before, after }, i) => {
  const label =
    `${B} × ${H} × ${W} × ${C}, ${groups} groups, ${activation}` +
    `${rows ? `, modulation of ${rows}` : ''}${dropout ? `, dropout ${dropout}` : ''}${before + after ? ', window' : ''}`
  const attributes = {
    ...plainNorm,
    ...seeded(2 ** 40 + 3, 5),
    xFirst: before,
    groups,
    activation,
    modulationFirst: rows ? MODULATION_FIRST : 0,
    dropout,
    block: 7 * i,
    firstRow: i % 2 === 0 ? 0 : 11,
  }
  const shape = [B, H, W, C]
  const M = 2 * C + MODULATION_FIRST + 4
  const common = (v: Values): Record<string, CaseOperand> => ({
    x: windowed(v, shape, before, after),
    gamma: v.range([C], 0.5, 1.5),
    beta: v.normal([C], 0.3),
    ...(rows ? { modulation: v.normal([rows, M], 0.5) } : {}),
    ...(dropout ? { state: state(1234) } : {}),
  })
  return [
    testCase('group_norm', label, 4e-6, (v) => ({
      attributes,
      operands: { ...common(v), y: written(shape), statistics: written([B, 2, groups]) },
    })),
    testCase('group_norm_backward', label, 6e-6, (v) => {
      const operands = common(v)
      return {
        attributes: { ...plainNormBackward, ...attributes, addFirst: i % 3 === 1 ? 2 : 0, add2First: 0 },
        operands: {
          ...operands,
          dy: v.normal(shape),
          statistics: statisticsOf(operands.x, shape, before, groups, attributes.epsilon),
          ...(i % 3 > 0 ? { add: windowed(v, shape, i % 3 === 1 ? 2 : 0, i % 3 === 1 ? 1 : 0) } : {}),
          ...(i % 3 === 2 ? { add2: windowed(v, shape, 0, 5) } : {}),
          dx: written(shape),
          ...(i % 4 === 3 ? {} : { dgamma: written([C]), dbeta: written([C]) }),
          ...(rows && i % 4 !== 3 ? { dmodulation: written([B, M]) } : {}),
        },
      }
    }),
  ]
})

/** What group_norm would have kept of x. */
function statisticsOf(
  x: CaseOperand,
  [B, H, W, C]: readonly number[],
  before: number,
  groups: number,
  epsilon: number,
): CaseOperand {
  const S = x.shape[3]
  const channels = C / groups
  const values = new Float32Array(B * 2 * groups)
  for (let b = 0; b < B; b++) {
    for (let g = 0; g < groups; g++) {
      const group: number[] = []
      for (let p = 0; p < H * W; p++) {
        const start = (b * H * W + p) * S + before + g * channels
        group.push(...x.values.subarray(start, start + channels))
      }
      const mean = group.reduce((sum, value) => sum + value, 0) / group.length
      const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / group.length
      values[b * 2 * groups + g] = mean
      values[(b * 2 + 1) * groups + g] = 1 / Math.sqrt(variance + epsilon)
    }
  }
  return { shape: [B, 2, groups], values }
}

/** [B, H, W, heads, channels of a head]: one position, odd ones, several heads, more positions than a block of keys, a wide head. */
const attentions = [
  [1, 1, 1, 1, 1],
  [2, 3, 5, 2, 7],
  [1, 8, 8, 2, 32],
  [3, 4, 4, 1, 64],
  [1, 16, 16, 1, 16],
  [1, 3, 6, 1, 300],
  [2, 5, 9, 2, 12],
] as const

const attended = attentions.flatMap(([B, H, W, heads, d]) => {
  const label = `${B} × ${H} × ${W}, ${heads} heads of ${d}`
  const C = heads * d
  return [
    testCase('attention', label, 4e-6, (v) => ({
      attributes: { heads },
      operands: {
        // scores of several units: some keys matter, others do not
        qkv: v.normal([B, H, W, 3 * C], 1.7),
        y: written([B, H, W, C]),
        log_sum_exp: written([B, heads, H * W]),
      },
    })),
    testCase('attention_backward', label, 2e-5, (v) => {
      const qkv = v.normal([B, H, W, 3 * C], 1.7)
      return {
        attributes: { heads },
        operands: {
          qkv,
          ...attentionOf(qkv, heads),
          dy: v.normal([B, H, W, C]),
          dqkv: written([B, H, W, 3 * C]),
        },
      }
    }),
  ]
})

/** What attention would have made of qkv. */
function attentionOf(qkv: CaseOperand, heads: number): { y: CaseOperand; log_sum_exp: CaseOperand } {
  const [B, H, W, S] = qkv.shape
  const N = H * W
  const C = S / 3
  const d = C / heads
  const y = new Float32Array(B * N * C)
  const logSumExp = new Float32Array(B * heads * N)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < heads; h++) {
      const part = (i: number, p: number): number[] => {
        const start = (b * N + i) * S + (3 * h + p) * d
        return [...qkv.values.subarray(start, start + d)]
      }
      for (let i = 0; i < N; i++) {
        const q = part(i, 0)
        const scores = Array.from({ length: N }, (_, j) => {
          const k = part(j, 1)
          return q.reduce((sum, value, c) => sum + value * k[c], 0) / Math.sqrt(d)
        })
        const total = scores.reduce((sum, score) => sum + Math.exp(score), 0)
        logSumExp[(b * heads + h) * N + i] = Math.log(total)
        for (let c = 0; c < d; c++) {
          y[(b * N + i) * C + h * d + c] = scores.reduce((sum, s, j) => sum + (Math.exp(s) / total) * part(j, 2)[c], 0)
        }
      }
    }
  }
  return {
    y: { shape: [B, H, W, C], values: y },
    log_sum_exp: { shape: [B, heads, N], values: logSumExp },
  }
}

const pooled = [
  { B: 1, h: 1, w: 1, C: 1, before: 0, after: 0, factor: 0.25 },
  { B: 2, h: 3, w: 5, C: 7, before: 2, after: 3, factor: 1 },
  { B: 3, h: 8, w: 8, C: 64, before: 64, after: 0, factor: 0.25 },
].flatMap(({ B, h, w, C, before, after, factor }) => {
  const label = `${B} × ${h} × ${w} × ${C}, factor ${factor}${before + after ? ', window' : ''}`
  return [
    testCase('average_pool', label, 1e-6, (v) => ({
      attributes: { xFirst: before, factor },
      operands: { x: windowed(v, [B, 2 * h, 2 * w, C], before, after), y: written([B, h, w, C]) },
    })),
    ...[0, 1].map((added) =>
      testCase('average_pool_backward', `${label}${added ? ', added' : ''}`, 1e-6, (v) => ({
        attributes: { dyFirst: before, addFirst: added ? after : 0, factor },
        operands: {
          dy: windowed(v, [B, h, w, C], before, after),
          ...(added ? { add: windowed(v, [B, 2 * h, 2 * w, C], after, 1) } : {}),
          dx: written([B, 2 * h, 2 * w, C]),
        },
      })),
    ),
  ]
})

const others: readonly Case[] = [
  ...[
    { B: 1, E: 2 },
    { B: 67, E: 33 },
    { B: 129, E: 128 },
  ].map(({ B, E }) =>
    testCase('time_embedding', `B ${B}, E ${E}`, 1e-6, (v) => ({
      operands: { t: v.range([B], 0, 1), y: written([B, E]) },
    })),
  ),
  testCase('time_embedding', 'times far out', 2e-6, (v) => ({
    operands: { t: v.range([31], -60, 60), y: written([31, 32]) },
  })),
  ...[
    { B: 1, D: 1, R: 1, firstRow: 0, scale: 1 },
    { B: 67, D: 43, R: 201, firstRow: 67, scale: 0.4 },
    { B: 5, D: 3072, R: 8, firstRow: 3, scale: 1 },
  ].map(({ B, D, R, firstRow, scale }) =>
    testCase('flow_loss', `B ${B} of ${R} from ${firstRow}, D ${D}`, 2e-6, (v) => ({
      attributes: { scale, firstRow },
      operands: { v: v.normal([B, D]), target: v.normal([B, D]), delta: written([B, D]), row_loss: written([R]) },
    })),
  ),
  ...[
    { B: 1, D: 1 },
    { B: 203, D: 2 },
    { B: 67, D: 43 },
    { B: 5, D: 3072 },
  ].map(({ B, D }) =>
    testCase('adaptive_target', `B ${B}, D ${D}`, 2e-6, (v) => ({
      attributes: { offset: 1e-3 },
      operands: { v: v.normal([B, D]), target: v.normal([B, D]), out: written([B, D]), row_loss: written([B]) },
    })),
  ),
  ...[1, 257, 70_001].map((P) =>
    testCase('accumulate', `P ${P}`, 1e-6, (v) => ({ operands: { part: v.normal([P]), total: v.normal([P]) } })),
  ),
]

export const pictureCases: readonly Case[] = [
  ...forward,
  ...backwardInput,
  ...backwardWeight,
  ...normalised,
  ...attended,
  ...pooled,
  ...others,
]
