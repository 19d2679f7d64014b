/**
 * What a launch is, and what planners of launches share. A *plan* is the launches of one operation: which shader, with which
 * constants and uniforms, on how many workgroups. Choices are constants of the pipeline, sizes are uniforms.
 */

import type { ActivationName } from '../../kernels/activations.js'
import type { Shape } from '../../kernels/contract.js'
import type { LoweredOperation, PlacedTensor } from '../../program/lower.js'
import type { Includes } from './shaders.js'
import type { AdapterTarget, Constants } from './target.js'

export interface Launch extends Includes {
  readonly shader: string
  readonly constants: Constants
  readonly uniforms: Readonly<Record<string, number | readonly number[]>>
  readonly groups: readonly [number, number, number]
}

/** Memory for launches, in elements; those that name the same object share it. */
export interface Scratch {
  readonly elements: number
}

/** A part of an operand, in words. */
export interface Window {
  readonly operand: string
  readonly first: number
  readonly length: number
}

export interface LaunchPlan {
  readonly launches: readonly Launch[]
  /** name of the variant, for kernels that have several */
  readonly variant?: string
  /** by binding name */
  readonly scratch?: Readonly<Record<string, Scratch>>
  /** by binding name: parts of operands that are larger than an adapter binds at a time */
  readonly windows?: Readonly<Record<string, Window>>
}

/** Parts of a batch, and where their sums go. */
export interface PartialSums {
  /** rows of a part */
  readonly part: number
  readonly count: number
  readonly sums: Scratch
  /** elements from one part's sums to the next's */
  readonly pitch: number
  /** where a result's sums start in a part's */
  at(result: 'dweight' | 'dbias' | 'dtime_weight'): number
}

/** What a weight gradient's launch is for any number of parts. */
export interface WeightGradient {
  readonly variant: string
  readonly shader: string
  readonly product?: string
  readonly team?: Launch['team']
  readonly elements?: Launch['elements']
  readonly constants: Constants
  readonly uniforms: Launch['uniforms']
  readonly groups: readonly [number, number]
}

/** The parts whose sums the launch of gradient_norm adds up. */
export interface GradientParts {
  readonly count: number
  readonly sums: Scratch
}

/** How operations of a whole program are planned that know of one another. */
export interface SharedPartialSums {
  /** by weight gradient */
  readonly parts: ReadonlyMap<LoweredOperation, PartialSums>
  /** by operation of gradient_norm */
  readonly gradients: ReadonlyMap<LoweredOperation, GradientParts>
}

export type Planner = (operation: LoweredOperation, target: AdapterTarget, shared?: SharedPartialSums) => LaunchPlan

/** Workgroups along one dimension of a launch: the least that every adapter allows. */
export const MAX_GROUPS = 65535

const GROUP_SIZE = 64

/** Workgroups for so many elements, in two dimensions where one does not hold them; each takes `size` of them. */
export function groupsFor(elements: number, size = GROUP_SIZE): [number, number, number] {
  const groups = Math.ceil(elements / size)
  const y = Math.ceil(groups / MAX_GROUPS)
  return [Math.ceil(groups / y), y, 1]
}

export const shapesOf = (operation: LoweredOperation): Record<string, Shape> =>
  Object.fromEntries(Object.entries(operation.operands).map(([name, { shape }]) => [name, shape]))

/** Ways to implement a contract, after its name in a shader's. */
const implementations = /_(half|thin|lanes|blocks|parts)$/

/**
 * Which of an operation's launches do what its contract counts: those named as the contract, else the first. The others prepare
 * for them, or add up what they left.
 */
export function bearers(contract: string, launches: readonly Launch[]): ReadonlySet<Launch> {
  const named = launches.filter(({ shader }) => shader.replace(implementations, '') === contract)
  return new Set(named.length > 0 ? named : launches.slice(0, 1))
}

/** How a tensor that may be float16 is stored. */
export const storedAs = ({ dtype }: PlacedTensor): 'f32' | 'f16' => (dtype === 'f16' ? 'f16' : 'f32')

/** The activation that an operation names, for its launches; undefined: it has none. */
export const activationOf = ({ attributes }: LoweredOperation): ActivationName | undefined =>
  attributes.activation as ActivationName | undefined

export const flag = (value: unknown): number => (value ? 1 : 0)

/** Entries of an operand that holds no time, one for all rows, or one for each. */
export const times = (t: Shape | undefined): number => (t ? t[0] : 0)

/**
 * Workgroups that keep an adapter busy, about; parts of a batch are made until there are so many. A GPU of 132 processors wants
 * several on each, since a workgroup of a 64 × 64 tile is two subgroups, which hide little of what a load takes.
 */
const BUSY_HARDWARE = 1024
const BUSY_SOFTWARE = 8
/** Rows of a batch below which a part is not worth its sum. */
const LEAST_PART = 64

/** Rows of a part of a batch of B, where the result has so many tiles; the parts are summed one after the other. */
export function partRows(B: number, tiles: number, { software }: AdapterTarget): number {
  const busy = software ? BUSY_SOFTWARE : BUSY_HARDWARE
  return Math.ceil(B / Math.min(Math.ceil(busy / tiles), Math.ceil(B / LEAST_PART)))
}
