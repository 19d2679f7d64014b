/** `lfm sample --slurm`: ranges of samples by jobs, each into a folder of its own, which `lfm join` puts together. */

import { join, resolve } from 'node:path'
import { quoted } from '../files/shell.js'
import { parameterFiles } from '../run/cluster/trained.js'
import type { Run } from '../run/run.js'
import { readParts } from './grow.js'
import type { SampleCommandOptions } from './sample-options.js'
import type { Work } from './submit.js'
import { usage } from './usage.js'

/** Samples [first, first + n) in so many ranges, as even as whole numbers are. */
export const rangesOf = (first: number, n: number, count: number): { first: number; n: number }[] =>
  Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((one) => Math.floor((n * one) / count))
    return { first: first + from, n: to - from }
  })

/** @throws UsageError where the ranges are not said, or are more than samples */
export async function sampleWork(run: Run, options: SampleCommandOptions): Promise<Work> {
  const { n, output, first = 0, ranges, cond, seed, guidance, steps, partRows, fast } = options
  if (ranges === undefined || ranges > n) {
    throw usage('--ranges', `given with --slurm or --plan, a number of jobs up to ${n} (-n)`, ranges)
  }
  const { class: label, solver, evaluations, clock, device, format } = options
  const valued = {
    seed,
    class: label,
    guidance: guidance?.join(','),
    solver,
    steps: typeof steps === 'object' ? steps.join(',') : steps,
    evaluations,
    clock,
    device,
    format,
    'part-rows': partRows,
  }
  const given = Object.entries(valued).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
  const rest = [...given, ...(fast ? ['--fast'] : [])]
  const folder = resolve(output)
  const digits = String(ranges - 1).length
  const jobs = rangesOf(first, n, ranges).map(async (range, i) => {
    const to = join(folder, `range-${String(i).padStart(digits, '0')}`)
    const done = await readParts(to).then(
      ({ facts }) => facts.n === range.n && facts.first === range.first,
      () => false,
    )
    const at = ['-n', String(range.n), '--first', String(range.first), '-o', to, '--resume']
    const told = cond === undefined ? [] : ['--cond', resolve(cond)]
    return {
      name: `samples ${range.first} to ${range.first + range.n - 1}`,
      words: ['sample', resolve(run.folder), ...at, ...rest, ...told],
      run: null,
      done,
    }
  })
  const again = ['lfm', 'sample', run.folder, '-n', String(n), '-o', output, '--ranges', String(ranges)]
  const own = [...(first > 0 ? ['--first', String(first)] : []), ...rest, ...(cond ? ['--cond', cond] : [])]
  return {
    folder,
    kind: 'sample',
    command: [...again, ...own, '--slurm'].map(quoted).join(' '),
    jobs: await Promise.all(jobs),
    inputs: [...parameterFiles(run.folder, run.manifest), ...(cond ? [cond] : [])],
    instead: 'lfm sample --first I -n COUNT draws each range.',
    smaller: 'Take fewer --ranges.',
    together: `lfm join ${[run.folder, output].map(quoted).join(' ')}/range-* -o FILE`,
  }
}
