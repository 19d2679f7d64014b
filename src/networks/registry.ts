/** From the section `model` of a config to a velocity field, for rows of a given shape. */

import type { ResolvedOptions, UnetModel } from '../config/index.js'
import { ConfigError } from '../errors.js'
import { mlpField, padded } from './mlp/mlp.js'
import type { MlpSpec } from './mlp/spec.js'
import type { VelocityField } from './network.js'
import { type UnetSpec, unetProblem } from './unet/spec.js'
import { unetField } from './unet/unet.js'
import { microBatchProblem } from './unet/unet_backward.js'

/**
 * The velocity field for rows […dims].
 * @throws ConfigError where rows of this shape do not fit the model, named with the key
 */
export function fieldOf(model: ResolvedOptions['model'], rowShape: readonly number[]): VelocityField {
  if (model.kind === 'unet') return unetField(unetSpec(model, rowShape))
  const net: MlpSpec = {
    kind: 'mlp',
    dimension: rowShape.reduce((product, extent) => product * extent, 1),
    condition: 0,
    hidden: model.hidden,
    activation: model.activation,
    beta: model.beta,
    time: model.time,
    frequencies: model.fourier,
  }
  return mlpField(net, padded(net))
}

function unetSpec({ kind, ...model }: UnetModel, rowShape: readonly number[]): UnetSpec {
  if (rowShape.length !== 3) {
    throw new ConfigError(
      `model.kind unet is for pictures, rows [C, H, W], but the rows have the shape [${rowShape.join(', ')}]. ` +
        'Take model.kind mlp, or data of four dimensions.',
    )
  }
  const [channels, height, breadth] = rowShape
  const net: UnetSpec = { kind, channels, height, breadth, condition: 0, ...model }
  const problem = unetProblem(net)
  if (problem) throw new ConfigError(problem)
  return net
}

/** Throws ConfigError where rows of this shape cannot be trained with these options, as fieldOf does and for batches. */
export function checkTraining({ model, train }: ResolvedOptions, rowShape: readonly number[]): void {
  if (model.kind === 'mlp') return
  const problem = microBatchProblem(unetSpec(model, rowShape), train.batch, train.microBatches)
  if (problem) throw new ConfigError(problem)
}

/** One line for people. */
export function describeModel(model: ResolvedOptions['model']): string {
  if (model.kind === 'unet') {
    const { width, multipliers, depth, attention, headChannels, dropout, scaleShift, residualResampling } = model
    const words = [
      `unet of width ${width} · (${multipliers.join(', ')})`,
      `${depth} ${depth === 1 ? 'block' : 'blocks'} a level`,
      attention.length > 0 ? `attention at ${attention.join(' and ')}, ${headChannels} channels a head` : '',
      dropout > 0 ? `dropout ${dropout}` : '',
      scaleShift ? 'time by scale and shift' : '',
      residualResampling ? 'resampling in residual blocks' : '',
    ]
    return words.filter((word) => word !== '').join(', ')
  }
  const activation =
    model.activation === 'softplus' && model.beta !== 1 ? `softplus(β = ${model.beta})` : model.activation
  const time = model.time === 'first' ? 't at the first layer' : 't at every layer'
  const features = model.fourier.length > 0 ? `, ${model.fourier.length} Fourier frequencies` : ''
  return `${model.kind} ${model.hidden.join(' · ')}, ${activation}, ${time}${features}`
}
