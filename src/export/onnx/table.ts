/**
 * From rows of numbers back to the columns of a table (src/data/tables/), as far as they are numbers: an output for each column,
 * float64 values with NaN for missing, or the index of a level with -1 for missing. What a number of a column's encoding stands for
 * is found as its encoder finds it (src/data/tables/encoders/); a share is the one thing that is computed in float32. Which of the
 * levels that few rows held a *rare* one is, is drawn from their shares, which a graph does not: there the index is that behind the last level.
 */

import { type EncoderName, type encoders, type Fitted, openEncoder } from '../../data/tables/encoders/registry.js'
import type { Encoding } from '../../data/tables/encoding.js'
import { normalQuantile } from '../../random/normal.js'
import { elementType, type Graph } from './graph.js'

type Column = Encoding['columns'][number]
type Categories = Extract<Column, { kept: unknown }>
type Numbers = Exclude<Column, Categories>

/** An output for a column, and what is to be known of it, for the metadata. */
export interface TableOutput {
  readonly output: string
  readonly name: string
  readonly kind: Column['kind']
  /** of numbers: decimals, or the format of a date (then the output has seconds since 1970, UTC) */
  readonly format?: object
  readonly levels?: readonly string[]
  /** levels that the index behind the last one stands for, as indices, and their shares of it */
  readonly rare?: { readonly levels: readonly number[]; readonly shares: readonly number[] }
}

/** Adds the outputs of a table's columns, of its rows of numbers [n, D]. */
export function tableOutputs(graph: Graph, rows: string, { columns }: Encoding, batch: string): TableOutput[] {
  let at = 0
  const take = ({ encoder, parameters }: Fitted): string => {
    const width = openEncoder({ encoder, parameters }).names.length
    const first = at
    at += width
    const own =
      width === 0 ? rows : graph.node('Slice', [rows, ...[[first], [at], [1]].map((each) => graph.integers(each))])
    return decoders[encoder](graph, own, parameters as never)
  }
  // of columns of numbers, by their place
  const made: string[] = []
  return columns.map((column, i) => {
    const output = `column_${i + 1}`
    const { name, kind } = column
    if ('kept' in column) {
      graph.output(categoryOf(graph, column, take), { name: output, type: 'int64', shape: [batch] })
      const { levels, rare, rareShares } = column
      return { output, name, kind, levels, ...(rare.length > 0 && { rare: { levels: rare, shares: rareShares } }) }
    }
    made[i] = numberOf(graph, column, take, made)
    graph.output(made[i], { name: output, type: 'double', shape: [batch] })
    return { output, name, kind, ...(column.format && { format: column.format }) }
  })
}

/** Values [n] of a column of numbers: ordinary ones, atoms, those of a column before it and missing ones by its state. */
function numberOf(
  graph: Graph,
  { state, atoms, same, missing, values }: Numbers,
  take: (fitted: Fitted) => string,
  before: readonly string[],
): string {
  const own = state && take(state)
  const value = take(values)
  if (!own) return value
  const others = graph.doubles([0, ...atoms, ...(same === undefined ? [] : [0]), ...(missing ? [Number.NaN] : [])])
  const index = graph.node('Cast', [own], { to: elementType('int64') })
  const is = (level: number): string => graph.node('Equal', [index, graph.integers([level])])
  const chosen = graph.node('Where', [is(0), value, graph.node('Gather', [others, index])])
  if (same === undefined) return chosen
  // where that one is missing it is a value of its own
  const other = graph.node('Where', [graph.node('IsNaN', [before[same]]), value, before[same]])
  return graph.node('Where', [is(1 + atoms.length), other, chosen])
}

/** Indices [n] into the levels of a category. */
function categoryOf(
  graph: Graph,
  { levels, kept, rare, missing, values }: Categories,
  take: (f: Fitted) => string,
): string {
  const number = graph.node('Cast', [take(values)], { to: elementType('int64') })
  const indices = [...kept, ...(rare.length > 0 ? [levels.length] : []), ...(missing ? [NO_LEVEL] : [])]
  return graph.node('Gather', [graph.integers(indices.length > 0 ? indices : [NO_LEVEL]), number])
}

/** The index of a missing level. */
const NO_LEVEL = -1

type ParametersOf<N extends EncoderName> = Parameters<(typeof encoders)[N]['open']>[0]
/** Values [n], float64, of the numbers [n, width] of an encoder; of one without numbers those of the rows. */
type Decoder<N extends EncoderName> = (graph: Graph, x: string, parameters: ParametersOf<N>) => string

/** [n, 1] as [n] */
const flat = (graph: Graph, x: string): string => graph.node('Reshape', [x, graph.integers([-1])])
const asDouble = (graph: Graph, x: string): string => graph.node('Cast', [x], { to: elementType('double') })

/** How many of the borders lie below each of the normals z [n, 1]: indices [n]. */
function bordersBelow(graph: Graph, z: string, shares: readonly number[]): string {
  const above = graph.node('Greater', [z, graph.constant(shares.map(normalQuantile), [1, shares.length])])
  const counted = graph.node('Cast', [above], { to: elementType('int64') })
  return graph.node('ReduceSum', [counted, graph.integers([1])], { keepdims: 0 })
}

/** The multiple of a unit that is nearest, halves up, within a range. */
function rounded(graph: Graph, x: string, unit: number, least: number, most: number): string {
  const half = graph.doubles([0.5], [])
  const steps = (value: string): string => graph.node('Floor', [graph.node('Add', [value, half])])
  let y = x
  if (unit > 0) {
    y = steps(graph.node('Div', [x, graph.doubles([unit], [])]))
    // 3 · 0.1 is not 0.3, and 3/10 is
    y =
      unit < 1
        ? graph.node('Div', [y, graph.doubles([Math.round(1 / unit)], [])])
        : graph.node('Mul', [y, graph.doubles([unit], [])])
  }
  return graph.node('Min', [graph.node('Max', [y, graph.doubles([least], [])]), graph.doubles([most], [])])
}

const decoders: { readonly [N in EncoderName]: Decoder<N> } = {
  constant(graph, x, { value }) {
    const rows = graph.node('Shape', [x], { start: 0, end: 1 })
    return graph.node('Expand', [graph.doubles([value]), rows])
  },
  ordered(graph, z, { values, ends }) {
    if (values.length === 1) return decoders.constant(graph, z, { value: values[0] })
    return graph.node('Gather', [graph.doubles(values), bordersBelow(graph, z, ends.slice(0, -1))])
  },
  quantile(graph, z, { x, u, unit }) {
    const last = x.length - 1
    // the first border is never above, and the last never below
    const above = graph.node('Add', [bordersBelow(graph, z, u.slice(1, -1)), graph.integers([1])])
    const at = (list: readonly number[]): [string, string] => [
      graph.node('Gather', [graph.doubles(list.slice(0, -1)), graph.node('Sub', [above, graph.integers([1])])]),
      graph.node('Gather', [graph.doubles(list), above]),
    ]
    const erf = graph.node('Erf', [graph.node('Mul', [z, graph.constant([Math.SQRT1_2], [])])])
    const half = graph.doubles([0.5], [])
    const share = graph.node('Add', [graph.node('Mul', [asDouble(graph, flat(graph, erf)), half]), half])
    const [low, high] = at(u)
    const along = graph.node('Div', [graph.node('Sub', [share, low]), graph.node('Sub', [high, low])])
    const within = graph.node('Min', [graph.node('Max', [along, graph.doubles([0], [])]), graph.doubles([1], [])])
    const [from, to] = at(x)
    const value = graph.node('Add', [from, graph.node('Mul', [within, graph.node('Sub', [to, from])])])
    return rounded(graph, value, unit, x[0] + unit / 2, x[last] - unit / 2)
  },
  standard(graph, z, { mean, std, unit, least, most }) {
    const scaled = graph.node('Mul', [asDouble(graph, flat(graph, z)), graph.doubles([std], [])])
    return rounded(graph, graph.node('Add', [scaled, graph.doubles([mean], [])]), unit, least, most)
  },
  oneHot(graph, x, { shares, scale }) {
    const uncentred = graph.node('Add', [x, graph.constant(shares.map((share) => scale * share))])
    return asDouble(graph, graph.node('ArgMax', [uncentred], { axis: 1, keepdims: 0 }))
  },
  /**
   * The nearest code of a level. The numbers below `levels` are families, one for each bit that is 1 in it: they share its bits above
   * that one, have a 0 there and any bits below. The nearest of a family has the nearest of its free bits, one by one.
   */
  code(graph, x, { levels, means, scale }) {
    const bits = means.map((_, bit) => bit)
    const bitOf = (level: number, bit: number): number => Math.floor(level / 2 ** bit) % 2
    const families = [...bits, means.length].filter((bit) => bitOf(levels, bit) === 1)
    const F = families.length
    const B = means.length
    const shape = [1, F, B]
    const fixed = families.flatMap((one) => bits.map((bit) => (bit > one ? bitOf(levels, bit) : 0)))
    const free = families.flatMap((one) => bits.map((bit) => (bit < one ? 1 : 0)))
    const row = graph.node('Reshape', [x, graph.integers([-1, 1, B])])
    const borders = graph.constant(means.map((mean) => scale * (0.5 - mean)))
    const nearest = graph.node('Cast', [graph.node('Greater', [row, borders])], { to: elementType('float') })
    const own = graph.node('Mul', [nearest, graph.constant(free, shape)])
    const codes = graph.node('Add', [own, graph.constant(fixed, shape)])
    const centred = graph.node('Sub', [codes, graph.constant(means)])
    const apart = graph.node('Sub', [row, graph.node('Mul', [centred, graph.constant([scale], [])])])
    const far = graph.node('ReduceSum', [graph.node('Mul', [apart, apart]), graph.integers([2])], { keepdims: 0 })
    const best = graph.node('ArgMin', [far], { axis: 1, keepdims: 1 })
    const powers = graph.constant(bits.map((bit) => 2 ** bit))
    const numbers = graph.node('ReduceSum', [graph.node('Mul', [codes, powers]), graph.integers([2])], { keepdims: 0 })
    return asDouble(graph, flat(graph, graph.node('GatherElements', [numbers, best], { axis: 1 })))
  },
}
