/**
 * What the rows of a comparison say together: means and standard deviations over seeds, for every method in every block; at
 * every number of evaluations with the way of drawing samples that is nearest to the validation part, its distance from the
 * test part.
 */

import type { BlockName, ComparedMethods } from '../../config/index.js'
import { ConfigError } from '../../errors.js'
import { stagesOf } from '../../recipes/settings.js'
import { spreadOf } from '../quality.js'
import type { ComparisonPlan, PlannedRow } from './plan.js'
import { checkRow, type RowResult, type RowSamples, readRow } from './row.js'

/** Mean and standard deviation over n seeds; the latter null for one. */
export interface Spread {
  readonly mean: number
  readonly std: number | null
  readonly n: number
}

export interface GatheredPoint {
  readonly allowed: number
  /** null where no way does with so few evaluations, or a seed's samples are not finite in all ways */
  readonly best: {
    readonly way: string
    readonly evaluations: number
    readonly distance: Spread
    /** the distance under each seed, for differences between methods on the same test rows */
    readonly bySeed: Readonly<Record<number, number>>
  } | null
}

export interface GatheredMethod {
  readonly name: string
  readonly label: string
  /** what students learnt from, and how; null: the data */
  readonly student: { readonly from: string; readonly kind: string; readonly into: number } | null
  /** evaluations of a sample of a model that is no flow; null: a solver's */
  readonly jumps: number | 'any' | null
  readonly seeds: readonly number[]
  readonly failures: readonly { readonly row: string; readonly seed: number; readonly message: string }[]
  readonly parameters: { readonly each: number; readonly networks: number; readonly all: number }
  readonly steps: number
  readonly samplesSeen: number
  readonly teraflop: { readonly training: number; readonly push: number }
  readonly seconds: { readonly training: number; readonly push: number }
  readonly nll: Spread | null
  readonly kl: Spread | null
  readonly likelihoodEvaluations: number | null
  readonly points: readonly GatheredPoint[]
}

export interface GatheredBlock {
  readonly name: BlockName
  readonly methods: readonly GatheredMethod[]
}

/** What an A/A row says: a method against itself under other seeds. */
export interface Difference {
  readonly what: string
  readonly difference: number
  /** of the difference, from the spread over seeds; null for one seed */
  readonly standardError: number | null
}

export interface Comparison {
  readonly distance: string
  readonly floor: Spread
  /** samples of a measurement, and test rows */
  readonly samples: number
  readonly testRows: number
  readonly evaluations: readonly number[]
  readonly parameters: number | null
  readonly blocks: readonly GatheredBlock[]
  readonly aa: { readonly label: string; readonly differences: readonly Difference[] } | null
  /** rows that have not been made yet */
  readonly missing: readonly string[]
  readonly machines: readonly string[]
}

type Made = { readonly row: PlannedRow; readonly result: RowResult }

/**
 * Reads the rows of a folder.
 * @throws ConfigError where no row is there, or rows of one seed were trained on different data
 */
export async function gather(folder: string, compared: ComparedMethods, plan: ComparisonPlan): Promise<Comparison> {
  const made: Made[] = []
  const missing: string[] = []
  for (const row of plan.rows) {
    const result = await readRow(folder, row.id)
    if (!result) missing.push(row.id)
    else {
      checkRow(row, result, folder)
      made.push({ row, result })
    }
  }
  if (made.length === 0) throw new ConfigError(`${folder} has no row of this comparison yet; run it without --gather.`)
  checkSameData(folder, made)
  const { settings, methods } = compared
  const blocks = settings.blocks.map((name): GatheredBlock => {
    const of = (method: string): Made[] =>
      made.filter(({ row }) => !row.aa && row.method.name === method && row.blocks.includes(name))
    const present = methods.filter((method) => of(method.name).length > 0)
    return { name, methods: present.map(({ name, label }) => gathered(name, label, of(name), settings.evaluations)) }
  })
  const [{ result }] = made
  return {
    distance: result.quality.name,
    floor: spread(made.map(({ result }) => result.floor.mean))!,
    samples: result.quality.samples,
    testRows: result.quality.rows.test ?? 0,
    evaluations: settings.evaluations,
    parameters: plan.parameters,
    blocks,
    aa: aaOf(made, settings.evaluations),
    missing,
    machines: [...new Set(made.map(({ result }) => result.machine))],
  }
}

function checkSameData(folder: string, made: readonly Made[]): void {
  for (const { row, result } of made) {
    const other = made.find((other) => other.row.seed === row.seed && other.result.dataSha256 !== result.dataSha256)
    if (!other) continue
    throw new ConfigError(
      `The rows ${row.id} and ${other.row.id} in ${folder} were trained on different data, and methods are compared on the ` +
        'same: the data have changed between them. Remove the older one, or compare into another folder.',
    )
  }
}

function spread(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return null
  const { mean, std } = spreadOf(known)
  return { mean, std: known.length > 1 ? std : null, n: known.length }
}

function gathered(name: string, label: string, made: readonly Made[], evaluations: readonly number[]): GatheredMethod {
  const endedRows = made.filter(({ result }) => result.failed === null)
  const ended = endedRows.map(({ result }) => result)
  const [{ result }] = made
  const { each, networks } = result.parameters
  const average = (of: (result: RowResult) => number): number => spreadOf(made.map(({ result }) => of(result))).mean
  return {
    name,
    label,
    student: studentOf(made[0].row),
    jumps: jumpsOf(made[0].row),
    seeds: made.map(({ row }) => row.seed),
    failures: made.flatMap(({ row: { id, seed }, result: { failed } }) =>
      failed === null ? [] : [{ row: id, seed, message: failed }],
    ),
    parameters: { each, networks, all: each * networks },
    steps: result.steps,
    samplesSeen: result.steps * result.batch,
    teraflop: { training: average((r) => r.teraflop.training), push: average((r) => r.teraflop.push) },
    seconds: { training: average((r) => r.seconds.training), push: average((r) => r.seconds.push) },
    nll: spread(ended.map(({ likelihood }) => likelihood?.nll ?? null)),
    kl: spread(ended.map(({ likelihood }) => likelihood?.kl ?? null)),
    likelihoodEvaluations: ended.find(({ likelihood }) => likelihood)?.likelihood?.evaluations ?? null,
    points: evaluations.map((allowed) => ({ allowed, best: bestOf(endedRows, allowed) })),
  }
}

function jumpsOf({ config }: PlannedRow): GatheredMethod['jumps'] {
  const [{ jump }, ...others] = stagesOf(config)
  return !jump ? null : jump.kind === 'average' ? 'any' : others.length + 1
}

const studentOf = ({ teacher, config: { distill } }: PlannedRow): GatheredMethod['student'] =>
  teacher && distill ? { from: teacher.method.label, kind: distill.kind, into: distill.into } : null

/** Of the ways whose samples are finite under every seed, the one that is nearest to the validation part in the mean. */
function bestOf(ended: readonly Made[], allowed: number): GatheredPoint['best'] {
  if (ended.length === 0) return null
  const ofWay = (way: string): { seed: number; sample: RowSamples }[] =>
    ended.flatMap(({ row: { seed }, result: { samples } }) =>
      samples.filter((one) => one.allowed === allowed && one.way === way).map((sample) => ({ seed, sample })),
    )
  const ways = [...new Set(ended.flatMap(({ result: { samples } }) => samples.map(({ way }) => way)))]
  const finite = ways
    .map((way) => ({ way, samples: ofWay(way) }))
    .filter(
      ({ samples }) =>
        samples.length === ended.length &&
        samples.every(({ sample }) => sample.validation !== null && sample.test !== null),
    )
    .map(({ way, samples }) => ({ way, samples, mean: spreadOf(samples.map(({ sample }) => sample.validation!)).mean }))
  const [best] = finite.sort((a, b) => a.mean - b.mean)
  if (!best) return null
  const { way, samples } = best
  return {
    way,
    evaluations: samples[0].sample.evaluations,
    distance: spread(samples.map(({ sample }) => sample.test))!,
    bySeed: Object.fromEntries(samples.map(({ seed, sample }) => [seed, sample.test!])),
  }
}

/**
 * How much farther a method's samples are from the test part than another's, over the seeds that both have: the mean of the
 * differences and its standard error. Null where they have no seed in common.
 */
export function pairedDifference(a: GatheredPoint, b: GatheredPoint): Omit<Difference, 'what'> | null {
  if (!a.best || !b.best) return null
  const other = b.best.bySeed
  const differences = Object.entries(a.best.bySeed).flatMap(([seed, value]) =>
    Object.hasOwn(other, seed) ? [value - other[Number(seed)]] : [],
  )
  if (differences.length === 0) return null
  const { mean, std } = spreadOf(differences)
  const n = differences.length
  return { difference: mean, standardError: n > 1 ? std / Math.sqrt(n) : null }
}

function aaOf(made: readonly Made[], evaluations: readonly number[]): Comparison['aa'] {
  const second = made.filter(({ row }) => row.aa)
  if (second.length === 0) return null
  const { name, label } = second[0].row.method
  const first = made.filter(({ row }) => !row.aa && row.method.name === name && row.blocks.includes('width'))
  if (first.length === 0) return null
  const [a, b] = [first, second].map((rows) => gathered(name, label, rows, evaluations))
  const pairs: [string, Spread | null, Spread | null][] = [
    ['KL', a.kl, b.kl],
    ...(a.kl ? [] : [['NLL', a.nll, b.nll] as [string, Spread | null, Spread | null]]),
    ...a.points.map(({ allowed, best }, i): [string, Spread | null, Spread | null] => [
      `${made[0].result.quality.name} at ${allowed}`,
      best?.distance ?? null,
      b.points[i].best?.distance ?? null,
    ]),
  ]
  const differences = pairs.flatMap(([what, x, y]) => (x && y ? [{ what, ...difference(x, y) }] : []))
  return { label, differences }
}

const difference = (x: Spread, y: Spread): Omit<Difference, 'what'> => ({
  difference: y.mean - x.mean,
  standardError: x.std === null || y.std === null ? null : Math.sqrt(x.std ** 2 / x.n + y.std ** 2 / y.n),
})
