/** The velocity v(x, t, condition) of an MLP for B rows: out [B, D]. */

import { activation } from '../../kernels/activation.js'
import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { inputFeatures } from '../../kernels/input_features.js'
import { linearForward } from '../../kernels/linear_forward.js'
import { stageCombine } from '../../kernels/stage_combine.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../../program/program.js'
import {
  checkMlpInputs,
  inputWidth,
  keepsPreActivation,
  layerTensors,
  type MlpAttributes,
  type MlpLayer,
  type MlpSpec,
  mlpLayers,
  mlpRowFlops,
} from './spec.js'

export const mlpForward: Composite<MlpAttributes> = {
  kind: 'composite',
  name: 'mlp_forward',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B] or [1]
    condition: { access: 'read', optional: true }, // [B, C]
    out: { access: 'write' }, // [B, D]
  },
  check(shapes, { net }) {
    const B = checkMlpInputs('mlp_forward', shapes, net)
    expectShape('mlp_forward', 'out', shapes.out, [B, net.dimension])
  },
  cost: (shapes, { net }): Cost => ({ flops: shapes.x![0] * mlpRowFlops(net), bytes: traffic(shapes) }),
  expand(builder, o, { net, scale }) {
    const { hidden } = forwardHidden(builder, net, o, false)
    addLastLayer(builder, net, o, hidden, scale)
  },
}

/** out = scale · (last layer of hidden). */
export function addLastLayer(
  builder: ProgramBuilder,
  net: MlpSpec,
  o: Record<string, ProgramTensor>,
  hidden: readonly ProgramTensor[],
  scale: number,
): void {
  const { weight, bias, timeWeight } = layerTensors(builder, o.parameters, mlpLayers(net).at(-1)!)
  builder.add(
    linearForward,
    { x: hidden[hidden.length - 1], weight, bias, t: timeWeight && o.t, time_weight: timeWeight, y: o.out },
    { activation: 'identity', beta: 1, scale },
  )
}

/**
 * The input features and all hidden layers. `hidden[i]` is the input of layer i (so `hidden[L]` is the last layer's);
 * `saved[i]` is what the activation's derivative of hidden layer i is a function of, kept only where asked for.
 */
export function forwardHidden(
  builder: ProgramBuilder,
  net: MlpSpec,
  o: Record<string, ProgramTensor>,
  keep: boolean,
): { hidden: ProgramTensor[]; saved: ProgramTensor[] } {
  const B = o.x.shape[0]
  const hidden = [features(builder, net, o)]
  const saved: ProgramTensor[] = []
  for (const layer of mlpLayers(net).slice(0, -1)) {
    const { weight, bias, timeWeight } = layerTensors(builder, o.parameters, layer)
    const y = builder.temporary([B, layer.outputs])
    if (layer.conditionWeight !== null) {
      const z = addTold(builder, net, layer, o, hidden[hidden.length - 1])
      builder.add(activation, { x: z, y }, { activation: net.activation, beta: net.beta })
      hidden.push(y)
      saved.push(keepsPreActivation(net) ? z : y)
      continue
    }
    const z = keep && keepsPreActivation(net) ? builder.temporary([B, layer.outputs]) : undefined
    builder.add(
      linearForward,
      { x: hidden[hidden.length - 1], weight, bias, t: timeWeight && o.t, time_weight: timeWeight, y, z },
      { activation: net.activation, beta: net.beta, scale: 1 },
    )
    hidden.push(y)
    saved.push(z ?? y)
  }
  return { hidden, saved }
}

const plain = { activation: 'identity', beta: 1, scale: 1 } as const

/** z [B, N] = W h + b + t·w + U condition. */
function addTold(
  builder: ProgramBuilder,
  net: MlpSpec,
  layer: MlpLayer,
  o: Record<string, ProgramTensor>,
  h: ProgramTensor,
): ProgramTensor {
  const { weight, bias, timeWeight, conditionWeight } = layerTensors(builder, o.parameters, layer)
  const [own, told, z] = [0, 1, 2].map(() => builder.temporary([h.shape[0], layer.outputs]))
  builder.add(linearForward, { x: h, weight, bias, t: timeWeight && o.t, time_weight: timeWeight, y: own }, plain)
  const nothing = builder.constant(new Float32Array(layer.outputs))
  builder.add(linearForward, { x: o.condition, weight: conditionWeight(net.condition), bias: nothing, y: told }, plain)
  const stages = builder.view(told, [1, h.shape[0] * layer.outputs])
  builder.add(stageCombine, { y: own, stages, out: z }, { coefficients: [1] })
  return z
}

/** Whether the first layer reads x as it is. */
export const takesPlainInput = (net: MlpSpec): boolean => net.condition === 0 && net.frequencies.length === 0

/** x itself where there is neither a condition nor a frequency. */
export function features(
  builder: ProgramBuilder,
  net: MlpSpec,
  o: Record<string, ProgramTensor>,
  dtype: 'f32' | 'f16' = 'f32',
): ProgramTensor {
  if (takesPlainInput(net)) return o.x
  const y = builder.temporary([o.x.shape[0], inputWidth(net)], dtype)
  const frequencies = net.frequencies.length > 0 ? builder.constant(net.frequencies) : undefined
  builder.add(inputFeatures, { x: o.x, condition: net.condition > 0 ? o.condition : undefined, frequencies, y }, {})
  return y
}
