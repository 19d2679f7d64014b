/** Equal parameters: the size of a network at which as many of them as a method has fit into a given number of parameters. */

import type { ResolvedConfig } from '../../config/index.js'
import { ConfigError } from '../../errors.js'
import type { Condition } from '../../model/condition.js'
import { type Model, resizedKeys, sizeOf } from '../../networks/registry.js'
import { fittedNetwork, recipeOf, recipeSettings } from '../../recipes/settings.js'

/** Networks that a method's model has: those that are kept, not those that only led to them. */
export const networksOf = (config: ResolvedConfig): number =>
  new Set(recipeOf(config).plan(recipeSettings(config)).stages).size

export const parametersOf = (
  config: Pick<ResolvedConfig, 'model' | 'flow' | 'distill' | 'train'>,
  rowShape: readonly number[],
  condition: Condition | null,
): number => fittedNetwork(config, rowShape, condition).parameterCount

/** Sizes are looked for up to so many times the configured one. */
const LARGEST = 16

/**
 * The keys of `model`, as they are written, for the largest network that fits: the configured one in the same proportions.
 * @param most parameters of all networks together, at most
 * @param condition what the method is told
 * @throws ConfigError where even the smallest does not fit
 */
export function fittedKeys(
  name: string,
  config: ResolvedConfig,
  rowShape: readonly number[],
  most: number,
  condition: Condition | null,
): object {
  const { model } = config
  const networks = networksOf(config)
  let fitting: object | null = null
  let least = Number.POSITIVE_INFINITY
  for (let size = 1; size <= LARGEST * sizeOf(model); size++) {
    const keys = resizedKeys(model, size)
    const parameters = parametersIfValid({ ...config, model: { ...model, ...keys } as Model }, rowShape, condition)
    if (parameters === null) continue
    least = Math.min(least, networks * parameters)
    if (networks * parameters > most) break
    fitting = keys
  }
  if (fitting) return fitting
  throw new ConfigError(
    `${name}: ${networks} networks of this kind have ${least} parameters at least, which is more than ${most} in all. ` +
      'Give compare.parameters a larger number, or leave the block out by compare.blocks: [width].',
  )
}

/** Null for a size that networks of this kind cannot have: a UNet's channels must be whole groups. */
function parametersIfValid(
  config: ResolvedConfig,
  rowShape: readonly number[],
  condition: Condition | null,
): number | null {
  try {
    return parametersOf(config, rowShape, condition)
  } catch (error) {
    if (error instanceof ConfigError) return null
    throw error
  }
}
