/**
 * The velocity of a network that predicts ends of paths of mixed columns (variational flow matching, Eijkelboom et al. 2024; its
 * form for tables, Guzmán-Cordero et al. 2025): of a category logits, whose softmax is the expected end, of a number the velocity
 * itself. It has the parameters and files of the network around which it is, for sampling; what that learns is a task
 * (src/learn/tasks/choices.ts).
 */

import { LocalFlowError } from '../../errors.js'
import { adaptiveStage } from '../../kernels/adaptive_stage.js'
import { size } from '../../kernels/contract.js'
import { PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { inputFeatures } from '../../kernels/input_features.js'
import type { SegmentTables } from '../../kernels/segments.js'
import { softmaxSegments } from '../../kernels/softmax_segments.js'
import { stageCombine } from '../../kernels/stage_combine.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { addCentralDifference } from '../central-difference.js'
import type { Network, NetworkSpec } from '../network.js'

export interface ChoicesSpec extends NetworkSpec {
  readonly kind: 'choices'
  readonly net: NetworkSpec
  readonly segments: SegmentTables
  /** A, B, A′, B′ of the path from an encoded row to noise at evenly spaced times on [0, 1], one row after another */
  readonly path: readonly number[]
  /**
   * whether numbers of a row may be given: the condition [2B, D + C] then has masks [B, D], 1 where a number is given, behind them the
   * numbers [B, D], which stand in the state's place, and what rows are told besides [B, C]; the inner network is told the masks and
   * that, [B, D + C]. Without any it is zeros
   */
  readonly fills: boolean
}

export const isChoices = (spec: NetworkSpec): spec is ChoicesSpec => spec.kind === 'choices'

/** [2, D] and [S + 1] as kernels take them. */
export function segmentTensors(
  builder: ProgramBuilder,
  { starts, scale, centre }: SegmentTables,
): { encoding: ProgramTensor; starts: ProgramTensor } {
  return {
    encoding: builder.constant(Float32Array.from([...scale, ...centre]), [2, scale.length]),
    starts: builder.constant(starts),
  }
}

/** x with given numbers in the places of a mask, all [B, D]: x + mask·(given − x). */
export function withGiven(
  builder: ProgramBuilder,
  x: ProgramTensor,
  mask: ProgramTensor,
  given: ProgramTensor,
): ProgramTensor {
  const length = size(x.shape)
  const apart = builder.temporary(x.shape)
  const whole = builder.view(x, [1, length])
  builder.add(stageCombine, { y: given, stages: whole, out: apart }, { coefficients: [-1] })
  return addMasked(builder, x, 1, mask, apart)
}

/** y + factor·mask·values, number by number, all [B, D]. */
export function addMasked(
  builder: ProgramBuilder,
  y: ProgramTensor,
  factor: number,
  mask: ProgramTensor,
  values: ProgramTensor,
): ProgramTensor {
  const length = size(y.shape)
  const out = builder.temporary(y.shape)
  const each = builder.view(mask, [length])
  builder.add(
    adaptiveStage,
    {
      // a row for each number, whose factor is the mask's
      y: builder.view(y, [length, 1]),
      stages: builder.view(values, [1, length]),
      t: each,
      h: each,
      out: builder.view(out, [length, 1]),
      stage_time: builder.temporary([length]),
    },
    { coefficients: [factor], node: 0 },
  )
  return out
}

/** What the inner network is told: masks [B, D], and behind them what rows are told besides [B, C]. */
export function besideMasks(
  builder: ProgramBuilder,
  masks: ProgramTensor,
  told: ProgramTensor | undefined,
): ProgramTensor {
  if (!told) return masks
  const [B, D] = masks.shape
  const y = builder.temporary([B, D + told.shape[1]])
  builder.add(inputFeatures, { x: masks, condition: told, y }, {})
  return y
}

/** @param inner a network without output scaling */
export function choicesNetwork(inner: Network, { segments, path, fills }: Omit<ChoicesSpec, 'kind' | 'net'>): Network {
  const spec: ChoicesSpec = { kind: 'choices', net: inner.spec, segments, path, fills }
  const network: Network = {
    ...inner,
    spec,
    addCombined: undefined,
    ...(fills && { conditionRows: 2 }),
    checkInputs(composite, { condition, ...shapes }) {
      const rows = fills && condition ? [condition[0] / 2, ...condition.slice(1)] : condition
      return inner.checkInputs(composite, rows ? { ...shapes, condition: rows } : shapes)
    },
    addVelocity(builder, operands, factor) {
      const { t, out } = operands
      const logits = builder.temporary(out.shape)
      let { x, condition } = operands
      if (fills && condition) {
        const length = size(x.shape)
        const [mask, given] = [0, 1].map((place) => builder.view(condition!, x.shape, place * length))
        const C = inner.condition - inner.dimension
        const told = C > 0 ? builder.view(condition, [x.shape[0], C], 2 * length) : undefined
        x = withGiven(builder, x, mask, given)
        condition = besideMasks(builder, mask, told)
      }
      inner.addVelocity(builder, { ...operands, x, condition, out: logits }, 1)
      builder.add(
        softmaxSegments,
        {
          x: logits,
          ...segmentTensors(builder, segments),
          state: x,
          t,
          path_table: builder.constant(Float32Array.from(path), [path.length / PATH_COLUMNS, PATH_COLUMNS]),
          y: out,
        },
        { factor },
      )
    },
    addDerivative: (builder, operands, factor) => addCentralDifference(builder, network, operands, factor),
    addDivergence() {
      throw new LocalFlowError('The velocity of a predicted choice has no divergence here.')
    },
  }
  return network
}
