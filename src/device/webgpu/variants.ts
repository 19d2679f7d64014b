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
import { halfVariants, usableHalfVariants } from './half-variants.js'
import type { AdapterTarget, ProductShape, Variant } from './target.js'

/** A row of the table, which may depend on the lanes of a subgroup (0 where they are not fixed). */
type Row = (lanes: number) => Variant

const any = (): boolean => true

/** Columns of the result that the narrow cores take, and inner indices that the thin one takes. */
export const FEW = 8

const quads = (extent: number | null): boolean => extent !== null && extent % 4 === 0

/** Whether all that lies dense in memory can be read and written four numbers at a time. */
const isWide = ({ rows, columns, inner, left, right, patches }: ProductShape): boolean =>
  patches
    ? patches.dense
    : quads(columns) && quads(left === 'rows' ? rows : inner) && quads(right === 'columns' ? columns : inner)

const isThin = ({ rows, columns, inner }: ProductShape): boolean =>
  inner === null ? Math.min(rows!, columns) <= FEW : inner <= FEW && quads(columns)

const workgroup =
  (threads: number, registers: number, depth: number): Row =>
  () => {
    const side = threads * registers
    return {
      product: 'workgroup',
      elements: 'scalar',
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
    elements: 'scalar',
    tile: [rows, columns * lanes],
    constants: { LANES: lanes, ROWS: rows, COLUMNS: columns },
    workgroupBytes: 0,
    subgroups: true,
    fits: any,
  })

/** side × side invocations of (4·quads)² elements each, in slices of `depth` inner indices. */
const tile =
  (side: number, quads: number, depth: number): Row =>
  () => ({
    product: 'tile',
    convolves: true,
    elements: 'wide',
    tile: [4 * side * quads, 4 * side * quads],
    constants: { SIDE: side, QUADS: quads, DEPTH: depth },
    workgroupBytes: 16 * 2 * depth * (side * quads + 1),
    subgroups: false,
    fits: isWide,
  })

const lanes =
  (rows: number): Row =>
  (lanes) => ({
    product: 'lanes',
    convolves: true,
    elements: 'wide',
    tile: [rows, 4 * lanes],
    constants: { LANES: lanes, ROWS: rows },
    workgroupBytes: 0,
    subgroups: true,
    // a lane loads at most four rows at a time
    fits: (shape) => rows <= 4 * lanes && isWide(shape),
  })

export const variants: Readonly<Record<string, Row>> = {
  workgroup32: workgroup(8, 4, 16),
  workgroup64: workgroup(16, 4, 16),
  workgroup128: workgroup(16, 8, 8),
  tile32: tile(8, 1, 32),
  tile64: tile(8, 2, 16),
  tile128: tile(16, 2, 16),
  lanes16: lanes(16),
  lanes32: lanes(32),
  quads8: (lanes) => ({
    product: 'quads',
    elements: 'wide',
    tile: [8, 4 * lanes],
    constants: { LANES: lanes },
    workgroupBytes: 0,
    subgroups: true,
    fits: (shape) => lanes % 4 === 0 && isWide(shape),
  }),
  subgroup16: subgroup(16, 4),
  subgroup32: subgroup(32, 4),
  storage: () => ({
    product: 'storage',
    convolves: true,
    elements: 'scalar',
    tile: [32, 32],
    constants: {},
    workgroupBytes: 0,
    subgroups: false,
    fits: any,
  }),
  narrow: () => ({
    product: 'narrow',
    elements: 'scalar',
    tile: [8, FEW],
    constants: {},
    workgroupBytes: 4 * 8 * 8 * 8,
    subgroups: false,
    finishesRows: true,
    fits: ({ columns }) => columns <= FEW,
  }),
  dots: () => ({
    product: 'dots',
    elements: 'dots',
    tile: [32, FEW],
    constants: {},
    workgroupBytes: 4 * 64 * 4 * FEW,
    subgroups: false,
    finishesRows: true,
    fits: ({ columns, inner, left, right }) => columns <= FEW && left === 'inner' && right === 'inner' && quads(inner),
  }),
  thin: () => ({
    product: 'thin',
    elements: 'thin',
    tile: [64, 32],
    constants: {},
    workgroupBytes: 16 * 64,
    subgroups: false,
    fits: isThin,
  }),
}

/** How a choice stands in a manifest: for the products of these widths alone. */
export function choiceLabel({ kernel, rows, columns, inner, left, right }: ProductShape, variant: string): string {
  const widths = [rows, columns, inner].filter((extent) => extent !== null).join('x')
  // the other kernels' factors always lie the same way
  return `${variant}@${widths}${kernel === 'mat_mul' ? `,${left},${right}` : ''}`
}

/** The names of those that this adapter can run on this product, the suggested one first; those of float16 have a table of their own. */
export function usableVariants(shape: ProductShape, target: AdapterTarget): string[] {
  if (shape.half) return usableHalfVariants(shape, target)
  const suggested = suggestVariant(shape, target)
  const usable = Object.keys(variants).filter((name) => isUsable(name, shape, target))
  return [suggested, ...usable.filter((name) => name !== suggested)]
}

function isUsable(name: string, shape: ProductShape, { lanes, workgroupBytes }: AdapterTarget): boolean {
  const variant = variants[name](lanes)
  return (
    (!variant.subgroups || lanes > 0) &&
    variant.workgroupBytes <= workgroupBytes &&
    (!shape.patches || variant.convolves === true) &&
    variant.fits(shape)
  )
}

/**
 * The variant for a product. What was forced may be several names, each for all shapes that it fits or, as an executable
 * reports them (`choiceLabel`), for one; where it says nothing of this shape, the fastest known is taken.
 */
export function chooseVariant(shape: ProductShape, target: AdapterTarget): string {
  const usable = usableVariants(shape, target)
  const tuned = target.tuned?.(shape)
  // what was measured may have been refused since
  const known = tuned !== undefined && usable.includes(tuned) ? tuned : usable[0]
  const variant = forcedVariant(shape, target) ?? known
  target.onChoice?.(shape, variant)
  return variant
}

/** What the caller or a manifest asks for; undefined where that is not known for this shape, or does not fit it. */
export function forcedVariant(shape: ProductShape, target: AdapterTarget): string | undefined {
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
function suggestVariant(shape: ProductShape, { software, lanes }: AdapterTarget): string {
  const { columns, patches } = shape
  if (patches) {
    if (!patches.dense || (software && lanes === 0)) return 'storage'
    return software ? 'lanes16' : columns <= 32 ? 'tile32' : 'tile64'
  }
  if (isThin(shape)) return 'thin'
  if (columns <= FEW) return variants.dots(lanes).fits(shape) ? 'dots' : 'narrow'
  if (!software) return `${isWide(shape) ? 'tile' : 'workgroup'}${columns <= 32 ? 32 : 64}`
  if (lanes === 0) return 'storage'
  // SwiftShader, whose compiler leaves loops and arrays as they are; llvmpipe has eight lanes or more on x64
  if (lanes === 4 && variants.quads8(lanes).fits(shape)) return 'quads8'
  return variants.lanes16(lanes).fits(shape) ? 'lanes16' : 'subgroup16'
}
