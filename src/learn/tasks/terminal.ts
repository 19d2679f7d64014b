/**
 * The map of a piece from its noise side, learnt from the teacher's velocity alone (Lagrangian distillation; Boffi, Albergo and
 * Vanden-Eijnden 2024): no states inside the piece are made, and none are stored.
 *
 * The piece has a time s of its own, 1 at its noise side and 0 at its data side, where the teacher moves by dX/ds = v(X, s). With x
 * the state at s = 1, X_s = x − (1 − s)·u(x, s) defines the average velocity u from s to 1. Differentiated in s it is
 *
 *     v(X_s, s) = u(x, s) − (1 − s)·∂_s u(x, s)
 *
 * so that u is learnt by least squares towards v(X_s, s) + (1 − s)·∂_s u(x, s), which is held fixed; at s = 1 it is the teacher's own
 * velocity, and bounded solutions are the flow's map alone: others differ from it by a multiple of 1/(1 − s).
 *
 * s runs evenly in the local time of each of the teacher's stages, of which a part each is in the piece; the velocity by s is the
 * stage's own times dt/ds.
 */

import { drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { stageCombine } from '../../kernels/stage_combine.js'
import { aligned, type ProgramTensor } from '../../program/program.js'
import type { Task } from '../task.js'
import { addOfTime, addScaled, besideTold, drawnBy, tableOfTime } from './of-time.js'

/** A part of a piece that lies in one of the teacher's stages. */
export interface StagePart {
  /** of the teacher's stages, from 0 at the data's side */
  readonly stage: number
  /** of the piece's time */
  readonly from: number
  readonly to: number
  /** of the stage's */
  readonly start: number
  readonly end: number
}

const rateOf = ({ from, to, start, end }: StagePart): number => (end - start) / (to - from)

/** dt/ds at the piece's noise side: u(x, 1) is so many times the stage's velocity. */
export const lastRate = (parts: readonly StagePart[]): number => rateOf(parts[parts.length - 1])

export interface TerminalPiece {
  /** from the data's side to the noise's; together they are [0, 1] of the piece's time */
  readonly parts: readonly StagePart[]
  /** the network's first time, the same in all rows; its second time is s */
  readonly time: number
  /** whether right ends are noise; else they are the pool's rows. What rows are told is a column of the pool's in both cases */
  readonly fromNoise: boolean
  /** of a conditional teacher: weight of the guidance of its velocities; left out: 1, none */
  readonly guidance?: number
}

export function terminalVelocity({ parts, time, fromNoise, guidance = 1 }: TerminalPiece): Task {
  const named = parts.map((part, i) => ({ part, name: `part ${i}` }))
  const ofPart =
    (part: StagePart) =>
    (s: number): [number, number] => {
      const inside = Math.min(part.to, Math.max(part.from, s))
      const rate = rateOf(part)
      // a border belongs to the part before it
      const within = inside === s && (s > part.from || part.from === 0)
      return [part.start + rate * (inside - part.from), within ? rate : 0]
    }
  return {
    readsRight: false,
    // the network with its tangent, and the teacher's stages
    passes: 2 + parts.length * (guidance === 1 ? 1 : 2),
    madeCondition: () => 1,
    readsTeacher: 1 + Math.max(...parts.map(({ stage }) => stage)),
    tables: {
      ends: Float32Array.of(...(fromNoise ? [0, 1, 0, 0, 0, 1, 0, 0] : [1, 0, 0, 0, 1, 0, 0, 0])),
      same: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0),
      remaining: tableOfTime((s) => [1 - s, 0]),
      ...Object.fromEntries(named.map(({ part, name }) => [name, tableOfTime(ofPart(part))])),
    },
    addStep(builder, on) {
      const { network, pool, tables, batch: B, state } = on
      const { dimension: D } = network
      const { teacher } = pool
      if (!teacher) throw new TypeError('this task needs a pool with a teacher')
      const C = network.condition - 1
      const x = builder.temporary([B, D])
      const told = C > 0 ? builder.temporary([B, C]) : undefined
      if (told && fromNoise) drawTold(told)
      builder.add(
        drawBatch,
        {
          // noise has no row of its own
          pool: builder.tensor(pool.left, [fromNoise ? 1 : pool.rows, D]),
          ...(told && !fromNoise && { pool_condition: conditions(), condition: told }),
          state,
          path_table: builder.view(tables.ends, [2, PATH_COLUMNS]),
          x,
          t: builder.temporary([B]),
          target: builder.temporary([B, D]),
        },
        { ...drawnBy(on), pairing: 'none', sampling: fromNoise ? 'replacement' : 'epochs' },
      )
      const { t: s, first: remaining } = addOfTime(builder, on, tables.remaining)
      const condition = besideTold(builder, told, builder.view(s, [B, 1]))
      const t = builder.constant(new Float32Array(B).fill(time))
      const [u, along] = [builder.temporary([B, D]), builder.temporary([B, D])]
      const ofSecond = Float32Array.from({ length: B * (C + 1) }, (_, i) => (i % (C + 1) === C ? 1 : 0))
      const dcondition = builder.constant(ofSecond, [B, C + 1])
      on.differentiate({ x, t, condition, dcondition, out: u, derivative: along })
      const state_s = addScaled(builder, x, -1, remaining, u)
      const P = teacher.network.parameterLength
      const parameters = builder.tensor(teacher.parameters)
      let velocity = builder.constant(new Float32Array(B * D), [B, D])
      for (const { part, name } of named) {
        const { first: local, second: rate } = addOfTime(builder, on, tables[name])
        const evaluate = (condition: ProgramTensor | undefined, out: ProgramTensor): void =>
          teacher.network.addVelocity(
            builder,
            { parameters: builder.view(parameters, [P], part.stage * P), x: state_s, t: local, condition, out },
            teacher.outputScales[part.stage],
          )
        velocity = addScaled(builder, velocity, 1, rate, told ? guided(told, evaluate) : plain(evaluate))
      }
      on.regress({ x, t, condition, target: addScaled(builder, velocity, 1, remaining, along) })

      function conditions(): ProgramTensor {
        if (!pool.condition) throw new TypeError('a conditional teacher needs a pool with what rows are told')
        return builder.tensor(pool.condition, [pool.rows, C])
      }

      /** One of the pool's conditions for each row. */
      function drawTold(told: ProgramTensor): void {
        builder.add(
          drawBatch,
          {
            pool: conditions(),
            state,
            path_table: builder.view(tables.same, [2, PATH_COLUMNS]),
            x: told,
            t: builder.temporary([B]),
            target: builder.temporary([B, C]),
          },
          { ...drawnBy(on), pairing: 'none', sampling: 'replacement' },
        )
      }

      type Evaluate = (condition: ProgramTensor | undefined, out: ProgramTensor) => void
      function plain(evaluate: Evaluate, condition?: ProgramTensor): ProgramTensor {
        const out = builder.temporary([B, D])
        evaluate(condition, out)
        return out
      }

      /** v_∅ + w (v_c − v_∅) */
      function guided(told: ProgramTensor, evaluate: Evaluate): ProgramTensor {
        if (guidance === 1) return plain(evaluate, told)
        const sides = builder.temporary([2, aligned(B * D)])
        const nothing = builder.constant(new Float32Array(B * C), [B, C])
        for (const [side, condition] of [told, nothing].entries()) {
          evaluate(condition, builder.view(sides, [B, D], side * aligned(B * D)))
        }
        const out = builder.temporary([B, D])
        const y = builder.view(sides, [B, D])
        builder.add(stageCombine, { y, stages: sides, out }, { coefficients: [guidance - 1, 1 - guidance] })
        return out
      }
    },
  }
}
