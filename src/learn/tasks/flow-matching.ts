/**
 * Flow matching (Lipman et al. 2023; Albergo and Vanden-Eijnden 2023), and a sub-flow of Local Flow Matching (Xu et al.
 * 2024): the network learns the velocity dI_t/dt of a path between a left end of the pool and a right end that is its
 * Ornstein–Uhlenbeck image, noise, or stored beside it.
 */

import { cleanLeft, drawBatch, PATH_COLUMNS, type Pairing, type Sampling } from '../../kernels/draw_batch.js'
import { seedWords } from '../../kernels/draws.js'
import { poolWords } from '../../kernels/pool.js'
import { couplings, type DrawnCoupling } from '../couplings.js'
import { type OuStep, ouStep } from '../noise.js'
import { type Coefficients, noisingOf, type Path } from '../paths/path.js'
import { type PathName, paths } from '../paths/registry.js'
import type { Task } from '../task.js'

export interface FlowMatching {
  /** where right ends come from: a step γ (null: straight to noise), or the pool's column `right` */
  readonly right: { readonly gamma: number | null; readonly coupling: DrawnCoupling } | 'stored'
  readonly path: PathName
  /** noise on the left ends, drawn anew for every batch: x_l = decay·row + spread·z. Default: the rows as they are */
  readonly left?: OuStep
  /** B / timesPerPair pairs of ends in a batch, each at so many times */
  readonly timesPerPair: number
  /** quantile function of t; null: uniform */
  readonly quantiles: Float32Array | null
  readonly sampling: Sampling
  /** probability that a row's condition is left out, for networks that take one; default 0 */
  readonly drop?: number
  /** seed of masks, for tasks that learn rows with some of their columns given; left out: none are */
  readonly masks?: number
}

/** Knots of a path's table: linear between them, its error is below float32's. */
const KNOTS = 4097

function tableOf(at: (t: number) => Coefficients): Float32Array {
  const table = new Float32Array(KNOTS * PATH_COLUMNS)
  for (let k = 0; k < KNOTS; k++) {
    const { left, right, leftRate, rightRate } = at(k / (KNOTS - 1))
    table.set([left, right, leftRate, rightRate], k * PATH_COLUMNS)
  }
  return table
}

/** The attributes of draw_batch for the ends and the path between them. */
function drawn({ right, path: name }: FlowMatching): {
  pairing: Pairing
  path: 'linear' | 'trig' | 'table'
  table: Float32Array | null
  step: OuStep
} {
  const path: Path = paths[name]
  const between = path.closedForm
    ? { path: path.closedForm, table: null }
    : { path: 'table' as const, table: tableOf((t) => path.between(t)) }
  if (right === 'stored') return { ...between, pairing: 'stored', step: ouStep(null) }
  const step = ouStep(right.gamma)
  const { pairing } = couplings[right.coupling]
  const free = right.gamma === null
  if (path.noising && (free || pairing === 'own')) {
    // a path of its own from x_l to noise: the kernel's right end is the noise
    return { pairing: 'none', path: 'table', table: tableOf((t) => noisingOf(path, t, step)), step }
  }
  return { ...between, pairing: free ? 'none' : pairing, step }
}

/** The task of learning such a velocity. */
export function flowMatching(settings: FlowMatching): Task {
  const {
    left = { decay: cleanLeft.leftDecay, spread: cleanLeft.leftSpread },
    timesPerPair,
    quantiles,
    sampling,
    drop = 0,
  } = settings
  const { pairing, path, table, step } = drawn(settings)
  return {
    readsRight: pairing === 'stored',
    tables: { ...(quantiles && { quantiles }), ...(table && { path: table }) },
    addStep(builder, { network, pool, tables, batch: B, seed, stream, state, inputs, regress }) {
      const { dimension: D, condition: C } = network
      const x = builder.temporary([B, D], inputs)
      const target = builder.temporary([B, D])
      const t = builder.temporary([B])
      const condition = C > 0 ? builder.temporary([B, C]) : undefined
      const { values, mirror } = pool.reading
      builder.add(
        drawBatch,
        {
          pool: builder.tensor(pool.left, [pool.rows, poolWords(D, values)]),
          right: pairing === 'stored' && pool.right ? builder.tensor(pool.right, [pool.rows, D]) : undefined,
          pool_condition: pool.condition && builder.tensor(pool.condition, [pool.rows, C]),
          state,
          quantiles: tables.quantiles,
          path_table: tables.path && builder.view(tables.path, [KNOTS, PATH_COLUMNS]),
          x,
          t,
          target,
          condition,
        },
        {
          ...seedWords(seed),
          ...step,
          leftDecay: left.decay,
          leftSpread: left.spread,
          stream,
          pairing,
          path,
          sampling,
          timesPerPair,
          drop: C > 0 ? drop : 0,
          values,
          mirror,
        },
      )
      regress({ x, t, condition, target })
    },
  }
}
