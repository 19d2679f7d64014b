/**
 * Where the time of a program goes. A device that was opened with `profile` times the launches of some replays of every
 * program it runs, each by itself; all other replays run as they always do. The times of one replay are summed by kernel
 * into a *profile*: what a training step, or the sampling of one block of rows, spends where.
 */

/** One launch of a program: what it is, what its contract says it costs, and its mean time. */
export interface TimedLaunch {
  readonly name: string
  readonly flops: number
  readonly bytes: number
  /** microseconds */
  readonly us: number
}

export interface TimedProgram {
  /** replays so far, timed or not */
  readonly replays: number
  readonly launches: readonly TimedLaunch[]
}

export interface DeviceTimes {
  /** microseconds of an empty launch that depends on the one before; null where launches are calls */
  readonly emptyDispatchUs: number | null
  /** microseconds of JavaScript to record one launch; null where nothing is recorded */
  readonly recordUs: number | null
  readonly programs: readonly TimedProgram[]
}

export interface KernelProfile {
  readonly name: string
  /** in one step */
  readonly launches: number
  /** of all its launches in one step */
  readonly us: number
  readonly gflops: number
  /** by the contract's compulsory traffic */
  readonly gbs: number
  /** of the sum of all kernels */
  readonly share: number
}

export interface Profile {
  /** launches in one step */
  readonly dispatches: number
  readonly emptyDispatchUs: number | null
  readonly recordUs: number | null
  /** those that take longest first */
  readonly kernels: readonly KernelProfile[]
}

/**
 * The profile of one step, where `steps` of them were all that these programs did: each counts as often as it was
 * replayed. Null where nothing was timed.
 */
export function profileOf(
  { emptyDispatchUs, recordUs }: DeviceTimes,
  programs: readonly TimedProgram[],
  steps: number,
): Profile | null {
  const sums = new Map<string, { launches: number; us: number; flops: number; bytes: number }>()
  for (const { replays, launches } of programs) {
    for (const { name, us, flops, bytes } of launches) {
      const sum = sums.get(name) ?? { launches: 0, us: 0, flops: 0, bytes: 0 }
      sums.set(name, {
        launches: sum.launches + replays / steps,
        us: sum.us + (us * replays) / steps,
        flops: sum.flops + (flops * replays) / steps,
        bytes: sum.bytes + (bytes * replays) / steps,
      })
    }
  }
  const total = [...sums.values()].reduce((us, sum) => us + sum.us, 0)
  if (total === 0) return null
  const kernels = [...sums].map(([name, { launches, us, flops, bytes }]) => ({
    name,
    launches,
    us,
    gflops: flops / us / 1000,
    gbs: bytes / us / 1000,
    share: us / total,
  }))
  return {
    dispatches: kernels.reduce((sum, { launches }) => sum + launches, 0),
    emptyDispatchUs,
    recordUs,
    kernels: kernels.sort((a, b) => b.us - a.us),
  }
}

/** The profile of a training step: of the programs that end in the optimizer. */
export function stepProfile(times: DeviceTimes): Profile | null {
  const programs = times.programs.filter(({ launches }) =>
    launches.some(({ name }) => name === 'adam' || name === 'adam_mixed'),
  )
  return profileOf(
    times,
    programs,
    replaysOf(programs).reduce((sum, replays) => sum + replays, 0),
  )
}

/**
 * The profile of carrying one block of rows. A fixed-step solver has one program, replayed once a block; of dopri5 the
 * programs that open a block are those that are replayed least.
 */
export const blockProfile = (times: DeviceTimes): Profile | null =>
  profileOf(times, times.programs, Math.min(...replaysOf(times.programs)))

const replaysOf = (programs: readonly TimedProgram[]): number[] => programs.map(({ replays }) => replays)

const cell = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))

/** The profile as a table, a line for each kernel. */
export function profileText(profile: Profile, what: string): string {
  const { dispatches, emptyDispatchUs, recordUs, kernels } = profile
  const rows = kernels.map(({ name, launches, us, gflops, gbs, share }) => [
    name,
    String(Math.round(launches * 100) / 100),
    cell(us),
    gflops > 0 ? cell(gflops) : '',
    gbs > 0 ? cell(gbs) : '',
    `${(100 * share).toFixed(1)} %`,
  ])
  const table = [['kernel', 'launches', 'µs', 'GFLOP/s', 'GB/s', 'share'], ...rows]
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  const lines = table.map((row) =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  '),
  )
  const us = kernels.reduce((sum, kernel) => sum + kernel.us, 0)
  const total = `${what}: ${Math.round(dispatches * 100) / 100} launches, ${cell(us)} µs when each is timed by itself`
  const empty = emptyDispatchUs === null ? '' : `; one that does nothing takes ${cell(emptyDispatchUs)} µs`
  const recorded = recordUs === null ? '' : `, and recording one ${cell(recordUs)} µs of JavaScript`
  return [`${total}${empty}${recorded}`, ...lines.map((line) => `  ${line.trimEnd()}`)].join('\n')
}
