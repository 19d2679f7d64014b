/**
 * mlp_backward in mixed precision (Micikevicius et al. 2018): what passes between kernels (inputs of layers, pre-activations,
 * deltas) and the weights that the products read are float16; sums, biases, residuals, the loss and the gradient are
 * float32, and so are the parameters themselves. `half` is a copy of them in float16, which the optimizer maintains
 * (adam_mixed). The loss is multiplied by the loss scale of the state words before its gradient is stored, and the
 * parameters' gradient is divided by it again. Target, gradient and row_loss are those of mlp_backward; x may be float16,
 * which saves its conversion where the network's input is x alone.
 */

import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { convert } from '../../kernels/convert.js'
import { linearBackwardInput } from '../../kernels/linear_backward_input.js'
import { linearBackwardWeight } from '../../kernels/linear_backward_weight.js'
import { linearForward } from '../../kernels/linear_forward.js'
import { linearLoss } from '../../kernels/linear_loss.js'
import { STATE_LENGTH } from '../../kernels/state.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { mlpBackward, mlpStepFlops } from './mlp_backward.js'
import { features } from './mlp_forward.js'
import { keepsPreActivation, layerTensors, type MlpAttributes, type MlpSpec, mlpLayers } from './spec.js'

export const mlpBackwardMixed: Composite<MlpAttributes> = {
  kind: 'composite',
  name: 'mlp_backward_mixed',
  operands: {
    ...mlpBackward.operands,
    x: { access: 'read', dtype: 'float' }, // [B, D]
    half: { access: 'read', dtype: 'f16' }, // [P]
    state: { access: 'read', dtype: 'u32' }, // [8]
  },
  check({ state, half, ...shapes }, attributes) {
    mlpBackward.check(shapes, attributes)
    expectShape('mlp_backward_mixed', 'half', half, shapes.parameters!)
    expectShape('mlp_backward_mixed', 'state', state, [STATE_LENGTH])
  },
  cost: (shapes, { net }): Cost => ({ flops: mlpStepFlops(net, shapes.x![0]), bytes: traffic(shapes) }),
  expand(builder, o, { net, scale }) {
    const B = o.x.shape[0]
    const layers = mlpLayers(net)
    const last = layers.length - 1
    const { activation, beta } = net
    const weights = layers.map((layer) => layerTensors(builder, o.half, layer).weight)

    const hidden = [inputs(builder, net, o)]
    const saved: ProgramTensor[] = []
    layers.slice(0, last).forEach((layer, i) => {
      const { bias, timeWeight } = layerTensors(builder, o.parameters, layer)
      const y = builder.temporary([B, layer.outputs], 'f16')
      const z = keepsPreActivation(net) ? builder.temporary([B, layer.outputs], 'f16') : undefined
      builder.add(
        linearForward,
        { x: hidden[i], weight: weights[i], bias, t: timeWeight && o.t, time_weight: timeWeight, y, z },
        { activation, beta, scale: 1 },
      )
      hidden.push(y)
      saved.push(z ?? y)
    })

    const head = layerTensors(builder, o.parameters, layers[last])
    let dy = builder.temporary([B, net.dimension], 'f16')
    builder.add(
      linearLoss,
      {
        x: hidden[last],
        weight: weights[last],
        bias: head.bias,
        t: head.timeWeight && o.t,
        time_weight: head.timeWeight,
        target: o.target,
        state: o.state,
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
          state: o.state,
          dweight: gradient.weight,
          dbias: gradient.bias,
          dtime_weight: gradient.timeWeight,
        },
        {},
      )
      if (i === 0) break
      const dx = builder.temporary([B, layers[i].inputs], 'f16')
      builder.add(linearBackwardInput, { dy, weight: weights[i], saved: saved[i - 1], dx }, { activation, beta })
      dy = dx
    }
  },
}

/** The first layer's input in float16. */
function inputs(builder: ProgramBuilder, net: MlpSpec, o: Record<string, ProgramTensor>): ProgramTensor {
  const x = features(builder, net, o, 'f16')
  if (x.dtype === 'f16') return x
  const y = builder.temporary(x.shape, 'f16')
  builder.add(convert, { x, y }, { to: 'f16' })
  return y
}
