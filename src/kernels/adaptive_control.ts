/**
 * Accepts or rejects an adaptive step of every row by itself (Hairer, Nørsett and Wanner, Solving ODEs I, II.4). For row b
 * with h[b] ≠ 0: err = √mean_d (h·Σ_s error[s]·stages[s, b, d] / (atol + rtol·max(|y|, |y_new|)))², over the D columns and,
 * with log_det, its column too. err ≤ 1: y ← y_new, t ← t + h, the first stage ← the last (first same as
 * last). Either way h ← h·clamp(0.9·err^(−1/5), 0.2, 10) (a rejected step never grows), cut so that it ends at `end`;
 * a row that reached the end has h = 0 and is left alone. evaluations[b] grows by `cost` for a live row.
 * A row whose error is not finite, or whose step falls below 1e-6 of the interval, stops with h = 0 short of the end:
 * t shows where.
 */

import { expectBoth, expectShape, extents, type Kernel, traffic } from './contract.js'

export interface AdaptiveControlAttributes {
  /** differences between the weights of the two embedded solutions */
  readonly error: readonly number[]
  readonly rtol: number
  readonly atol: number
  readonly start: number
  readonly end: number
  /** evaluations of the field in one attempted step */
  readonly cost: number
}

export const adaptiveControl: Kernel<AdaptiveControlAttributes> = {
  kind: 'kernel',
  name: 'adaptive_control',
  operands: {
    y: { access: 'readwrite' }, // [B, D]
    y_new: { access: 'read' }, // [B, D]
    stages: { access: 'readwrite' }, // [S, stride]
    log_det: { access: 'readwrite', optional: true }, // [B, 1]
    log_det_new: { access: 'read', optional: true }, // [B, 1]
    log_det_stages: { access: 'readwrite', optional: true }, // [S, stride']
    t: { access: 'readwrite' }, // [B]
    h: { access: 'readwrite' }, // [B]
    evaluations: { access: 'readwrite', dtype: 'u32' }, // [B]
  },
  check(shapes) {
    const [B, D] = extents('adaptive_control', 'y', shapes.y, 2)
    expectShape('adaptive_control', 'y_new', shapes.y_new, [B, D])
    extents('adaptive_control', 'stages', shapes.stages, 2)
    for (const name of ['t', 'h', 'evaluations']) expectShape('adaptive_control', name, shapes[name], [B])
    expectBoth('adaptive_control', 'log_det', 'log_det_stages', shapes)
    expectBoth('adaptive_control', 'log_det', 'log_det_new', shapes)
    if (shapes.log_det) expectShape('adaptive_control', 'log_det', shapes.log_det, [B, 1])
  },
  cost: (shapes, a) => ({ flops: 2 * a.error.length * shapes.y![0] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.y.shape
    const last = a.error.length - 1
    const span = a.end - a.start
    for (let b = 0; b < B; b++) {
      const h = o.h.data[b]
      if (h === 0) continue
      o.evaluations.data[b] += a.cost
      const parts = [{ y: o.y, next: o.y_new, stages: o.stages, first: b * D, count: D }]
      if (o.log_det) parts.push({ y: o.log_det, next: o.log_det_new, stages: o.log_det_stages, first: b, count: 1 })
      let squares = 0
      let columns = 0
      for (const { y, next, stages, first, count } of parts) {
        const stride = stages.shape[1]
        for (let i = first; i < first + count; i++) {
          let error = 0
          for (let s = 0; s <= last; s++) error += a.error[s] * stages.data[s * stride + i]
          const allowed = a.atol + a.rtol * Math.max(Math.abs(y.data[i]), Math.abs(next.data[i]))
          squares += ((h * error) / allowed) ** 2
        }
        columns += count
      }
      const error = Math.sqrt(squares / columns)
      if (!Number.isFinite(error)) {
        o.h.data[b] = 0
        continue
      }
      let growth = Math.min(10, Math.max(0.2, 0.9 * Math.max(error, 1e-10) ** -0.2))
      if (error <= 1) {
        for (const { y, next, stages, first, count } of parts) {
          const stride = stages.shape[1]
          for (let i = first; i < first + count; i++) {
            y.data[i] = next.data[i]
            stages.data[i] = stages.data[last * stride + i]
          }
        }
        o.t.data[b] += h
      } else growth = Math.min(growth, 1)
      const rest = a.end - o.t.data[b]
      const next = growth * h
      // what remains below a millionth of the interval is rounding error of t, not a step to take
      if (Math.abs(rest) <= 1e-6 * Math.abs(span)) {
        o.t.data[b] = a.end
        o.h.data[b] = 0
      } else if (Math.abs(next) < 1e-6 * Math.abs(span)) o.h.data[b] = 0
      else o.h.data[b] = Math.abs(next) >= Math.abs(rest) ? rest : next
    }
  },
}
