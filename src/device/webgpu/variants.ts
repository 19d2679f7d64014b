/**
 * The variants of the matrix products, and the choice between them. A *variant* is a core (shaders/include/product_*.wgsl)
 * with its tile sizes; each kernel that is a product runs with any of them that fits. A row of the table says what a
 * variant needs of an adapter and which products it is made for, so that whoever chooses (the suggestion below, a tuner,
 * a config that forces one) need not know the cores.
 *
 * What is chosen depends on the adapter and on the widths of a layer, never on the number of rows: a row's value does not
 * depend on the batch it is in.
 */

import { invalid } from '../../errors.js'
import { halfVariants } from './half-variants.js'
import type { UnitsProduct } from './units.js'

export type Constants = Readonly<Record<string, number>>

/** What a choice may look at of an adapter, and of what its user asked for. */
export interface Target {
  readonly software: boolean
  /** lanes of a subgroup where that is one fixed number and the feature is there, else 0 */
  readonly lanes: number
  /** bytes of memory that a workgroup may have */
  readonly workgroupBytes: number
  /** whether shaders may use float16 */
  readonly f16: boolean
  /** how matrix units are written for, where the adapter has some that multiply float16 */
  readonly units: UnitsProduct | null
  /** variants that the caller forced, by kernel */
  readonly forced: Readonly<Record<string, string>>
  /** what was measured to be the fastest (tuner.ts), where it was */
  readonly tuned?: (shape: ProductShape) => string | undefined
  /** told of every choice */
  readonly onChoice?: (shape: ProductShape, variant: string) => void
}

/** The product of one launch: its kernel and the widths of the layer. */
export interface ProductShape {
  readonly kernel: string
  /** columns of the result */
  readonly columns: number
}

export interface Variant {
  /** core that "product.wgsl" stands for: shaders/include/product_{product}.wgsl */
  readonly product: string
  /** rows and columns of the result that a workgroup computes */
  readonly tile: readonly [number, number]
  /** values of the core's overridable constants */
  readonly constants: Constants
  /** bytes of workgroup memory */
  readonly workgroupBytes: number
  /** whether it needs subgroups of one fixed size */
  readonly subgroups: boolean
  /** whether it computes this product */
  fits(shape: ProductShape): boolean
}

/** A row of the table, which may depend on the lanes of a subgroup (0 where they are not fixed). */
type Row = (lanes: number) => Variant

const any = (): boolean => true

const workgroup =
  (threads: number, registers: number, depth: number): Row =>
  () => {
    const side = threads * registers
    return {
      product: 'workgroup',
      tile: [side, side],
      constants: { THREAD_ROWS: threads, THREAD_COLUMNS: threads, ROWS: registers, COLUMNS: registers, DEPTH: depth },
      workgroupBytes: 4 * 2 * depth * (side + 1),
      subgroups: false,
      fits: any,
    }
  }

const subgroup =
  (rows: number, columns: number): Row =>
  (lanes) => ({
    product: 'subgroup',
    tile: [rows, columns * lanes],
    constants: { LANES: lanes, ROWS: rows, COLUMNS: columns },
    workgroupBytes: 0,
    subgroups: true,
    fits: any,
  })

/** Columns of the result that the narrow core takes. */
const NARROW = 8

export const variants: Readonly<Record<string, Row>> = {
  workgroup32: workgroup(8, 4, 16),
  workgroup64: workgroup(16, 4, 16),
  workgroup128: workgroup(16, 8, 8),
  subgroup16: subgroup(16, 4),
  subgroup32: subgroup(32, 4),
  storage: () => ({
    product: 'storage',
    tile: [32, 32],
    constants: {},
    workgroupBytes: 0,
    subgroups: false,
    fits: any,
  }),
  narrow: () => ({
    product: 'narrow',
    tile: [8, 8],
    constants: {},
    workgroupBytes: 4 * 8 * 8 * 8,
    subgroups: false,
    fits: ({ columns }) => columns <= NARROW,
  }),
}

/** How a choice stands in a manifest: for the products of this shape alone. */
export const choiceLabel = ({ kernel: _, ...widths }: ProductShape, variant: string): string =>
  `${variant}@${Object.values(widths).join('x')}`

/** The names of those that this adapter can run on this product, the suggested one first. */
export function usableVariants(shape: ProductShape, target: Target): string[] {
  const suggested = suggestVariant(shape, target)
  const usable = Object.keys(variants).filter((name) => isUsable(name, shape, target))
  return [suggested, ...usable.filter((name) => name !== suggested)]
}

function isUsable(name: string, shape: ProductShape, { lanes }: Target): boolean {
  const variant = variants[name](lanes)
  return (!variant.subgroups || lanes > 0) && variant.fits(shape)
}

/**
 * The variant for a product. What was forced may be several names, each for all shapes that it fits or, as an executable
 * reports them (`choiceLabel`), for one; where it says nothing of this shape, the fastest known is taken.
 */
export function chooseVariant(shape: ProductShape, target: Target): string {
  const variant = forcedVariant(shape, target) ?? target.tuned?.(shape) ?? suggestVariant(shape, target)
  target.onChoice?.(shape, variant)
  return variant
}

/** What the caller or a manifest asks for; undefined where that is not known for this shape, or does not fit it. */
export function forcedVariant(shape: ProductShape, target: Target): string | undefined {
  const forced = target.forced[shape.kernel]?.split(' ') ?? []
  const known = [...Object.keys(variants), ...Object.keys(halfVariants)]
  const unknown = forced.find((name) => !known.includes(name.split('@')[0]))
  if (unknown !== undefined) throw invalid(`The variant of ${shape.kernel}`, `one of ${known.join(', ')}`, unknown)
  const usable = usableVariants(shape, target)
  return (
    usable.find((name) => forced.includes(choiceLabel(shape, name))) ?? usable.find((name) => forced.includes(name))
  )
}

/** What is taken where nothing was measured. */
function suggestVariant({ columns }: ProductShape, { software, lanes }: Target): string {
  if (columns <= NARROW) return 'narrow'
  if (software) return lanes > 0 ? 'subgroup16' : 'storage'
  return columns <= 32 ? 'workgroup32' : 'workgroup64'
}
