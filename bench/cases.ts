/**
 * The cases: what is measured, by name. A *suite* is a kind of work, a *case* is a suite at one shape, named
 * `suite/shape`. A filter names whole parts of such a name: `step`, `rose`, `step/rose`, `kernels/mat_mul`.
 */

import type { Device } from '../src/device/device.js'
import { LocalFlowError } from '../src/errors.js'
import type { Trace } from '../src/model/transport.js'
import { blockRows } from '../src/model/transport.js'
import { type KernelWork, kernelCost, kernelWorks, layerProducts } from './kernel-works.js'
import { convolutionWorks, pictureWorks } from './picture-works.js'
import { fieldOf, type NetShape, pictureShapes, shapes } from './shapes.js'

/**
 * One repetition with a whole network. step: batch drawn, forward, loss, backward, clipping, Adam, average. rk4: one
 * classical Runge–Kutta step. forward: one velocity. trace: an rk4 step with the exact trace beside it. sample: from noise to
 * samples, through four sub-flows by two-step Adams–Bashforth in the chain's angle, or through students of one evaluation each.
 */
export interface NetWork {
  readonly kind: 'step' | 'rk4' | 'forward' | 'trace' | 'sample'
  readonly net: NetShape
  /** B */
  readonly rows: number
  /** of samples: function evaluations of a row, and whether students take them */
  readonly sampling?: { readonly evaluations: number; readonly students: boolean }
  /** of our own step; peers do it in float32 */
  readonly precision?: 'mixed'
}

export type Work = NetWork | KernelWork

export const suites = {
  step: 'training step: batch drawn, forward, loss, backward, clipping, Adam, average',
  mixed: 'the training step in mixed precision, beside float32 steps of others',
  rk4: 'one RK4 step: four evaluations of the field',
  forward: 'one evaluation of the field',
  trace: 'one RK4 step with the exact trace, tangent products counted',
  sample: 'samples from noise: a chain of four by its solver, and students of one evaluation each',
  products: 'the three products between hidden layers, with activation or its derivative',
  kernels: 'single kernels',
} as const
export type SuiteName = keyof typeof suites

export interface Case {
  readonly suite: SuiteName
  readonly shape: string
  readonly name: string
  /** B; null where the case has one size only */
  readonly rows: number | null
  /** B where a processor computes, where that is another */
  readonly processorRows?: number
  /** how a slow side finds the B that it can do */
  readonly sizing: Sizing
  /** the same work with fewer rows, for whom the whole takes minutes */
  work(rows: number): Work
}

export interface Sizing {
  /** the fewest rows that are tried */
  readonly first: number
  /** the longest repetition, as a multiple of what is usual (session.ts: `Pace`) */
  readonly patience: number
}

const ofRows: Sizing = { first: 32, patience: 1 }
/** One picture is as much work as thousands of points, and a batch of them is seconds of others' time. */
const ofPictures: Sizing = { first: 1, patience: 6 }

const SAMPLING_ROWS = 10_000
/** Rows for which a GPU is a GPU. */
const MANY_ROWS = 1_000_000
const exact: Trace = { kind: 'exact' }

type Sampling = readonly [name: string, NonNullable<NetWork['sampling']>, hardwareRows?: number]

/** Evaluations of a sample, by whom, and rows on a GPU where these are others. */
const samplings: readonly Sampling[] = [
  ...[1, 2, 4].map((evaluations): Sampling => [`students-${evaluations}`, { evaluations, students: true }]),
  ['teacher-8', { evaluations: 8, students: false }, MANY_ROWS],
  ...[16, 128].map((evaluations): Sampling => [`teacher-${evaluations}`, { evaluations, students: false }]),
]

const make = (
  suite: SuiteName,
  shape: string,
  rows: number | null,
  work: (rows: number) => Work,
  of: Pick<Case, 'processorRows' | 'sizing'> = { sizing: ofRows },
): Case => ({ suite, shape, name: `${suite}/${shape}`, rows, ...of, work })

export const cases: readonly Case[] = [
  ...shapes.map((net) => make('step', net.name, net.batch, (rows) => ({ kind: 'step', net, rows }))),
  ...shapes.map((net) =>
    make('mixed', net.name, net.batch, (rows) => ({ kind: 'step', net, rows, precision: 'mixed' })),
  ),
  // rose and rose-1k differ in their batch alone
  ...shapes
    .filter((net) => net.name !== 'rose-1k')
    .flatMap((net) => {
      const traced = Math.min(SAMPLING_ROWS, blockRows(SAMPLING_ROWS, fieldOf(net), exact))
      return [
        make('rk4', net.name, SAMPLING_ROWS, (rows) => ({ kind: 'rk4', net, rows })),
        make('forward', net.name, SAMPLING_ROWS, (rows) => ({ kind: 'forward', net, rows })),
        make('trace', net.name, traced, (rows) => ({ kind: 'trace', net, rows })),
      ]
    }),
  ...shapes
    .filter((net) => net.name === 'rose')
    .flatMap((net) =>
      samplings.map(([name, sampling, hardwareRows]) =>
        make(
          'sample',
          `${net.name}/${name}`,
          hardwareRows ?? SAMPLING_ROWS,
          (rows) => ({ kind: 'sample', net, rows, sampling }),
          { processorRows: SAMPLING_ROWS, sizing: ofRows },
        ),
      ),
    ),
  ...shapes.flatMap((net) =>
    Object.entries(layerProducts).map(([name, product]) =>
      make('products', `${net.name}/${name}`, net.batch, (rows) => product(net, rows)),
    ),
  ),
  ...pictureShapes.flatMap((net) => {
    const of = { processorRows: net.processorBatch, sizing: ofPictures }
    return [
      ...(['step', 'rk4', 'forward'] as const).map((kind) =>
        make(kind, net.name, net.batch, (rows) => ({ kind, net, rows }), of),
      ),
      make('mixed', net.name, net.batch, (rows) => ({ kind: 'step', net, rows, precision: 'mixed' }), of),
    ]
  }),
  ...Object.entries({ ...kernelWorks, ...pictureWorks }).map(([name, work]) => make('kernels', name, null, () => work)),
  ...Object.entries(convolutionWorks).map(([name, { rows, work }]) =>
    make('kernels', name, rows, work, { sizing: ofPictures }),
  ),
]

/** B of a case on a device; 0 where the case has one size only. */
export function rowsOn({ rows, processorRows }: Case, { kind, info }: Pick<Device, 'kind' | 'info'>): number {
  const processor = kind !== 'webgpu' || info.type === 'software'
  return (processor ? processorRows : undefined) ?? rows ?? 0
}

/** Floating-point operations of one repetition, by the contracts' cost. */
export function flopsOf(work: Work): number {
  if (work.kind === 'kernel') return kernelCost(work).flops
  const field = fieldOf(work.net)
  const forward = work.rows * field.rowFlops
  switch (work.kind) {
    case 'step':
      return field.stepFlops(work.rows)
    case 'forward':
      return forward
    case 'rk4':
      return 4 * forward
    case 'sample':
      return work.sampling!.evaluations * forward
    case 'trace':
      return 4 * forward * (1 + field.dimension)
  }
}

/** Cases that any of the filters names; all without a filter. Throws where a filter names none. */
export function selectCases(filters: readonly string[]): Case[] {
  const named = (filter: string) => (c: Case) => `/${c.name}/`.includes(`/${filter}/`)
  for (const filter of filters) {
    if (!cases.some(named(filter))) {
      throw new LocalFlowError(
        `--filter '${filter}' names no case. A filter is a part of a name, such as step, rose or step/rose. The cases are:\n` +
          cases.map((c) => `  ${c.name}`).join('\n'),
      )
    }
  }
  return filters.length === 0 ? [...cases] : cases.filter((c) => filters.some((filter) => named(filter)(c)))
}
