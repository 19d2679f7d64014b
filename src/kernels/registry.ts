/** All kernels by name: what a device must be able to run. A new kernel is one row here. */

import { accumulate } from './accumulate.js'
import { activation } from './activation.js'
import { adam } from './adam.js'
import { adamMixed } from './adam_mixed.js'
import { adaptiveControl } from './adaptive_control.js'
import { adaptiveStage } from './adaptive_stage.js'
import { adaptiveTarget } from './adaptive_target.js'
import { attention } from './attention.js'
import { attentionBackward } from './attention_backward.js'
import { averagePool } from './average_pool.js'
import { averagePoolBackward } from './average_pool_backward.js'
import type { Kernel } from './contract.js'
import { conv2d } from './conv2d.js'
import { conv2dBackwardInput } from './conv2d_backward_input.js'
import { conv2dBackwardWeight } from './conv2d_backward_weight.js'
import { convert } from './convert.js'
import { divergence } from './divergence.js'
import { drawBatch } from './draw_batch.js'
import { flowLoss } from './flow_loss.js'
import { gradientNorm } from './gradient_norm.js'
import { groupNorm } from './group_norm.js'
import { groupNormBackward } from './group_norm_backward.js'
import { inputFeatures } from './input_features.js'
import { inputTangent } from './input_tangent.js'
import { linearBackwardInput } from './linear_backward_input.js'
import { linearBackwardWeight } from './linear_backward_weight.js'
import { linearForward } from './linear_forward.js'
import { linearLoss } from './linear_loss.js'
import { linearTangent } from './linear_tangent.js'
import { loadRows } from './load_rows.js'
import { matMul } from './mat_mul.js'
import { normal } from './normal.js'
import { rademacher } from './rademacher.js'
import { segmentLoss } from './segment_loss.js'
import { softmaxSegments } from './softmax_segments.js'
import { stageCombine } from './stage_combine.js'
import { timeEmbedding } from './time_embedding.js'

const all = [
  accumulate,
  activation,
  adam,
  adamMixed,
  adaptiveControl,
  adaptiveStage,
  adaptiveTarget,
  attention,
  attentionBackward,
  averagePool,
  averagePoolBackward,
  conv2d,
  conv2dBackwardInput,
  conv2dBackwardWeight,
  convert,
  divergence,
  drawBatch,
  flowLoss,
  gradientNorm,
  groupNorm,
  groupNormBackward,
  inputFeatures,
  inputTangent,
  linearBackwardInput,
  linearBackwardWeight,
  linearForward,
  linearLoss,
  linearTangent,
  loadRows,
  matMul,
  normal,
  rademacher,
  segmentLoss,
  softmaxSegments,
  stageCombine,
  timeEmbedding,
] as unknown as readonly Kernel[]

/** Every contract by its name. */
export const kernels: ReadonlyMap<string, Kernel> = new Map(all.map((kernel) => [kernel.name, kernel]))
