/**
 * The composites that the native engine has fused implementations of, and the choice between these and the expansion: a
 * *variant* is `fused` or `expanded`; those of convolutions are in convolutions.ts. The engine's attributes are flat: a network
 * becomes lists and numbers.
 */

import { DeviceError, invalid } from '../../errors.js'
import { kernels } from '../../kernels/registry.js'
import { isTold, type MlpAttributes, type MlpSpec } from '../../networks/mlp/spec.js'
import type { NetworkSpec } from '../../networks/network.js'
import type { IntegrationAttributes } from '../../ode/integrate.js'
import type { LoweredOperation } from '../../program/lower.js'
import type { Operation } from '../../program/program.js'
import { convolutionVariants, isConvolution, usableVariants } from './convolutions.js'

export const nativeVariants = ['fused', 'expanded'] as const

export const fusedComposites = ['integrate', 'mlp_backward', 'mlp_forward', 'mlp_tangents'] as const

/** MAX_LIST of native/kernel.h: hidden layers, and frequencies, that a fused implementation takes. */
const MOST_ITEMS = 16
/** MOST_NETWORKS of native/composites/integrate.cc: sub-flows that one call goes through. */
const MOST_NETWORKS = 16

/** Forced variants by contract name, as the caller or a run's manifest gives them. */
export type Variants = Readonly<Record<string, string>>

/** The variants that the engine has of a contract; null where it has one implementation alone. */
const variantsOf = (name: string): readonly string[] | null => {
  if (isConvolution(name)) return convolutionVariants
  return (fusedComposites as readonly string[]).includes(name) ? nativeVariants : null
}

/**
 * Throws if the name of a contract or a variant is unknown. A variant for a kernel that has only one implementation here is
 * ignored: a config may be for several devices.
 */
export function checkVariants(variants: Variants): void {
  for (const [name, value] of Object.entries(variants)) {
    const known = variantsOf(name)
    if (!known && kernels.has(name)) continue
    if (!known) {
      throw new DeviceError(
        `The native engine has no variants of '${name}'; it has variants of ${fusedComposites.join(', ')}.`,
      )
    }
    const unknown = value.split(' ').find((one) => !known.includes(one))
    if (unknown !== undefined) throw invalid(`The variant of ${name}`, `one of ${known.join(', ')}`, unknown)
  }
}

/** Chooses for the composites and convolutions of one program, and remembers what was chosen. */
export class VariantChoice {
  readonly chosen: Record<string, string> = {}

  constructor(private readonly forced: Variants) {}

  /** Whether a composite runs fused. */
  readonly takes = ({ contract: { name }, attributes }: Operation): boolean => {
    if (!(fusedComposites as readonly string[]).includes(name)) return false
    if ((attributes as unknown as { net: NetworkSpec }).net.kind !== 'mlp') return false
    const { net, scales } = attributes as unknown as { net: MlpSpec; scales?: readonly number[] }
    // layers of two products are expanded
    if (isTold(net)) return false
    // goes sub-flow by sub-flow, and each of these is asked for again
    if (scales && scales.length > MOST_NETWORKS) return false
    const forced = this.forced[name]?.split(' ') ?? []
    const allowed = forced.length > 0 ? forced : nativeVariants
    const fits = net.hidden.length <= MOST_ITEMS && net.frequencies.length <= MOST_ITEMS
    const variant = fits && allowed.includes('fused') ? 'fused' : 'expanded'
    this.remember(name, variant, nativeVariants)
    return variant === 'fused'
  }

  /** An operation as the engine reads it. */
  attributesOf(operation: LoweredOperation): object {
    const { contract, operands, attributes } = operation
    if (contract.kind === 'composite') return flatAttributes(attributes)
    const { name } = contract
    if (!isConvolution(name)) return attributes
    const { factors, ...others } = attributes
    if (factors !== 'f32') {
      throw new DeviceError(`${name}: the native engine multiplies in float32 only, not with factors in ${factors}.`)
    }
    const shapes = Object.fromEntries(Object.entries(operands).map(([operand, { shape }]) => [operand, shape]))
    const forced = this.forced[name]?.split(' ') ?? []
    const usable = usableVariants(name, shapes, attributes)
    const variant = usable.find((one) => forced.includes(one)) ?? usable[0]
    this.remember(name, variant, convolutionVariants)
    return { ...others, variant }
  }

  private remember(name: string, variant: string, known: readonly string[]): void {
    const before = this.chosen[name]?.split(' ') ?? []
    this.chosen[name] = known.filter((one) => one === variant || before.includes(one)).join(' ')
  }
}

/** A composite's attributes as the engine reads them. */
export function flatAttributes(attributes: object): object {
  const { net, scale = 1, scales } = attributes as Partial<Omit<IntegrationAttributes, 'net'>> & Partial<MlpAttributes>
  const { hidden, frequencies, activation, beta, time } = net as MlpSpec
  const flat = { hidden, frequencies, activation, beta, everyTime: time === 'every', scale }
  return scales ? { ...flat, scales } : flat
}
