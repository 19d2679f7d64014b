/**
 * Derivative of input_features along T tangents e of every row: for [x, condition, sin fx, cos fx] it is
 * [e, dcondition, f cos(fx) e, −f sin(fx) e]. Tangent τ of row b is probes[τ, b], or, where probes are left out, the unit
 * vector of dimension τ (then T = D); dcondition is zero where it is left out. dy [T·B, D + C + 2·F·D], row τ·B + b.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'

export const inputTangent: Kernel = {
  kind: 'kernel',
  name: 'input_tangent',
  operands: {
    x: { access: 'read' }, // [B, D]
    frequencies: { access: 'read', optional: true }, // [F]
    probes: { access: 'read', optional: true }, // [T·B, D]
    dcondition: { access: 'read', optional: true }, // [T·B, C]
    dy: { access: 'write' },
  },
  check(shapes) {
    const [B, D] = extents('input_tangent', 'x', shapes.x, 2)
    const F = shapes.frequencies ? extents('input_tangent', 'frequencies', shapes.frequencies, 1)[0] : 0
    const [R, K] = extents('input_tangent', 'dy', shapes.dy, 2)
    if (shapes.probes) expectShape('input_tangent', 'probes', shapes.probes, [R, D])
    if (R % B !== 0 || (!shapes.probes && R !== D * B)) {
      throw new InvalidArgumentError(
        `input_tangent: dy must have T·${B} rows${shapes.probes ? '' : ` with T = ${D} (unit vectors)`}, but has ${R}.`,
      )
    }
    if (K < D + 2 * F * D) {
      throw new InvalidArgumentError(`input_tangent: dy must have at least ${D + 2 * F * D} columns, but has ${K}.`)
    }
    if (shapes.dcondition) expectShape('input_tangent', 'dcondition', shapes.dcondition, [R, K - D - 2 * F * D])
  },
  cost: (shapes) => ({ flops: 2 * shapes.dy![0] * shapes.dy![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, D] = o.x.shape
    const F = o.frequencies ? o.frequencies.shape[0] : 0
    const [R, K] = o.dy.shape
    const features = K - 2 * F * D
    for (let r = 0; r < R; r++) {
      for (let c = D; c < features; c++) {
        o.dy.data[r * K + c] = o.dcondition ? o.dcondition.data[r * (features - D) + c - D] : 0
      }
      for (let d = 0; d < D; d++) {
        const e = o.probes ? o.probes.data[r * D + d] : Math.floor(r / B) === d ? 1 : 0
        const x = o.x.data[(r % B) * D + d]
        o.dy.data[r * K + d] = e
        for (let f = 0; f < F; f++) {
          const w = o.frequencies.data[f]
          o.dy.data[r * K + features + 2 * f * D + d] = w * Math.cos(w * x) * e
          o.dy.data[r * K + features + (2 * f + 1) * D + d] = -w * Math.sin(w * x) * e
        }
      }
    }
  },
}
