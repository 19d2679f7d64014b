/**
 * Velocity and divergence of an MLP for B rows: out [B, D], divergence [B]. The divergence is the exact trace of ∂v/∂x by D
 * forward-mode tangents a row, or, where probes [T·B, D] are given, Hutchinson's estimate from T of them.
 */

import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { divergence } from '../../kernels/divergence.js'
import { inputTangent } from '../../kernels/input_tangent.js'
import { linearTangent } from '../../kernels/linear_tangent.js'
import type { Composite } from '../../program/program.js'
import { addLastLayer, forwardHidden } from './mlp_forward.js'
import { checkMlpInputs, inputWidth, layerTensors, type MlpAttributes, mlpLayers, mlpRowFlops } from './spec.js'

export const mlpTangents: Composite<MlpAttributes> = {
  kind: 'composite',
  name: 'mlp_tangents',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B] or [1]
    condition: { access: 'read', optional: true }, // [B, C]
    probes: { access: 'read', optional: true }, // [T·B, D]
    out: { access: 'write' }, // [B, D]
    divergence: { access: 'write' }, // [B]
  },
  check(shapes, { net }) {
    const B = checkMlpInputs('mlp_tangents', shapes, net)
    expectShape('mlp_tangents', 'out', shapes.out, [B, net.dimension])
    expectShape('mlp_tangents', 'divergence', shapes.divergence, [B])
    if (shapes.probes) expectShape('mlp_tangents', 'probes', shapes.probes, [shapes.probes[0], net.dimension])
  },
  cost: (shapes, { net }): Cost => {
    const T = shapes.probes ? shapes.probes[0] / shapes.x![0] : net.dimension
    return { flops: shapes.x![0] * mlpRowFlops(net) * (1 + T), bytes: traffic(shapes) }
  },
  expand(builder, o, { net, scale }) {
    const B = o.x.shape[0]
    const rows = o.probes ? o.probes.shape[0] : B * net.dimension
    const layers = mlpLayers(net)
    const last = layers.length - 1
    const { hidden, saved } = forwardHidden(builder, net, o, true)
    addLastLayer(builder, net, o, hidden, scale)

    let dx = builder.temporary([rows, inputWidth(net)])
    const frequencies = net.frequencies.length > 0 ? builder.constant(net.frequencies) : undefined
    builder.add(inputTangent, { x: o.x, frequencies, probes: o.probes, dy: dx }, {})
    layers.forEach((layer, i) => {
      const dy = builder.temporary([rows, layer.outputs])
      const { weight } = layerTensors(builder, o.parameters, layer)
      builder.add(
        linearTangent,
        { dx, weight, saved: i < last ? saved[i] : undefined, dy },
        i < last
          ? { activation: net.activation, beta: net.beta, scale: 1 }
          : { activation: 'identity', beta: 1, scale },
      )
      dx = dy
    })
    builder.add(divergence, { dv: dx, probes: o.probes, divergence: o.divergence }, {})
  },
}
