/** The derivative of an MLP's velocity along one direction for every row, by forward mode: one more product for each layer. */

import { inputTangent } from '../../kernels/input_tangent.js'
import { linearTangent } from '../../kernels/linear_tangent.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import type { DerivativeOperands } from '../network.js'
import { addLastLayer, forwardHidden } from './mlp_forward.js'
import { inputWidth, layerTensors, type MlpSpec, mlpLayers } from './spec.js'

/** out [B, D] = v, derivative [B, D] = ∂v/∂x·dx + ∂v/∂t·dt + ∂v/∂condition·dcondition. */
export function addMlpDerivative(builder: ProgramBuilder, net: MlpSpec, o: DerivativeOperands, scale: number): void {
  const B = o.x.shape[0]
  const layers = mlpLayers(net)
  const last = layers.length - 1
  const { dx, dt, dcondition, derivative, out, ...inputs } = o
  const { hidden, saved } = forwardHidden(builder, net, inputs as Record<string, ProgramTensor>, true)
  addLastLayer(builder, net, { ...inputs, out } as Record<string, ProgramTensor>, hidden, scale)

  let tangent = builder.temporary([B, inputWidth(net)])
  const frequencies = net.frequencies.length > 0 ? builder.constant(net.frequencies) : undefined
  // left out, probes would be the unit vectors
  const probes = dx ?? builder.constant(new Float32Array(B * net.dimension), [B, net.dimension])
  builder.add(inputTangent, { x: o.x, frequencies, probes, dcondition, dy: tangent }, {})
  layers.forEach((layer, i) => {
    const { weight, timeWeight } = layerTensors(builder, o.parameters, layer)
    const dy = i < last ? builder.temporary([B, layer.outputs]) : derivative
    const time = dt && timeWeight ? { dt, time_weight: timeWeight } : {}
    builder.add(
      linearTangent,
      { dx: tangent, weight, saved: i < last ? saved[i] : undefined, ...time, dy },
      i < last ? { activation: net.activation, beta: net.beta, scale: 1 } : { activation: 'identity', beta: 1, scale },
    )
    tangent = dy
  })
}
