/**
 * `npm run quality:rates`: the learning rate of an MLP where none is given, against quarters to fourfolds of what it would be by
 * width alone, at other batches and budgets. The rule is chosen on moons and checkerboard with one seed (choose) and tried on
 * rings and pinwheel with three (try); what is measured is the likelihood of rows that were not trained on. What has been measured
 * is not run again. docs/method.md has the tables.
 */

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { resolveOptions } from '../../src/config/index.js'
import { data, LocalFlow } from '../../src/index.js'
import { spread, writeLines } from './gathered.js'
import { digits } from './tables.js'

const help = `npm run quality:rates -- [--part choose|try ...] [--gather]

Trains small chains at several learning rates, keeps what they reach in bench/results/quality/rates.json and prints the tables.
--gather prints those of what is there.`

const results = fileURLToPath(new URL('../results/quality/rates.json', import.meta.url))

/** times the rate by width alone; rule: what is taken where no rate is given */
type Factor = number | 'rule'
/** Width, rows of a batch, training steps in all. */
type Budget = readonly [width: number, batch: number, steps: number]

interface Study {
  readonly sets: readonly data.ToyName[]
  readonly seeds: readonly number[]
  readonly budgets: readonly Budget[]
  readonly factors: readonly Factor[]
}

const parts = {
  choose: {
    sets: ['moons', 'checkerboard'],
    seeds: [1],
    budgets: [
      [64, 100, 600],
      [64, 100, 4000],
      [64, 1000, 600],
      [64, 1000, 4000],
      [64, 1000, 12_000],
      [64, 4000, 1000],
      [64, 32, 4000],
      [256, 100, 2000],
      [256, 1000, 1000],
    ],
    factors: [0.25, 0.5, 1, 2, 4],
  },
  try: {
    sets: ['rings', 'pinwheel'],
    seeds: [1, 2, 3],
    budgets: [
      [64, 100, 600],
      [64, 1000, 600],
      [64, 1000, 4000],
      [64, 32, 4000],
      [64, 4000, 1000],
      [256, 100, 2000],
    ],
    factors: [1, 'rule'],
  },
} as const satisfies Record<string, Study>
type PartName = keyof typeof parts

interface Row {
  readonly part: PartName
  readonly set: string
  readonly seed: number
  readonly width: number
  readonly batch: number
  readonly steps: number
  readonly factor: Factor
  readonly lr: number
  /** nats a row; null: the loss was not finite */
  readonly nll: number | null
}

const byWidth = (width: number): number => 0.008 * (64 / width) ** 0.7

async function measured(
  part: PartName,
  set: data.ToyName,
  seed: number,
  [width, batch, steps]: Budget,
  factor: Factor,
): Promise<Row> {
  const lr = factor === 'rule' ? undefined : Number((byWidth(width) * factor).toPrecision(3))
  const settings = {
    model: { hidden: [width, width, width] },
    // the warm-up of the default, for all
    train: { batch, steps: { total: steps }, lr, warmup: Math.min(100, Math.floor(steps / 50)) },
    ode: { push: { steps: 4 }, evaluate: { steps: 8 } },
    device: 'native' as const,
    seed,
  }
  const drawn = (n: number, stream: number) => ({ values: data.toy(set).sample(n, 10 * seed + stream), shape: [n, 2] })
  const row = { part, set, seed, width, batch, steps, factor, lr: resolveOptions(settings).train.lr }
  try {
    await using flow = await LocalFlow.train(drawn(20_000, 0), settings)
    const { nll } = await flow.evaluate(drawn(2000, 1))
    return { ...row, nll: Number(nll.toFixed(4)) }
  } catch (error) {
    if ((error as Error).name !== 'TrainingError') throw error
    return { ...row, nll: null }
  }
}

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true },
    gather: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(help)
  process.exit()
}

const rows: Row[] = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')).rows : []
const budgetOf = ({ width, batch, steps }: Row): string => `${width}, ${batch}, ${steps}`

async function study(part: PartName): Promise<void> {
  const { sets, seeds, budgets, factors }: Study = parts[part]
  for (const budget of budgets) {
    for (const set of sets) {
      for (const seed of seeds) {
        for (const factor of factors) {
          const isThis = (row: Row) =>
            row.part === part && row.set === set && row.seed === seed && row.factor === factor
          if (rows.some((row) => isThis(row) && budgetOf(row) === budget.join(', '))) continue
          const row = await measured(part, set, seed, budget, factor)
          rows.push(row)
          mkdirSync(dirname(results), { recursive: true })
          writeLines(results, { unit: 'nats a row' }, rows)
          console.error(part, set, seed, budget.join(' '), `× ${factor} = ${row.lr}:`, row.nll)
        }
      }
    }
  }
}

const table = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
const rowsOf = (part: PartName): Row[] => rows.filter((row) => row.part === part)
const distinct = (mine: readonly Row[]): string[] => [...new Set(mine.map(budgetOf))]

/** By how many nats each rate is behind the best one. */
function choosing(): string {
  const { sets, factors } = parts.choose
  const mine = rowsOf('choose')
  const lines = distinct(mine).map((budget) => {
    const cells = sets.flatMap((set) => {
      const here = mine.filter((row) => row.set === set && budgetOf(row) === budget)
      const best = Math.min(...here.map(({ nll }) => nll ?? Infinity))
      return factors.map((factor) => {
        const nll = here.find((row) => row.factor === factor)?.nll
        return nll === undefined ? '–' : nll === null ? 'not finite' : digits(nll - best)
      })
    })
    return [budget, ...cells]
  })
  return table(
    ['width, batch, steps', ...sets.flatMap((set) => factors.map((factor, i) => `${i ? '' : `${set} `}× ${factor}`))],
    lines,
  )
}

/** Nats a row by width alone and by the rule, over seeds. */
function trying(): string {
  const { sets, factors } = parts.try
  const mine = rowsOf('try')
  const lines = distinct(mine).map((budget) => {
    const here = mine.filter((row) => budgetOf(row) === budget)
    const rates = factors.map((factor) => here.find((row) => row.factor === factor)?.lr)
    const cells = sets.flatMap((set) =>
      factors.map((factor) => {
        const nlls = here.filter((row) => row.set === set && row.factor === factor).map(({ nll }) => nll ?? Number.NaN)
        const mean = nlls.reduce((sum, nll) => sum + nll, 0) / nlls.length
        const squares = nlls.reduce((sum, nll) => sum + (nll - mean) ** 2, 0)
        return spread({ mean, std: Math.sqrt(squares / (nlls.length - 1)), n: nlls.length })
      }),
    )
    return [budget, rates.join(' → '), ...cells]
  })
  return table(['width, batch, steps', 'rate', ...sets.flatMap((set) => [`${set}, by width`, 'by the rule'])], lines)
}

for (const part of values.gather ? [] : ((values.part ?? Object.keys(parts)) as PartName[])) await study(part)
console.log(`${choosing()}\n\n${trying()}`)
