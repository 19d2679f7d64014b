/** Where the stages of a chain lie on its angle (ode/clock.ts), from their noising steps and paths. */

import { ouStep } from '../learn/noise.js'
import { noisingOf } from '../learn/paths/path.js'
import { type PathName, paths } from '../learn/paths/registry.js'
import { type AngleRange, angleRanges, type SignalNoise } from '../ode/clock.js'

export interface Noising {
  /** step of the process; null: straight to noise */
  readonly gamma: number | null
  readonly path: PathName
}

const signalNoise =
  ({ gamma, path }: Noising): SignalNoise =>
  (t) => {
    const { left, right, leftRate, rightRate } = noisingOf(paths[path], t, ouStep(gamma))
    return { signal: left, noise: right, signalRate: leftRate, noiseRate: rightRate }
  }

/** @param stages from the data's side to the noise's */
export const anglesOf = (stages: readonly Noising[]): AngleRange[] =>
  angleRanges(stages.map((stage) => ({ gamma: stage.gamma, path: signalNoise(stage) })))
