/**
 * One network for several tasks: each has its part of every batch, and the network is told by its condition whose rows they are.
 */

import { size } from '../../kernels/contract.js'
import { stageCombine } from '../../kernels/stage_combine.js'
import { ALIGNMENT, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import type { Task } from '../task.js'

export interface ToldPart {
  /** regresses on rows that it draws */
  readonly task: Task
  /** [C] what the network is told of them */
  readonly condition: Float32Array
  /** its targets are divided by this, so that the network learns all of them on one scale */
  readonly scale: number
}

/** Parts begin at multiples of it: windows on a tensor begin at multiples of ALIGNMENT elements, and a pair's times lie together. */
function unitOf(timesPerPair: number): number {
  let unit = timesPerPair
  while (unit % ALIGNMENT !== 0) unit += timesPerPair
  return unit
}

/**
 * Where the rows of each part begin, and the end of the last. Parts are as large as each other but for rounding; of a batch
 * (of validation rows) that is too small for all of them the last have more.
 */
export function partBounds(batch: number, parts: number, timesPerPair: number): number[] {
  const unit = unitOf(timesPerPair)
  return Array.from({ length: parts + 1 }, (_, k) =>
    k === parts ? batch : Math.floor((k * batch) / parts / unit) * unit,
  )
}

/** The least batch of which every part has rows. */
export const leastBatch = (parts: number, timesPerPair: number): number => parts * unitOf(timesPerPair)

/** Adds out = factor·from. */
function addMultiple(builder: ProgramBuilder, from: ProgramTensor, factor: number, out: ProgramTensor): void {
  const stages = builder.view(from, [1, size(from.shape)])
  builder.add(stageCombine, { y: from, stages, out }, { coefficients: [factor - 1] })
}

/** @param timesPerPair rows that a task draws of one pair */
export function toldParts(parts: readonly ToldPart[], timesPerPair: number): Task {
  const C = parts[0].condition.length
  const nameOf = (k: number, name: string): string => `${name}${k}`
  return {
    readsRight: parts.some(({ task }) => task.readsRight),
    madeCondition: () => Infinity,
    tables: Object.fromEntries(
      parts.flatMap(({ task }, k) => Object.entries(task.tables).map(([name, values]) => [nameOf(k, name), values])),
    ),
    addStep(builder, on) {
      const { network, batch: B } = on
      const D = network.dimension
      const bounds = partBounds(B, parts.length, timesPerPair)
      const whole = { x: builder.temporary([B, D]), t: builder.temporary([B]), target: builder.temporary([B, D]) }
      const told = new Float32Array(B * C)
      parts.forEach(({ task, condition, scale }, k) => {
        const [first, end] = [bounds[k], bounds[k + 1]]
        for (let row = first; row < end; row++) told.set(condition, row * C)
        if (first === end) return
        const own = Object.keys(task.tables).map((name) => [name, on.tables[nameOf(k, name)]] as const)
        task.addStep(builder, {
          ...on,
          network: { ...network, condition: 0 },
          tables: Object.fromEntries(own),
          batch: end - first,
          stream: on.stream + k,
          inputs: 'f32',
          regress({ x, t, target }) {
            const rows = end - first
            addMultiple(builder, x, 1, builder.view(whole.x, [rows, D], first * D))
            addMultiple(builder, t, 1, builder.view(whole.t, [rows], first))
            addMultiple(builder, target, 1 / scale, builder.view(whole.target, [rows, D], first * D))
          },
        })
      })
      on.regress({ ...whole, condition: builder.constant(told, [B, C]) })
    },
  }
}
