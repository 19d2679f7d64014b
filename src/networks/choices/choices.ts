/**
 * The velocity of a network that predicts ends of paths of mixed columns (variational flow matching, Eijkelboom et al. 2024; its
 * form for tables, Guzmán-Cordero et al. 2025): of a category logits, whose softmax is the expected end, of a number the velocity
 * itself. It has the parameters and files of the network around which it is, for sampling; what that learns is a task
 * (src/learn/tasks/choices.ts).
 */

import { LocalFlowError } from '../../errors.js'
import { PATH_COLUMNS } from '../../kernels/draw_batch.js'
import type { SegmentTables } from '../../kernels/segments.js'
import { softmaxSegments } from '../../kernels/softmax_segments.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { addCentralDifference } from '../central-difference.js'
import type { Network, NetworkSpec } from '../network.js'

export interface ChoicesSpec extends NetworkSpec {
  readonly kind: 'choices'
  readonly net: NetworkSpec
  readonly segments: SegmentTables
  /** A, B, A′, B′ of the path from an encoded row to noise at evenly spaced times on [0, 1], one row after another */
  readonly path: readonly number[]
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

/** @param inner a network without output scaling */
export function choicesNetwork(inner: Network, { segments, path }: Pick<ChoicesSpec, 'segments' | 'path'>): Network {
  const spec: ChoicesSpec = { kind: 'choices', net: inner.spec, segments, path }
  const network: Network = {
    ...inner,
    spec,
    addCombined: undefined,
    addVelocity(builder, operands, factor) {
      const { x, t, out } = operands
      const logits = builder.temporary(out.shape)
      inner.addVelocity(builder, { ...operands, out: logits }, 1)
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
