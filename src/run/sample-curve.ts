/** The distance of a run's samples from the data, for several numbers of function evaluations of its own solver and clock. */

import type { LoadedData } from '../data/source.js'
import type { Flow } from '../model/flow.js'
import { isAdaptive, WITHOUT_SOLVER } from '../ode/solver.js'
import type { ReportCurve } from '../plot/report.js'
import { waysThrough } from './compare/ways.js'
import { toldOf } from './conditioning.js'
import { openQuality, type QualityPart } from './quality.js'

/** Numbers of evaluations in all, each twice the one before; of students that take any number. */
const EVALUATIONS = [4, 8, 16, 32, 64, 128]
const JUMPS = [1, 2, 4, 8, 16]

/** Of these numbers of evaluations those that students can take: any for an average velocity, else one for each stage. */
export const jumpsOf = ({ stages }: Pick<Flow, 'stages'>, some: readonly number[]): readonly number[] =>
  stages[0].jump?.kind === 'average' ? some : [stages.length]

/**
 * Null where the solver of samples chooses its own steps, so that its evaluations are not known beforehand.
 * @param samples drawn for each point of the curve, at most as many as there are training rows
 */
export async function sampleCurve(
  flow: Flow,
  data: LoadedData,
  part: QualityPart,
  { samples, signal }: { samples: number; signal?: AbortSignal },
): Promise<ReportCurve | null> {
  const { steps: _, evaluations: __, ...settings } = flow.settings.sample
  if (flow.isFlow && isAdaptive(flow.settings.sample)) return null
  const began = performance.now()
  const told = toldOf(flow.condition, data, part)
  const quality = await openQuality(data, { samples, parts: [part] })
  try {
    const points: ReportCurve['points'][number][] = []
    for (const allowed of flow.isFlow ? EVALUATIONS : jumpsOf(flow, JUMPS)) {
      if (flow.isFlow && waysThrough(flow, [{ name: settings.solver, settings }], allowed).length === 0) continue
      const ways = flow.isFlow ? { solver: { ...settings, evaluations: allowed } } : { evaluations: allowed }
      const drawn = await flow.sample(quality.samples, { ...ways, ...told(quality.samples), signal })
      const value = (await quality.distances(drawn))[part]
      if (value != null) points.push({ evaluations: flow.evaluations!.mean, value })
    }
    return {
      quantity: quality.name,
      points,
      floor: (await quality.floor()).mean,
      solver: !flow.isFlow
        ? WITHOUT_SOLVER
        : settings.clock === 'angle'
          ? `${settings.solver}, even in the angle`
          : settings.solver,
      samples: quality.samples,
      against: { part, n: quality.rows[part] ?? 0 },
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    await quality.dispose()
  }
}
