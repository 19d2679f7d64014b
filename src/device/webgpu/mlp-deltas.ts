/**
 * mlp_backward with one launch for all that goes row by row (shaders/mlp_deltas.wgsl): a workgroup takes a tile of rows through the
 * hidden layers, the loss and back, and the weight gradients follow, which do not wait for one another. A training step with
 * L hidden layers has 2L + 1 launches that wait for the one before in place of these. The launch is a kernel of this device
 * alone: what it computes is part of mlp_backward's contract.
 */

import { DeviceError, LocalFlowError } from '../../errors.js'
import { type Kernel, traffic } from '../../kernels/contract.js'
import { linearBackwardWeight } from '../../kernels/linear_backward_weight.js'
import { mlpStepFlops } from '../../networks/mlp/mlp_backward.js'
import { features } from '../../networks/mlp/mlp_forward.js'
import { layerTensors, type MlpAttributes, type MlpSpec, mlpLayers, mlpRowFlops } from '../../networks/mlp/spec.js'
import { aligned, type Operation, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { mlpTile, tileUniforms } from './mlp-tile.js'
import { groupsFor, type Planner, shapesOf } from './plans.js'
import type { AdapterTarget } from './target.js'

const mlpDeltas: Kernel<MlpAttributes> = {
  kind: 'kernel',
  name: 'mlp_deltas',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B]
    condition: { access: 'read', optional: true }, // [B, C]
    target: { access: 'read' }, // [B, D]
    trail: { access: 'write' }, // outputs [B, H] of each hidden layer, then the deltas of each
    delta: { access: 'write' }, // [B, D], of the last layer's sums
    row_loss: { access: 'write' }, // [B]
  },
  check: () => {},
  // a step's products but those of the weight gradients, which are as many as a forward pass has
  cost: (shapes, { net }) => {
    const [B] = shapes.x!
    return { flops: mlpStepFlops(net, B) - B * mlpRowFlops(net), bytes: traffic(shapes) }
  },
  reference() {
    throw new LocalFlowError(
      "mlp_deltas is a part of the WebGPU device's mlp_backward and has no reference of its own.",
    )
  },
}

/** Elements from one layer to the next in `trail`: outputs of all, then deltas of all. */
const pitchOf = (net: MlpSpec, B: number): number => aligned(B * Math.max(...net.hidden))
const trailLength = (net: MlpSpec, B: number): number => 2 * net.hidden.length * pitchOf(net, B)

/** Whether a step's rows can be taken so: widths in fours, a tile in workgroup memory, and all that it leaves in one binding. */
export function takesDeltas({ operands, attributes }: Operation, target: AdapterTarget): boolean {
  const { net } = attributes as unknown as MlpAttributes
  return (
    net.hidden.every((width) => width % 4 === 0) &&
    mlpTile(net, 0, target.workgroupBytes) !== null &&
    4 * trailLength(net, operands.x!.shape[0]) <= (target.bindingBytes ?? Number.POSITIVE_INFINITY)
  )
}

/** Operands as mlp_backward's. */
export function backwardByDeltas(
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  { net, scale }: MlpAttributes,
): void {
  const [B, D] = o.x.shape
  const trail = builder.temporary([trailLength(net, B)])
  const delta = builder.temporary([B, D])
  const { parameters, x, t, condition, target, row_loss } = o
  const given = net.condition > 0 ? condition : undefined
  builder.add(mlpDeltas, { parameters, x, t, condition: given, target, trail, delta, row_loss }, { net, scale })
  const layers = mlpLayers(net)
  for (let i = layers.length - 1; i >= 0; i--) {
    const gradient = layerTensors(builder, o.gradient, layers[i])
    const left = (layer: number, place: number): ProgramTensor =>
      builder.view(trail, [B, net.hidden[layer]], place * pitchOf(net, B))
    builder.add(
      linearBackwardWeight,
      {
        x: i === 0 ? features(builder, net, o) : left(i - 1, i - 1),
        dy: i === layers.length - 1 ? delta : left(i, net.hidden.length + i),
        t: gradient.timeWeight && t,
        dweight: gradient.weight,
        dbias: gradient.bias,
        dtime_weight: gradient.timeWeight,
      },
      {},
    )
  }
}

export const deltasPlanners: Readonly<Record<string, Planner>> = {
  mlp_deltas: (operation, target) => {
    const { net, scale } = operation.attributes as unknown as MlpAttributes
    const { x, t } = shapesOf(operation)
    const [batch, D] = x
    const tile = mlpTile(net, 0, target.workgroupBytes)
    if (!tile)
      throw new DeviceError(`mlp_deltas: a tile of this network does not fit into ${target.workgroupBytes} bytes.`)
    return {
      launches: [
        {
          shader: 'mlp_deltas',
          activation: net.activation,
          constants: tile.constants,
          uniforms: {
            ...tileUniforms(net),
            batch,
            times: t[0],
            pitch: pitchOf(net, batch),
            scale,
            factor: 2 / (batch * D * scale),
          },
          groups: groupsFor(batch, tile.points),
        },
      ],
    }
  },
}
