/**
 * The velocity of a UNet and its divergence: out [B, D] = scale·v, divergence [B] = tr ∂(scale·v)/∂x, by probes ε as the mean
 * of εᵀ(∂v/∂x)ε (Hutchinson 1989), or exactly by the D unit vectors. One forward pass, then for each probe a backward pass to
 * the input: εᵀ ∂v/∂x is a vector–Jacobian product. The exact trace takes D of them, so it is for small pictures only.
 */

import { InvalidArgumentError } from '../../errors.js'
import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { conv2dBackwardInput, plainBackwardInput } from '../../kernels/conv2d_backward_input.js'
import { divergence } from '../../kernels/divergence.js'
import { ALIGNMENT, type Composite, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { asPictures, convolutionTensors, dataLayout, geometryOf } from './layers.js'
import { type UnetSpec, unetDimension, unetLayout, unetRowFlops } from './spec.js'
import { addPassBackward } from './unet_backward.js'
import { addEmbedding, addLast, addPass, checkUnetInputs, type UnetAttributes } from './unet_forward.js'

/** D of the largest pictures for which the exact trace is allowed. */
export const MOST_EXACT = 256

/** Throws InvalidArgumentError where the exact trace would take more backward passes than anyone waits for. */
export function checkExactTrace(net: UnetSpec): void {
  const D = unetDimension(net)
  if (D <= MOST_EXACT) return
  throw new InvalidArgumentError(
    `The exact trace of a UNet takes a backward pass for each of the ${D} values of a picture, and is there for at most ` +
      `${MOST_EXACT}; take trace 'hutchinson' (ode.evaluate.trace).`,
  )
}

export const unetDivergence: Composite<UnetAttributes> = {
  kind: 'composite',
  name: 'unet_divergence',
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
    const B = checkUnetInputs('unet_divergence', shapes, net)
    const D = unetDimension(net)
    expectShape('unet_divergence', 'out', shapes.out, [B, D])
    expectShape('unet_divergence', 'divergence', shapes.divergence, [B])
    if (shapes.probes) expectShape('unet_divergence', 'probes', shapes.probes, [shapes.probes[0], D])
    else checkExactTrace(net)
    const T = shapes.probes ? shapes.probes[0] / B : D
    if (!Number.isInteger(T) || (T > 1 && (B * D) % ALIGNMENT !== 0)) {
      throw new InvalidArgumentError(
        `unet_divergence: probes must be T·B rows, and B·D a multiple of ${ALIGNMENT} for several, but B is ${B}, D ${D}.`,
      )
    }
  },
  cost(shapes, { net }): Cost {
    const B = shapes.x![0]
    const T = shapes.probes ? shapes.probes[0] / B : unetDimension(net)
    return { flops: B * unetRowFlops(net) * (1 + T), bytes: traffic(shapes) }
  },
  expand(builder, o, { net, scale }) {
    const layout = unetLayout(net)
    const B = o.x.shape[0]
    const D = unetDimension(net)
    const { embedding } = addEmbedding(builder, layout, o.parameters, o.t, o.condition)
    const operands = { parameters: o.parameters, embedding }
    const pass = addPass(builder, layout, operands, asPictures(builder, o.x, net), { keep: 'all', training: null })
    addLast(builder, layout, o.parameters, pass, asPictures(builder, o.out, net), scale)

    const { weight } = convolutionTensors(builder, o.parameters, layout.first)
    const back = (probe: ProgramTensor, dx: ProgramTensor): void => {
      const dfirst = addPassBackward(builder, layout, operands, pass, asPictures(builder, probe, net), null)
      builder.add(
        conv2dBackwardInput,
        { dy: dfirst, weight, dx: asPictures(builder, dx, net) },
        { ...plainBackwardInput, ...geometryOf(layout.first), dxLayout: dataLayout(net), scale },
      )
    }
    const T = o.probes ? o.probes.shape[0] / B : D
    const products = builder.temporary([T * B, D])
    const probe = o.probes ? (i: number) => builder.view(o.probes, [B, D], i * B * D) : unitVectors(builder, B, D)
    for (let i = 0; i < T; i++) back(probe(i), builder.view(products, [B, D], i * B * D))
    builder.add(divergence, { dv: products, probes: o.probes, divergence: o.divergence }, {})
  },
}

/**
 * [B, D] with the unit vector e_d in every row. A constant with a one at every D-th element holds e_d for as many d as there
 * are windows on it, which begin at multiples of 64: so 64 constants hold all of them.
 */
function unitVectors(builder: ProgramBuilder, B: number, D: number): (d: number) => ProgramTensor {
  const constants = new Map<number, ProgramTensor>()
  return (d) => {
    const windows = Math.ceil((D - d) / ALIGNMENT) % Math.ceil(D / ALIGNMENT)
    const offset = windows * ALIGNMENT
    const one = (d + offset) % D
    let constant = constants.get(one)
    if (!constant) {
      constant = builder.constant(Float32Array.from({ length: (B + 1) * D }, (_, i) => (i % D === one ? 1 : 0)))
      constants.set(one, constant)
    }
    return builder.view(constant, [B, D], offset)
  }
}
