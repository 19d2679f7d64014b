/** The settings' vocabulary: what `lfm train --set` is told, by name. */

import type { Picture } from './results.js'

export interface Setting {
  /** of the run, as a filter names it */
  readonly name: string
  /** what it is, for the tables */
  readonly label: string
  /** what `lfm train bench/quality/reference.yaml` is told beyond picture and seed */
  readonly set: readonly string[]
  /** and for one of the pictures alone */
  readonly also?: Readonly<Record<Picture, readonly string[]>>
  /** default: both */
  readonly pictures?: readonly Picture[]
}

/** All that a run of this picture is told. */
export const setFor = ({ set, also }: Setting, picture: Picture): string[] => [...set, ...(also?.[picture] ?? [])]

export const plain = 'flow.plain=true'
export const trig = 'flow.interpolant=trig'
export const width = (columns: number): string => `model.hidden=[${columns}, ${columns}, ${columns}]`

/** Fourier features of frequency (π/4)·2^k for k below `count`: the lowest has the side of the picture, 8, as its period. */
export const octaves = (count: number): string =>
  `model.fourier=[${Array.from({ length: count }, (_, k) => ((Math.PI / 4) * 2 ** k).toFixed(6)).join(', ')}]`

/** Times leaned to the data where a < 1 and b = 1; Beta(0.5, 1) is the law of u² for a uniform u. */
export const beta = (a: number, b: number): string => `flow.time={ beta: [${a}, ${b}] }`

const rate = (lr: number, warmup: number): string[] => [`train.lr=${lr}`, `train.warmup=${warmup}`]
export const rate3 = rate(0.003, 100)
export const rate6 = rate(0.006, 200)

/** Half of the reference's steps: the flow of a small step is nearly straight. */
export const push = 'ode.push.steps=4'

/** A single flow with Fourier features bends more: 20 steps of its likelihood's solver are too few. */
export const finer = 'ode.evaluate.steps=80'

/** Shares of 6, 3, 2, 1, 1, 1 for the six. */
export const early = 'train.steps=[5142, 2571, 1714, 857, 857, 859]'
export const sevenEarly = [
  'flow.gammas=[0.005, 0.015, 0.04, 0.08, 0.16, 0.32, null]',
  'train.steps=[4800, 2700, 1500, 900, 700, 700, 700]',
]
export const four = ['flow.gammas=[0.01, 0.04, 0.2, null]', 'train.steps=[5500, 2500, 1500, 2500]']
