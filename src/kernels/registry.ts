/** All kernels by name: what a device must be able to run. A new kernel is one row here. */

import { activation } from './activation.js'
import { adam } from './adam.js'
import { adaptiveControl } from './adaptive_control.js'
import { adaptiveStage } from './adaptive_stage.js'
import type { Kernel } from './contract.js'
import { divergence } from './divergence.js'
import { drawBatch } from './draw_batch.js'
import { gradientNorm } from './gradient_norm.js'
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
import { stageCombine } from './stage_combine.js'

const all = [
  activation,
  adam,
  adaptiveControl,
  adaptiveStage,
  divergence,
  drawBatch,
  gradientNorm,
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
  stageCombine,
] as unknown as readonly Kernel[]

export const kernels: ReadonlyMap<string, Kernel> = new Map(all.map((kernel) => [kernel.name, kernel]))
