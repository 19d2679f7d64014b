/**
 * rk4_step layer by layer: for networks of which no tile fits into workgroup memory, and for adapters that are slow there.
 * All that a stage does beside its products is done by the launch of the last layer (`linear_stage`): it adds to the sum
 * of the step and writes the next stage's input with its features. A step of a network with L hidden layers is 4·(L + 1)
 * launches; with the trace 4·(2L + 3), since its integral is summed by the launch that takes the divergence
 * (`divergence_stage`). Both are kernels of this device alone: what they compute is part of rk4_step's contract.
 */

import { LocalFlowError } from '../../errors.js'
import { type Kernel, traffic } from '../../kernels/contract.js'
import { inputFeatures } from '../../kernels/input_features.js'
import { inputTangent } from '../../kernels/input_tangent.js'
import { linearForward } from '../../kernels/linear_forward.js'
import { linearTangent } from '../../kernels/linear_tangent.js'
import { inputWidth, keepsPreActivation, layerTensors, type MlpAttributes, mlpLayers } from '../../networks/mlp/spec.js'
import type { IntegrationAttributes } from '../../ode/fixed_step.js'
import { rk4 } from '../../ode/tableaus.js'
import { aligned, type ProgramBuilder, type Tensor } from '../../program/program.js'
import { flag, groupsFor, type Planner, shapesOf } from './plans.js'
import type { ProductShape } from './target.js'
import { usableVariants, variants } from './variants.js'

/** rk4_step's attributes where its network is an MLP. */
export type MlpIntegration = MlpAttributes & Omit<IntegrationAttributes, 'net'>

export interface LinearStageAttributes {
  readonly t: number
  readonly scale: number
  /** of v in the step's sum */
  readonly share: number
  /** how far the next stage's point lies along v */
  readonly reach: number
  /** whether the step's sum begins with this stage */
  readonly begins: boolean
  /** of the features that `next` has beside the point */
  readonly frequencies: readonly number[]
}

const notAlone = (name: string): never => {
  throw new LocalFlowError(`${name} is a part of the WebGPU device's rk4_step and has no reference of its own.`)
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

/** Operands as rk4_step's. */
export function layeredRk4(
  builder: ProgramBuilder,
  o: Record<string, Tensor>,
  { net, scale, start, end, steps }: MlpIntegration,
): void {
  const [B, D] = o.y.shape
  const h = (end - start) / steps
  const layers = mlpLayers(net)
  const head = layers[layers.length - 1]
  const { weight: headWeight } = layerTensors(builder, o.parameters, head)
  const shiftsLength = head.timeWeight === null ? D : aligned(D) + D
  const shifts = builder.view(o.parameters, [shiftsLength], head.bias)
  const width = inputWidth(net)
  const frequencies = net.frequencies.length > 0 ? builder.constant(net.frequencies) : undefined
  const condition = net.condition > 0 ? o.condition : undefined

  let base = o.y
  let point = o.y
  let input = o.y
  if (width > D) {
    input = builder.temporary([B, width])
    builder.add(inputFeatures, { x: o.y, condition, frequencies, y: input }, {})
  }
  const tangentRows = o.probes ? o.probes.shape[0] : B * D
  const firstTangents = (): Tensor => {
    const dy = builder.temporary([tangentRows, width])
    builder.add(inputTangent, { x: point, frequencies, probes: o.probes, dy }, {})
    return dy
  }
  // without frequencies they are the same everywhere
  const constantTangents = o.log_det && !frequencies ? firstTangents() : undefined
  let logDet: Tensor | undefined = o.log_det

  for (let step = 0; step < steps; step++) {
    const sums = builder.temporary([B, D])
    for (let stage = 0; stage < 4; stage++) {
      const time = start + (step + rk4.nodes[stage]) * h
      const t = builder.constant([time])
      const lastStage = stage === 3
      const lastOfAll = lastStage && step === steps - 1
      const saved: Tensor[] = []
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
      const share = rk4.weights[stage] * h
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
              : { activation: 'identity', beta: 1, scale },
          )
          dx = dy
        })
        const out: Tensor = lastOfAll ? o.log_det_out : builder.temporary([B, 1])
        builder.add(divergenceStage, { dv: dx, probes: o.probes, log_det: logDet, out }, { share })
        logDet = out
      }
      const next = lastOfAll ? o.out : builder.temporary([B, width])
      const nextPoint = logDet && frequencies && !lastOfAll ? builder.temporary([B, D]) : undefined
      builder.add(
        linearStage,
        {
          x,
          weight: headWeight,
          shifts,
          base: lastStage ? sums : base,
          condition: lastOfAll ? undefined : condition,
          sums: lastStage ? undefined : sums,
          next,
          point: nextPoint,
        },
        {
          t: time,
          scale,
          share,
          // the last stage's share completes the step, where the others reach for the next one's point
          reach: lastStage ? share : rk4.a[stage + 1][stage] * h,
          begins: stage === 0,
          frequencies: lastOfAll ? [] : net.frequencies,
        },
      )
      if (lastStage) base = next
      input = next
      point = nextPoint ?? point
    }
  }
}

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
            sums_part: sums ? (a.begins ? 1 : 2) : 0,
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
