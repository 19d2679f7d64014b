/**
 * Gradient of the flow-matching loss of an MLP: with v = mlp_forward(x, t, condition), row_loss[b] = Σ_d (v − target)² /
 * (D·scale²), loss = mean row_loss, gradient = ∂loss/∂parameters. The forward pass is part of it; a device is free to
 * keep activations or to compute them again. Gaps of the flat layout are left as they are (zero).
 */

import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { linearBackwardInput } from '../../kernels/linear_backward_input.js'
import { linearBackwardWeight } from '../../kernels/linear_backward_weight.js'
import { linearLoss } from '../../kernels/linear_loss.js'
import type { Composite } from '../../program/program.js'
import { forwardHidden } from './mlp_forward.js'
import {
  checkMlpInputs,
  layerTensors,
  type MlpAttributes,
  type MlpSpec,
  mlpLayers,
  mlpParameterLength,
  mlpRowFlops,
} from './spec.js'

/** Three products for each layer, except the first layer's input gradient, which is not needed. */
export const mlpStepFlops = (net: MlpSpec, B: number): number => {
  const first = mlpLayers(net)[0]
  return B * (3 * mlpRowFlops(net) - 2 * first.inputs * first.outputs)
}

export const mlpBackward: Composite<MlpAttributes> = {
  kind: 'composite',
  name: 'mlp_backward',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B]
    condition: { access: 'read', optional: true }, // [B, C]
    target: { access: 'read' }, // [B, D]
    gradient: { access: 'write' }, // [P]
    row_loss: { access: 'write' }, // [B]
  },
  check(shapes, { net }) {
    const B = checkMlpInputs('mlp_backward', shapes, net)
    expectShape('mlp_backward', 't', shapes.t, [B])
    expectShape('mlp_backward', 'target', shapes.target, [B, net.dimension])
    expectShape('mlp_backward', 'gradient', shapes.gradient, [mlpParameterLength(net)])
    expectShape('mlp_backward', 'row_loss', shapes.row_loss, [B])
  },
  cost: (shapes, { net }): Cost => ({ flops: mlpStepFlops(net, shapes.x![0]), bytes: traffic(shapes) }),
  expand(builder, o, { net, scale }) {
    const B = o.x.shape[0]
    const layers = mlpLayers(net)
    const last = layers.length - 1
    const { hidden, saved } = forwardHidden(builder, net, o, true)

    const head = layerTensors(builder, o.parameters, layers[last])
    let dy = builder.temporary([B, net.dimension])
    builder.add(
      linearLoss,
      {
        x: hidden[last],
        weight: head.weight,
        bias: head.bias,
        t: head.timeWeight && o.t,
        time_weight: head.timeWeight,
        target: o.target,
        delta: dy,
        row_loss: o.row_loss,
      },
      { scale },
    )
    for (let i = last; i >= 0; i--) {
      const gradient = layerTensors(builder, o.gradient, layers[i])
      builder.add(
        linearBackwardWeight,
        {
          x: hidden[i],
          dy,
          t: gradient.timeWeight && o.t,
          dweight: gradient.weight,
          dbias: gradient.bias,
          dtime_weight: gradient.timeWeight,
        },
        {},
      )
      if (layers[i].conditionWeight !== null) {
        const dbias = builder.temporary([layers[i].outputs])
        const dweight = gradient.conditionWeight(net.condition)
        builder.add(linearBackwardWeight, { x: o.condition, dy, dweight, dbias }, {})
      }
      if (i === 0) break
      const dx = builder.temporary([B, layers[i].inputs])
      const { weight } = layerTensors(builder, o.parameters, layers[i])
      builder.add(
        linearBackwardInput,
        { dy, weight, saved: saved[i - 1], dx },
        { activation: net.activation, beta: net.beta },
      )
      dy = dx
    }
  },
}
