/**
 * The variants of the products of float16 factors: tile sizes, and who multiplies, plain invocations or an adapter's matrix
 * units. All share the indices of shaders/include/half_product.wgsl.
 */

import type { Constants, Target } from './target.js'

interface HalfVariant {
  /** whether it needs matrix units */
  readonly units: boolean
  /** rows and columns of the result that a workgroup computes */
  readonly tile: readonly [number, number]
  readonly constants: Constants
  /** bytes of workgroup memory, at most */
  readonly workgroupBytes: number
  /** invocations of a workgroup */
  readonly threads: number
}

/** `teams` × `teams` teams of 32 invocations, each of 32 × 32 elements. */
const square = (units: boolean, teams: number, depth: number): HalfVariant => ({
  units,
  tile: [32 * teams, 32 * teams],
  constants: { TEAM_ROWS: teams, TEAM_COLUMNS: teams, DEPTH: depth },
  // a slice of either factor, and a fragment of sums for each team
  workgroupBytes: 2 * 2 * (32 * teams) * (depth + 8) + 4 * 256 * teams * teams,
  threads: 32 * teams * teams,
})

export const halfVariants: Readonly<Record<string, HalfVariant>> = {
  half32: square(false, 1, 32),
  half64: square(false, 2, 32),
  half128: square(false, 4, 16),
  units64: square(true, 2, 32),
  units128: square(true, 4, 16),
}

/** Invocations of a workgroup that every adapter allows. */
const LEAST_THREADS = 256

/** The names of those that this adapter can run, the suggested one first. */
export function usableHalfVariants({ units, software, workgroupBytes, threads = LEAST_THREADS }: Target): string[] {
  const suggested = units !== null ? 'units64' : software ? 'half32' : 'half64'
  const usable = (name: string): boolean => {
    const variant = halfVariants[name]
    if (variant.workgroupBytes > workgroupBytes || variant.threads > threads) return false
    if (!variant.units) return true
    // the oldest form has the sizes of one variant
    return units !== null && (units !== 'units_old' || name === 'units64')
  }
  return [suggested, ...Object.keys(halfVariants).filter((name) => name !== suggested && usable(name))]
}
