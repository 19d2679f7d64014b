/** What plans and choices of variants look at: the adapter, its user's wishes, the widths of a product, and what a variant is. */

import type { Operation } from '../../program/program.js'

/**
 * Forms of the float16 product for matrix units: shaders/include/product_{…}.wgsl, the newest first. `units_wide` loads four
 * numbers at a time where widths allow it, and `units` elsewhere; the others load one.
 */
export const unitsForms = ['units_wide', 'units', 'units_old'] as const
export type UnitsProduct = (typeof unitsForms)[number]

export type Constants = Readonly<Record<string, number>>

/** What a choice may look at of an adapter, and of what its user asked for. */
export interface AdapterTarget {
  readonly software: boolean
  /** lanes of a subgroup where that is one fixed number and the feature is there, else 0 */
  readonly lanes: number
  /** bytes of memory that a workgroup may have */
  readonly workgroupBytes: number
  /** invocations that a workgroup may have; left out: 256, as everywhere */
  readonly threads?: number
  /** bytes that one binding of a buffer may have; left out: as many as it likes */
  readonly bindingBytes?: number
  /** whether shaders may use float16 */
  readonly f16: boolean
  /** how matrix units are written for, where the adapter has some that multiply float16 */
  readonly units: UnitsProduct | null
  /** variants that the caller forced, by kernel */
  readonly forced: Readonly<Record<string, string>>
  /** what was measured to be the fastest (tuner.ts), where it was */
  readonly tuned?: (shape: ProductShape) => string | undefined
  /** the same for a composite */
  readonly tunedComposite?: (operation: Operation) => string | undefined
  /** told of every choice */
  readonly onChoice?: (shape: ProductShape, variant: string) => void
}

/**
 * The product of one launch, as far as a choice may look at it: the widths of a layer. What is the number of rows of a
 * batch is null.
 */
export interface ProductShape {
  readonly kernel: string
  readonly rows: number | null
  readonly columns: number
  readonly inner: number | null
  /** along which index the factors lie dense in memory */
  readonly left: 'rows' | 'inner'
  readonly right: 'inner' | 'columns'
  /** whether the factors are float16 */
  readonly half?: true
  /** of a convolution: whether all channels, and the windows of them, are dense and multiples of four */
  readonly patches?: { readonly dense: boolean }
}

export interface Variant {
  /**
   * core that "product.wgsl" stands for: shaders/include/product_{product}.wgsl; of a convolution product_patches_{product}.wgsl
   * or, of its weight gradient, product_taps_{product}.wgsl
   */
  readonly product: string
  /** whether it has those cores */
  readonly convolves?: true
  /** what it loads and stores at a time: shaders/include/elements_{elements}.wgsl */
  readonly elements: 'scalar' | 'wide' | 'dots' | 'thin'
  /** rows and columns of the result that a workgroup computes */
  readonly tile: readonly [number, number]
  /** values of the core's overridable constants */
  readonly constants: Constants
  /** bytes of workgroup memory */
  readonly workgroupBytes: number
  /** whether it needs subgroups of one fixed size */
  readonly subgroups: boolean
  /** whether one invocation finishes a whole row of the result */
  readonly finishesRows?: true
  /** whether it computes this product */
  fits(shape: ProductShape): boolean
}
