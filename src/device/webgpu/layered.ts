/**
 * integrate layer by layer: for networks of which no tile fits into workgroup memory, and for adapters that are slow there.
 * All that an evaluation does beside its products is done by the launch of the last layer (`linear_stage`): it adds to the
 * sum of the step and writes the next evaluation's input with its features. An evaluation of a network with L hidden layers
 * is L + 1 launches; with the trace 2L + 3, since its integral is summed by the launch that takes the divergence
 * (`divergence_stage`). Both are kernels of this device alone: what they compute is part of integrate's contract.
 */

import { LocalFlowError } from '../../errors.js'
import { type Kernel, traffic } from '../../kernels/contract.js'
import { inputFeatures } from '../../kernels/input_features.js'
import { inputTangent } from '../../kernels/input_tangent.js'
import { linearForward } from '../../kernels/linear_forward.js'
import { linearTangent } from '../../kernels/linear_tangent.js'
import { inputWidth, keepsPreActivation, layerTensors, type MlpAttributes, mlpLayers } from '../../networks/mlp/spec.js'
import { stepsOf } from '../../ode/evaluations.js'
import type { IntegrationAttributes } from '../../ode/integrate.js'
import { aligned, type Operation, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { flag, groupsFor, type Planner, shapesOf } from './plans.js'
import type { ProductShape } from './target.js'
import { usableVariants, variants } from './variants.js'

/** integrate's attributes where its network is an MLP. */
export type MlpIntegration = Pick<MlpAttributes, 'net'> & Omit<IntegrationAttributes, 'net'>

export interface LinearStageAttributes {
  readonly t: number
  readonly scale: number
  /** of v in `sums` */
  readonly share: number
  /** how far the next evaluation's point lies along v */
  readonly reach: number
  /** what `sums` become: base + share·v, themselves + share·v, or the next step's, point + share·v */
  readonly sums: 'begin' | 'go on' | 'of next'
  /** of the features that `next` has beside the point */
  readonly frequencies: readonly number[]
}

const notAlone = (name: string): never => {
  throw new LocalFlowError(`${name} is a part of the WebGPU device's integrate and has no reference of its own.`)
}

export const linearStage: Kernel<LinearStageAttributes> = {
  kind: 'kernel',
  name: 'linear_stage',
  operands: {
    x: { access: 'read' }, // [B, K]
    weight: { access: 'read' }, // [D, K]
    shifts: { access: 'read' }, // bias [D], and from the next multiple of 64 on the time weight [D]
    base: { access: 'read' }, // [B, D] or more columns
    condition: { access: 'read', optional: true }, // [B, C], where `next` has it
    sums: { access: 'write', optional: true }, // [B, D]; a later stage also reads it
    next: { access: 'write' }, // [B, D + C + 2·F·D], or [B, D]
    point: { access: 'write', optional: true }, // [B, D], the same point without features
  },
  check: () => {},
  cost: (shapes) => ({ flops: 2 * shapes.x![0] * shapes.x![1] * shapes.weight![0], bytes: traffic(shapes) }),
  reference: () => notAlone('linear_stage'),
}

export const divergenceStage: Kernel<{ readonly share: number }> = {
  kind: 'kernel',
  name: 'divergence_stage',
  operands: {
    dv: { access: 'read' }, // [T·B, D]
    probes: { access: 'read', optional: true }, // [T·B, D]
    log_det: { access: 'read' }, // [B, 1]
    out: { access: 'write' }, // [B, 1]
  },
  check: () => {},
  cost: (shapes) => ({ flops: 2 * shapes.dv![0] * shapes.dv![1], bytes: traffic(shapes) }),
  reference: () => notAlone('divergence_stage'),
}

/**
 * Whether an integration can be taken so: its state is what the network sees, and a step that goes on with what the one before
 * carried has one evaluation.
 */
export function takesLayers({ operands, attributes }: Operation): boolean {
  let carried = operands.ahead !== undefined
  return stepsOf((attributes as unknown as MlpIntegration).evaluations).every((step) => {
    const fits = (!carried || step.length === 1) && step.every(({ own, place }) => own === 0 && place === 1)
    carried = step[step.length - 1].carry !== 0
    return fits
  })
}

/** Operands as integrate's, with the parameters of one sub-flow. */
export function layeredIntegration(
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  { net, scales: [scale], evaluations }: MlpIntegration,
): void {
  const [B, D] = o.y.shape
  const layers = mlpLayers(net)
  const head = layers[layers.length - 1]
  const { weight: headWeight } = layerTensors(builder, o.parameters, head)
  const shiftsLength = head.timeWeight === null ? D : aligned(D) + D
  const shifts = builder.view(o.parameters, [shiftsLength], head.bias)
  const width = inputWidth(net)
  const frequencies = net.frequencies.length > 0 ? builder.constant(net.frequencies) : undefined
  const condition = net.condition > 0 ? o.condition : undefined

  // what the step starts from: its state, or what the step before carried
  let base = o.ahead ?? o.y
  let sums: ProgramTensor | undefined
  let point = o.y
  let input = o.y
  if (width > D) {
    input = builder.temporary([B, width])
    builder.add(inputFeatures, { x: o.y, condition, frequencies, y: input }, {})
  }
  const tangentRows = o.probes ? o.probes.shape[0] : B * D
  const firstTangents = (): ProgramTensor => {
    const dy = builder.temporary([tangentRows, width])
    builder.add(inputTangent, { x: point, frequencies, probes: o.probes, dy }, {})
    return dy
  }
  // without frequencies they are the same everywhere
  const constantTangents = o.log_det && !frequencies ? firstTangents() : undefined
  let logDet: ProgramTensor | undefined = o.log_det

  evaluations.forEach(({ time, factor, share, reach, ends, carry }, i) => {
    const t = builder.constant([time])
    const last = i === evaluations.length - 1
    const saved: ProgramTensor[] = []
    let x = input
    for (const layer of layers.slice(0, -1)) {
      const { weight, bias, timeWeight } = layerTensors(builder, o.parameters, layer)
      const y = builder.temporary([B, layer.outputs])
      const z = logDet && keepsPreActivation(net) ? builder.temporary([B, layer.outputs]) : undefined
      builder.add(
        linearForward,
        { x, weight, bias, t: timeWeight && t, time_weight: timeWeight, y, z },
        { activation: net.activation, beta: net.beta, scale: 1 },
      )
      saved.push(z ?? y)
      x = y
    }
    if (logDet) {
      let dx = constantTangents ?? firstTangents()
      layers.forEach((layer, i) => {
        const { weight } = layerTensors(builder, o.parameters, layer)
        const dy = builder.temporary([tangentRows, layer.outputs])
        builder.add(
          linearTangent,
          { dx, weight, saved: saved[i], dy },
          saved[i]
            ? { activation: net.activation, beta: net.beta, scale: 1 }
            : { activation: 'identity', beta: 1, scale: scale * factor },
        )
        dx = dy
      })
      const out: ProgramTensor = last ? o.log_det_out : builder.temporary([B, 1])
      builder.add(divergenceStage, { dv: dx, probes: o.probes, log_det: logDet, out }, { share: share + carry })
      logDet = out
    }
    const next = last ? o.out : builder.temporary([B, width])
    const nextPoint = logDet && frequencies && !last ? builder.temporary([B, D]) : undefined
    const begins = sums === undefined
    const from = ends ? (sums ?? base) : base
    const kept = !ends || carry !== 0
    if (kept && (begins || ends)) sums = last && ends ? o.ahead_out : builder.temporary([B, D])
    builder.add(
      linearStage,
      {
        x,
        weight: headWeight,
        shifts,
        base: from,
        condition: last ? undefined : condition,
        sums: kept ? sums : undefined,
        next,
        point: nextPoint,
      },
      {
        t: time,
        scale: scale * factor,
        share: ends ? carry : share,
        // the last stage's share completes the step, where the others reach for the next one's point
        reach: ends ? share : reach,
        sums: ends ? 'of next' : begins ? 'begin' : 'go on',
        frequencies: last ? [] : net.frequencies,
      },
    )
    if (ends) {
      base = carry === 0 ? next : sums!
      sums = undefined
    }
    input = next
    point = nextPoint ?? point
  })
}

/** As in shaders/linear_stage.wgsl. */
const sumsParts = { begin: 1, 'go on': 2, 'of next': 3 }

export const layeredPlanners: Readonly<Record<string, Planner>> = {
  linear_stage: (operation, target) => {
    const { x, shifts, base, condition, sums, next, point, weight } = shapesOf(operation)
    const a = operation.attributes as unknown as LinearStageAttributes
    const [rows, inner] = x
    const [columns] = weight
    const shape: ProductShape = { kernel: 'linear_stage', rows: null, columns, inner, left: 'inner', right: 'inner' }
    // the rows of what it writes have any width: one number of the result at a time
    const row = usableVariants(shape, target)
      .map((name) => variants[name](target.lanes))
      .find(({ elements }) => elements === 'scalar' || elements === 'dots')!
    const { product, elements, tile } = row
    const rowTiles = Math.ceil(rows / tile[0])
    const alongY = Math.min(rowTiles, 32768)
    return {
      launches: [
        {
          shader: 'linear_stage',
          product,
          elements,
          constants: { ...row.constants, ...(elements === 'dots' ? { COLUMNS: columns } : {}) },
          uniforms: {
            frequencies: a.frequencies,
            rows,
            columns,
            inner,
            time_at: aligned(columns),
            stride: base[1],
            timed: flag(shifts[0] > columns),
            sums_part: sums ? sumsParts[a.sums] : 0,
            has_point: flag(point),
            conditions: condition ? condition[1] : 0,
            frequency_count: a.frequencies.length,
            width: next[1],
            t: a.t,
            scale: a.scale,
            share: a.share,
            reach: a.reach,
          },
          groups: [Math.ceil(columns / tile[1]), alongY, Math.ceil(rowTiles / alongY)],
        },
      ],
    }
  },

  divergence_stage: (operation) => {
    const { dv, probes, out } = shapesOf(operation)
    const [batch] = out
    const { share } = operation.attributes as { share: number }
    const uniforms = { batch, columns: dv[1], tangents: dv[0] / batch, share }
    return {
      launches: [
        { shader: 'divergence_stage', constants: { HAS_PROBES: flag(probes) }, uniforms, groups: groupsFor(batch) },
      ],
    }
  },
}
