/**
 * What a conditional model is told, as inputs of a graph in the units of the data: `cond` [n, C] or `class` [n] (int64), and from
 * them the numbers that its networks take (src/model/condition.ts). Where the model has learnt to go without, a row of `cond` that
 * holds a NaN and the class -1 tell nothing. A class that is none of the model's is an error of the runtime: it indexes a list
 * outside of it.
 */

import { conditionWidth, goesWithout } from '../../model/condition.js'
import type { ExportedCondition } from '../exporter.js'
import { elementType, type Graph } from './graph.js'

/** The class that tells nothing. */
export const NO_CLASS = -1

/** An index beyond any list. */
const NOWHERE = 2 ** 30

/** The network's numbers [n, C] of what is given. */
export const told = (graph: Graph, condition: ExportedCondition, batch: string): string =>
  condition.kind === 'classes' ? classRows(graph, condition, batch) : columnRows(graph, condition, batch)

/** Zeros [n, C], n the rows of `like`. */
export function nothingTold(graph: Graph, like: string, C: number): string {
  const rows = graph.node('Shape', [like], { start: 0, end: 1 })
  return graph.node('ConstantOfShape', [graph.node('Concat', [rows, graph.integers([C])], { axis: 0 })])
}

function columnRows(graph: Graph, condition: Extract<ExportedCondition, { kind: 'columns' }>, batch: string): string {
  const { scaler, dropout } = condition
  const given = graph.input({ name: 'cond', shape: [batch, scaler.mean.length] })
  const centred = graph.node('Sub', [given, graph.constant(scaler.mean)])
  const scaled = graph.node('Div', [centred, graph.constant(scaler.std)])
  if (dropout === 0) return scaled
  if (!goesWithout(condition)) {
    // the place that says that columns are given
    const ones = graph.node('Add', [nothingTold(graph, scaled, 1), graph.constant([1], [])])
    return graph.node('Concat', [scaled, ones], { axis: 1 })
  }
  // a row that holds a NaN has a sum that is one
  const sum = graph.node('ReduceSum', [given, graph.integers([1])], { keepdims: 1 })
  const missing = graph.node('IsNaN', [sum])
  const [zero, one] = [0, 1].map((value) => graph.constant([value], [1, 1]))
  const rows = graph.node('Where', [missing, zero, scaled])
  return graph.node('Concat', [rows, graph.node('Where', [missing, zero, one])], { axis: 1 })
}

function classRows(graph: Graph, condition: Extract<ExportedCondition, { kind: 'classes' }>, batch: string): string {
  const { classes } = condition
  const K = conditionWidth(condition)
  // the place behind the last one is that of no class, and of zeros
  const names = goesWithout(condition) ? [...classes, NO_CLASS] : classes
  const integers = (values: readonly number[]): string => graph.integers(values)
  const given = graph.node('Reshape', [
    graph.input({ name: 'class', type: 'int64', shape: [batch] }),
    integers([-1, 1]),
  ])
  const alike = graph.node('Cast', [graph.node('Equal', [given, integers(names)])], { to: elementType('int64') })
  const steps = graph.node('Mul', [alike, integers(names.map((_, place) => place - NOWHERE))])
  const place = graph.node('Add', [
    graph.node('ReduceSum', [steps, integers([1])], { keepdims: 0 }),
    integers([NOWHERE]),
  ])
  const known = graph.node('Gather', [integers(names.map((_, i) => i)), place])
  return graph.node('OneHot', [known, integers([K]), graph.constant([0, Math.sqrt(K)])], { axis: -1 })
}
