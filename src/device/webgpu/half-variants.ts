/**
 * The variants of the products of float16 factors: tile sizes, and who multiplies, plain invocations or an adapter's matrix
 * units. All share the indices of shaders/include/half_product.wgsl.
 */

import type { Includes } from './shaders.js'
import type { AdapterTarget, Constants, ProductShape } from './target.js'

interface HalfVariant {
  /** whether it needs matrix units */
  readonly units: boolean
  /** rows and columns of the result that a workgroup computes */
  readonly tile: readonly [number, number]
  readonly constants: Constants
  /** fragments of a team */
  readonly team: NonNullable<Includes['team']>
  /** bytes of workgroup memory, at most */
  readonly workgroupBytes: number
  /** invocations of a workgroup */
  readonly threads: number
}

/**
 * A workgroup of `rows` × `columns` teams of 32 invocations; each computes fragments of 16 × 16. `ahead`: it loads a slice into
 * registers before the one before is multiplied.
 */
function teams(
  units: boolean,
  [rows, columns]: readonly [number, number],
  depth: number,
  team: HalfVariant['team'] = '2x2',
  ahead = false,
): HalfVariant {
  const [fragmentRows, fragmentColumns] = team.split('x').map(Number)
  const tile = [16 * fragmentRows * rows, 16 * fragmentColumns * columns] as const
  // a row of a slice is 16 bytes longer than its numbers, along whichever index these lie dense
  const slice = (width: number): number => Math.max(width * (depth + 8), depth * (width + 8))
  return {
    units,
    tile,
    constants: { TEAM_ROWS: rows, TEAM_COLUMNS: columns, DEPTH: depth, AHEAD: ahead ? 1 : 0 },
    team,
    workgroupBytes: 2 * (slice(tile[0]) + slice(tile[1])) + 4 * 256 * rows * columns,
    threads: 32 * rows * columns,
  }
}

export const halfVariants: Readonly<Record<string, HalfVariant>> = {
  half32: teams(false, [1, 1], 32),
  half64: teams(false, [2, 2], 32),
  half128: teams(false, [4, 4], 16),
  half128_ahead: teams(false, [2, 4], 32, '4x2', true),
  units64: teams(true, [2, 2], 32),
  units64_ahead: teams(true, [2, 2], 32, '2x2', true),
  units128: teams(true, [4, 4], 16),
  units128_ahead: teams(true, [2, 4], 32, '4x2', true),
}

/** Invocations of a workgroup that every adapter allows. */
const LEAST_THREADS = 256

/** The names of those that this adapter can run on a product, the suggested one first. */
export function usableHalfVariants(
  { patches }: Pick<ProductShape, 'patches'>,
  { units: form, software, workgroupBytes, threads = LEAST_THREADS }: AdapterTarget,
): string[] {
  // convolutions load four numbers at a time, which the older forms do not
  const units = patches && form !== 'units_wide' ? null : form
  // without loading ahead, a convolution works out for each load again where its pixel lies
  const suggested = units !== null ? (patches ? 'units64_ahead' : 'units64') : software ? 'half32' : 'half64'
  const usable = (name: string): boolean => {
    const variant = halfVariants[name]
    if (variant.workgroupBytes > workgroupBytes || variant.threads > threads) return false
    if (!variant.units) return true
    // the oldest form has the sizes of one variant
    return units !== null && (units !== 'units_old' || name === 'units64')
  }
  return [suggested, ...Object.keys(halfVariants).filter((name) => name !== suggested && usable(name))]
}
