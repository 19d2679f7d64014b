/** The keys of `model` for an MLP, and what they resolve to. */

import * as z from 'zod'
import { type ActivationName, activationNames } from '../../kernels/activations.js'
import { choice, count, key, listOf, positive } from '../../schema/words.js'
import { classesKey } from '../classes-key.js'

/** Activations of hidden layers; with the identity the network would be a linear map. */
const hiddenActivations = activationNames.filter((name) => name !== 'identity')
const sharpSoftplus = /^softplus(\d+(?:\.\d+)?)$/
const activationWords = hiddenActivations
  .flatMap((name) => (name === 'softplus' ? [name, 'softplus20 (softplus with β = 20)'] : [name]))
  .join(', ')
  .replace(/, (\w+)$/, ' or $1')

export const mlpSchema = z.strictObject({
  kind: z.literal('mlp').meta({ description: 'A multilayer perceptron, for rows of columns.' }).default('mlp'),
  hidden: listOf(count('', 1_000_000), 'a non-empty list of widths', 'Widths of the hidden layers.', 256).default([
    256, 256, 256,
  ]),
  activation: key(
    z.union([
      z.enum(hiddenActivations),
      z.templateLiteral(['softplus', z.number()]).refine((name) => Number(sharpSoftplus.exec(name)?.[1] ?? 0) > 0),
    ]),
    activationWords,
    'Activation of the hidden layers.',
  ).default('softplus20'),
  time: choice(['first', 'every'], 'Whether the time enters at the first layer or at every one.').default('first'),
  conditionAt: choice(
    ['first', 'every'],
    'Whether a condition enters at the first layer, or at every hidden one (docs/conditional.md).',
  ).default('first'),
  fourier: key(
    z.array(positive()).max(1000),
    'a list of at most 1000 frequencies above 0',
    'Frequencies f: sin(f·x) and cos(f·x) of each coordinate enter beside x. Empty: none.',
  ).default([]),
  classes: classesKey(),
})

export interface MlpModel {
  kind: 'mlp'
  hidden: number[]
  activation: Exclude<ActivationName, 'identity'>
  /** Sharpness of softplus; 1 for the others. */
  beta: number
  time: 'first' | 'every'
  conditionAt: 'first' | 'every'
  fourier: number[]
  /** Whether it is told the class of each row. */
  classes: boolean
}

/** softplus20 is softplus with β = 20. */
export function resolveMlp(model: z.output<typeof mlpSchema>): MlpModel {
  const [, beta] = sharpSoftplus.exec(model.activation) ?? []
  const activation = beta === undefined ? (model.activation as MlpModel['activation']) : 'softplus'
  return { ...model, activation, beta: Number(beta ?? 1) }
}
