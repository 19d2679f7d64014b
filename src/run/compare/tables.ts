/** A comparison as tables: of words and numbers, for Markdown and for the page. */

import { type Comparison, type GatheredBlock, type GatheredMethod, pairedDifference, type Spread } from './gather.js'

export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const NONE = '–'

/** .0123 ± .0004: as many decimals as the spread has two digits for, three digits without one. */
export function spreadText(value: Spread | null): string {
  if (value === null) return NONE
  const { mean, std } = value
  const of = std ? std : Math.abs(mean) / 10
  const decimals = of > 0 ? Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(of)))) : 3
  const text = mean.toFixed(decimals)
  return std === null ? text : `${text} ± ${std.toFixed(decimals)}`
}

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
const short = (value: number): string => (value === 0 ? '0' : Number(value.toPrecision(3)).toString())

export const blockTitle = ({ name }: Pick<GatheredBlock, 'name'>, parameters: number | null): string =>
  name === 'width' ? 'Equal width' : `Equal parameters in all, at most ${grouped(parameters ?? 0)}`

/** Whether the truth is known: then KL, else NLL; null where no likelihood was taken. */
const likelihoodName = (methods: readonly GatheredMethod[]): 'KL' | 'NLL' | null =>
  methods.some(({ kl }) => kl) ? 'KL' : methods.some(({ nll }) => nll) ? 'NLL' : null

const learntFrom = ({ student, jumps }: GatheredMethod): [string, string] => [
  student ? `${student.from}: ${student.kind}, ${student.into}` : 'the data',
  jumps === null ? 'by its solver' : jumps === 'any' ? 'any number' : String(jumps),
]

/** What methods are, what they cost, and their likelihood. */
export function costTable({ methods }: GatheredBlock): Table {
  const likelihood = likelihoodName(methods)
  const students = methods.some(({ student }) => student)
  const head = [
    'method',
    ...(students ? ['learnt from', 'evaluations of a sample'] : []),
    'parameters each, in all',
    'steps',
    'samples seen',
    'TFLOP: training, push',
    'seconds: training, push',
  ]
  if (likelihood) head.push(`${likelihood}, nats`, 'evaluations of a likelihood')
  return {
    head,
    rows: methods.map((method) => [
      method.label,
      ...(students ? learntFrom(method) : []),
      `${grouped(method.parameters.each)}, ${grouped(method.parameters.all)}`,
      grouped(method.steps),
      grouped(method.samplesSeen),
      `${short(method.teraflop.training)}, ${short(method.teraflop.push)}`,
      `${method.seconds.training.toFixed(0)}, ${method.seconds.push.toFixed(0)}`,
      ...(likelihood
        ? [spreadText(likelihood === 'KL' ? method.kl : method.nll), String(method.likelihoodEvaluations ?? NONE)]
        : []),
    ]),
  }
}

/** The distance at each number of evaluations, and the floor in the last row. */
export function qualityTable({ methods }: GatheredBlock, { distance, evaluations, floor }: Comparison): Table {
  return {
    head: [`${distance} at evaluations`, ...evaluations.map(String)],
    rows: [
      ...methods.map(({ label, points }) => [label, ...points.map(({ best }) => spreadText(best?.distance ?? null))]),
      ['as many training rows (the floor)', ...evaluations.map(() => spreadText(floor))],
    ],
  }
}

/** Distances less those of the first method, on the same test rows: mean ± standard error over seeds; null for one method. */
export function pairedTable({ methods }: GatheredBlock, { distance, evaluations }: Comparison): Table | null {
  const [first, ...others] = methods
  if (others.length === 0) return null
  return {
    head: [`${distance} less that of ${first.label}, ± standard error`, ...evaluations.map(String)],
    rows: others.map(({ label, points }) => [
      label,
      ...points.map((point, i) => {
        const paired = pairedDifference(point, first.points[i])
        return paired ? spreadText({ mean: paired.difference, std: paired.standardError, n: 1 }) : NONE
      }),
    ]),
  }
}

/** The tables of a block, in their order. */
export const blockTables = (block: GatheredBlock, comparison: Comparison): Table[] =>
  [
    costTable(block),
    qualityTable(block, comparison),
    pairedTable(block, comparison),
    waysTable(block, comparison),
  ].filter((table) => table !== null)

/** The way that was chosen on the validation part, and the evaluations that it took. */
export function waysTable({ methods }: GatheredBlock, { evaluations }: Comparison): Table {
  return {
    head: ['solver, evaluations taken', ...evaluations.map(String)],
    rows: methods.map(({ label, points }) => [
      label,
      ...points.map(({ best }) => (best ? `${best.way}, ${best.evaluations}` : NONE)),
    ]),
  }
}

export function aaTable({ aa }: Comparison): Table | null {
  return (
    aa && {
      head: [`${aa.label} against itself`, 'difference', 'its standard error'],
      rows: aa.differences.map(({ what, difference, standardError }) => [
        what,
        difference.toPrecision(2),
        standardError === null ? NONE : standardError.toPrecision(2),
      ]),
    }
  )
}

/** What a reader should know beside the numbers: a sentence each. */
export function remarks({ blocks, missing }: Comparison): string[] {
  const failures = blocks.flatMap(({ methods }) =>
    methods.flatMap(({ label, failures }) => failures.map(({ row, message }) => `${label} (${row}): ${message}`)),
  )
  const absent = missing.length > 0 ? [`${missing.length} rows are not there yet: ${missing.join(', ')}.`] : []
  return [...new Set(failures), ...absent]
}

const markdownTable = ({ head, rows }: Table): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** The whole comparison as Markdown. */
export function markdown(comparison: Comparison): string {
  const { blocks, distance, samples, testRows, machines, parameters } = comparison
  const aa = aaTable(comparison)
  const sections = [
    ...blocks.flatMap((block) => [
      `## ${blockTitle(block, parameters)}`,
      ...blockTables(block, comparison).map(markdownTable),
    ]),
    ...(aa ? ['## A/A', markdownTable(aa)] : []),
    ...remarks(comparison).map((remark) => `- ${remark}`),
    `${distance} of ${grouped(samples)} samples against ${grouped(testRows)} test rows; every method with the solver that is ` +
      `best on the validation part. Mean ± standard deviation over seeds. ${machines.join('; ')}.`,
  ]
  return `${sections.join('\n\n')}\n`
}
