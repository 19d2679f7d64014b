/**
 * The kernels of a forward pass as ONNX operators, one function each. A kernel that is not in the table cannot be exported,
 * and is named. In the graph pictures are [B, C, H, W], times a column [B, 1] (or [1, 1] for all rows).
 */

import type { ActivationName } from '../../kernels/activations.js'
import type { AttentionAttributes } from '../../kernels/attention.js'
import type { AveragePoolAttributes } from '../../kernels/average_pool.js'
import type { Conv2dAttributes } from '../../kernels/conv2d.js'
import { isSequenceKernel } from '../../kernels/convolution.js'
import type { GroupNormAttributes } from '../../kernels/group_norm.js'
import type { ActivationAttributes } from '../../kernels/linear.js'
import type { LinearForwardAttributes } from '../../kernels/linear_forward.js'
import { LEAST_NOISE, type SoftmaxSegmentsAttributes, velocityAt } from '../../kernels/softmax_segments.js'
import type { StageCombineAttributes } from '../../kernels/stage_combine.js'
import type { ProgramTensor } from '../../program/program.js'

import { elementType, type Graph } from './graph.js'
import type { Memory } from './memory.js'

interface Context {
  readonly graph: Graph
  readonly memory: Memory
}
type Operands = Readonly<Record<string, ProgramTensor>>
type Translation<A> = (context: Context, operands: Operands, attributes: A) => void

const activationNodes: Record<ActivationName, (graph: Graph, x: string, beta: number) => string> = {
  identity: (_, x) => x,
  relu: (graph, x) => graph.node('Relu', [x]),
  elu: (graph, x) => graph.node('Elu', [x]),
  tanh: (graph, x) => graph.node('Tanh', [x]),
  softplus: (graph, x, beta) => scaled(graph, graph.node('Softplus', [scaled(graph, x, beta)]), 1 / beta),
  silu: (graph, x) => graph.node('Mul', [x, graph.node('Sigmoid', [x])]),
  gelu(graph, x) {
    const erf = graph.node('Erf', [scaled(graph, x, Math.SQRT1_2)])
    return scaled(graph, graph.node('Mul', [x, graph.node('Add', [erf, graph.constant([1], [])])]), 1 / 2)
  },
}

/** factor·x */
const scaled = (graph: Graph, x: string, factor: number): string =>
  factor === 1 ? x : graph.node('Mul', [x, graph.constant([factor], [])])

const plus = (graph: Graph, ...terms: string[]): string => terms.reduce((sum, term) => graph.node('Add', [sum, term]))

/** `count` columns or channels from `first` on. */
const part = (graph: Graph, x: string, first: number, count: number): string =>
  graph.node('Slice', [x, ...[[first], [first + count], [1]].map((numbers) => graph.integers(numbers))])

const reshape = (graph: Graph, x: string, shape: readonly number[]): string =>
  graph.node('Reshape', [x, graph.integers(shape)])

/** Columns [B, C] as what every pixel of a channel gets. */
const perChannel = (graph: Graph, columns: string, C: number): string => reshape(graph, columns, [0, C, 1, 1])

/** Each pixel repeated 2 × 2, or `rows` × 2. */
const enlarged = (graph: Graph, x: string, rows = 2): string =>
  graph.node('Resize', [x, '', graph.constant([1, 1, rows, 2])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  })

/** Stages with coefficients other than 0, each a window as large as `like`. */
function stagesOf(
  stages: ProgramTensor,
  coefficients: readonly number[],
  like: ProgramTensor,
): [ProgramTensor, number][] {
  const [, stride] = stages.shape
  return coefficients.flatMap((coefficient, s): [ProgramTensor, number][] =>
    coefficient === 0 ? [] : [[{ ...stages, offset: stages.offset + s * stride, shape: like.shape }, coefficient]],
  )
}

/** [kh, kw, C, N] as ONNX has it, [N, C, kh, kw]. */
const channelsFirst =
  ([kh, kw, C, N]: readonly number[]) =>
  (values: Float32Array): Float32Array => {
    const taps = kh * kw
    const turned = new Float32Array(values.length)
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0; c < C; c++) {
        for (let n = 0; n < N; n++) turned[(n * C + c) * taps + tap] = values[(tap * C + c) * N + n]
      }
    }
    return turned
  }

const inputFeatures: Translation<object> = ({ graph, memory }, { x, condition, frequencies, y }) => {
  const rows = memory.rows(x)
  const parts = [rows]
  if (condition) {
    const given = memory.rows(condition)
    // one row for all is joined to as many as x has
    const zeros = memory.isConstant(condition) ? [scaled(graph, part(graph, rows, 0, 1), 0)] : []
    parts.push(plus(graph, given, ...zeros))
  }
  for (const frequency of frequencies ? memory.known(frequencies) : []) {
    const angle = scaled(graph, rows, frequency)
    parts.push(graph.node('Sin', [angle]), graph.node('Cos', [angle]))
  }
  memory.holdRows(y, graph.node('Concat', parts, { axis: 1 }))
}

const linearForward: Translation<LinearForwardAttributes> = ({ graph, memory }, o, { activation, beta, scale }) => {
  const weight = memory.parameters('weight', o.weight)
  const bias = memory.parameters('bias', o.bias)
  let z = graph.node('Gemm', [memory.rows(o.x), weight, bias], { transB: 1 })
  if (o.t) {
    const row = memory.parameters('time_weight', o.time_weight, [1, ...o.time_weight.shape])
    z = plus(graph, z, graph.node('Mul', [memory.times(o.t), row]))
  }
  if (o.z) memory.holdRows(o.z, z)
  memory.holdRows(o.y, scaled(graph, activationNodes[activation](graph, z, beta), scale))
}

const activation: Translation<ActivationAttributes> = ({ graph, memory }, o, a) =>
  memory.holdRows(o.y, activationNodes[a.activation](graph, memory.rows(o.x), a.beta))

const timeEmbedding: Translation<object> = ({ graph, memory }, { t, y }) => {
  const [, E] = y.shape
  const half = Math.floor(E / 2)
  const frequencies = Array.from({ length: half }, (_, k) => 10_000 ** (-k / half))
  const times = memory.times(t)
  const angles = graph.node('Mul', [times, graph.constant(frequencies, [1, half])])
  const zero = E % 2 === 1 ? [scaled(graph, times, 0)] : []
  const waves = [graph.node('Cos', [angles]), graph.node('Sin', [angles]), ...zero]
  memory.holdRows(y, graph.node('Concat', waves, { axis: 1 }))
}

const conv2d: Translation<Conv2dAttributes> = ({ graph, memory }, o, a) => {
  const [kh, kw, C, N] = o.weight.shape
  let x = memory.picture(o.x, a.xLayout, a.xFirst, C)
  if (a.combine === 'input') {
    const stages = stagesOf(o.stages, a.coefficients, o.x)
    x = plus(graph, x, ...stages.map(([stage, c]) => scaled(graph, memory.picture(stage, a.xLayout), c)))
  }
  const sequence = isSequenceKernel(kh, kw)
  if (a.upsample === 2) x = enlarged(graph, x, sequence ? 1 : 2)
  const weight = memory.parameters('weight', o.weight, [N, C, kh, kw], channelsFirst(o.weight.shape))
  const bias = memory.parameters('bias', o.bias)
  const { padding: p, stride } = a
  let y = graph.node('Conv', [x, weight, bias], {
    kernel_shape: [kh, kw],
    pads: sequence ? [0, p, 0, p] : [p, p, p, p],
    strides: [stride, stride],
  })
  if (o.shift) y = plus(graph, y, perChannel(graph, part(graph, memory.rows(o.shift), a.shiftFirst, N), N))
  y = scaled(graph, activationNodes[a.activation](graph, y, a.beta), a.scale)
  if (o.residual) {
    const residual = memory.picture(o.residual, a.yLayout, a.residualFirst, N)
    const halved = a.yLayout === 'nhwc' && 2 * o.residual.shape[1] === o.y.shape[1]
    y = plus(graph, y, halved ? enlarged(graph, residual) : residual)
  }
  if (a.combine === 'output') {
    const stages = stagesOf(o.stages, a.coefficients, o.y)
    y = plus(graph, y, ...stages.map(([stage, c]) => scaled(graph, memory.picture(stage, a.yLayout), c)))
  }
  memory.holdPicture(o.y, a.yLayout, a.yFirst, N, y)
}

/**
 * A group as one channel of an instance normalisation: GroupNormalization of operator set 18 scales and shifts groups instead of
 * channels, and that of 21 is missing in some runtimes.
 */
const groupNorm: Translation<GroupNormAttributes> = ({ graph, memory }, o, a) => {
  const [C] = o.gamma.shape
  const { groups } = a
  const [, H, W] = o.y.shape
  const x = reshape(graph, memory.picture(o.x, 'nhwc', a.xFirst, C), [0, groups, -1])
  const [ones, zeros] = [1, 0].map((value) => graph.constant(new Array<number>(groups).fill(value)))
  const normal = graph.node('InstanceNormalization', [x, ones, zeros], { epsilon: { float: a.epsilon } })
  const gamma = memory.parameters('gamma', o.gamma, [1, C, 1, 1])
  const beta = memory.parameters('beta', o.beta, [1, C, 1, 1])
  let z = plus(graph, graph.node('Mul', [reshape(graph, normal, [0, C, H, W]), gamma]), beta)
  if (o.modulation) {
    const columns = memory.rows(o.modulation)
    const [scale, shift] = [0, C].map((first) =>
      perChannel(graph, part(graph, columns, a.modulationFirst + first, C), C),
    )
    z = plus(graph, graph.node('Mul', [z, plus(graph, scale, graph.constant([1], []))]), shift)
  }
  memory.holdPicture(o.y, 'nhwc', 0, C, activationNodes[a.activation](graph, z, 1))
}

const attention: Translation<AttentionAttributes> = ({ graph, memory }, { qkv, y }, { heads }) => {
  const [, H, W, C] = y.shape
  const d = C / heads
  const parts = reshape(graph, memory.picture(qkv, 'nhwc'), [0, heads, 3 * d, H * W])
  const [q, k, v] = graph.nodeOf(3, 'Split', [parts], { axis: 2 })
  const turned = (x: string): string => graph.node('Transpose', [x], { perm: [0, 1, 3, 2] })
  const scores = scaled(graph, graph.node('MatMul', [turned(q), k]), 1 / Math.sqrt(d))
  const mixed = graph.node('MatMul', [v, turned(graph.node('Softmax', [scores], { axis: -1 }))])
  memory.holdPicture(y, 'nhwc', 0, C, reshape(graph, mixed, [0, C, H, W]))
}

const averagePool: Translation<AveragePoolAttributes> = ({ graph, memory }, { x, y }, { xFirst, factor }) => {
  const C = y.shape[3]
  const pooled = graph.node('AveragePool', [memory.picture(x, 'nhwc', xFirst, C)], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  })
  memory.holdPicture(y, 'nhwc', 0, C, scaled(graph, pooled, 4 * factor))
}

const stageCombine: Translation<StageCombineAttributes> = ({ graph, memory }, { y, stages, out }, { coefficients }) => {
  const terms = stagesOf(stages, coefficients, y).map(([stage, c]) => scaled(graph, memory.rows(stage), c))
  memory.holdRows(out, plus(graph, memory.rows(y), ...terms))
}

/** Numbers [n, 1] of rows of a table [K, N] at positions 0 … K − 1 between them, a name for each of the columns. */
function between(graph: Graph, table: string, last: number, columns: number, position: string): string[] {
  const clamped = graph.node('Min', [graph.node('Floor', [position]), graph.constant([last - 1], [])])
  const fraction = graph.node('Sub', [position, clamped])
  const knot = graph.node('Cast', [clamped], { to: elementType('int64') })
  const flat = reshape(graph, knot, [-1])
  const [at, next] = [0, 1].map((ahead) =>
    graph.node('Gather', [table, graph.node('Add', [flat, graph.integers([ahead])])], { axis: 0 }),
  )
  const rows = plus(graph, at, graph.node('Mul', [fraction, graph.node('Sub', [next, at])]))
  return graph.nodeOf(columns, 'Split', [rows], { axis: 1 })
}

/** α and β of the velocity of a predicted end, columns [n, 1] or [1, 1]. */
function velocityOfEnd({ graph, memory }: Context, { t, path_table: table }: Operands): { state: string; end: string } {
  if (memory.isConstant(t)) {
    const { state, end } = velocityAt(memory.known(t)[0], { data: memory.known(table), shape: table.shape })
    return { state: graph.constant([state], [1, 1]), end: graph.constant([end], [1, 1]) }
  }
  const last = table.shape[0] - 1
  const position = scaled(graph, memory.times(t), last)
  const [signal, noise, signalRate, noiseRate] = between(
    graph,
    memory.parameters('path', table),
    last,
    table.shape[1],
    position,
  )
  const state = graph.node('Div', [noiseRate, graph.node('Max', [noise, graph.constant([LEAST_NOISE], [])])])
  return { state, end: graph.node('Sub', [signalRate, graph.node('Mul', [signal, state])]) }
}

const softmaxOfSegments: Translation<SoftmaxSegmentsAttributes> = (context, o, { factor }) => {
  const { graph, memory } = context
  const D = o.x.shape[1]
  const logits = memory.rows(o.x)
  const [starts, encoding] = [memory.known(o.starts), memory.known(o.encoding)]
  const widths = Array.from(starts.subarray(1), (end, s) => end - starts[s])
  // a Softmax for each category, and the numbers between them as they are
  const parts = widths.map((width, s) => {
    const own = part(graph, logits, starts[s], width)
    if (width === 1) return own
    const [scale, centre] = [0, D].map((at) =>
      graph.constant([...encoding.subarray(at + starts[s], at + starts[s] + width)], [1, width]),
    )
    return graph.node('Mul', [graph.node('Sub', [graph.node('Softmax', [own], { axis: 1 }), centre]), scale])
  })
  const end = graph.node('Concat', parts, { axis: 1 })
  if (!o.state) {
    memory.holdRows(o.y, end)
    return
  }
  const categories = widths.flatMap((width) => new Array<number>(width).fill(width > 1 ? 1 : 0))
  const mask = graph.constant(categories, [1, D])
  const numbers = graph.constant(
    categories.map((value) => 1 - value),
    [1, D],
  )
  const velocity = velocityOfEnd(context, o)
  const ofEnd = plus(graph, graph.node('Mul', [velocity.end, mask]), numbers)
  const ofState = graph.node('Mul', [velocity.state, mask])
  const terms = [graph.node('Mul', [end, ofEnd]), graph.node('Mul', [memory.rows(o.state), ofState])]
  memory.holdRows(o.y, scaled(graph, plus(graph, ...terms), factor))
}

const translations: Readonly<Record<string, Translation<never>>> = {
  input_features: inputFeatures,
  linear_forward: linearForward,
  activation,
  time_embedding: timeEmbedding,
  conv2d,
  group_norm: groupNorm,
  attention,
  average_pool: averagePool,
  stage_combine: stageCombine,
  softmax_segments: softmaxOfSegments,
}

/** Kernels that can be exported. */
export const translated = Object.keys(translations)

/** How a kernel is written into a graph; undefined: not at all. */
export const translationOf = (kernel: string): Translation<object> | undefined =>
  Object.hasOwn(translations, kernel) ? (translations[kernel] as Translation<object>) : undefined
