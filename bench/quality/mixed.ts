/**
 * `npm run quality:tables`: Local Flow against plain flow matching on tables of mixed columns, at equal steps and equal parameters in
 * all: a chain of three networks has as many together as the single one of a plain flow. Half of each table is learnt from, and
 * samples are compared with the other half. What has ended is not run again; docs/tables.md has the table.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readMixedTable } from '../../src/data/tables/read.js'
import { type Table, takeTableRows } from '../../src/data/tables/table.js'
import { LocalFlow, metrics } from '../../src/index.js'
import { permutation } from '../../src/random/stream.js'
import { madeTable } from './made-table.js'
import { digits, spreadOf } from './tables.js'

const help = `npm run quality:tables -- --data FOLDER [--seed N ...] [--steps N] [--set NAME ...] [--print]

Trains and measures each method on each table, by default with one seed and 2000 steps of 256 rows in all. FOLDER is package/data of
npm pack vega-datasets@3.2.1. Figures are kept in bench/results/quality/tables.json; --print shows them as a table.`

const results = fileURLToPath(new URL('../results/quality/tables.json', import.meta.url))
const DEPTH = 3
/** Width of the plain flow; others have the one with which all their networks together come nearest to it from below. */
const WIDTH = 192
const CHAIN = [0.05, 0.2, null]

const methods = {
  'plain, predicted levels': { networks: 1, objective: 'variational', flow: { plain: true } },
  'Local Flow, simulated push, predicted levels': {
    networks: CHAIN.length,
    objective: 'variational',
    flow: { gammas: CHAIN, push: 'simulated' },
  },
  'plain, one-hot columns as numbers': { networks: 1, objective: 'flow-matching', flow: { plain: true } },
  'Local Flow, simulated push, the same': {
    networks: CHAIN.length,
    objective: 'flow-matching',
    flow: { gammas: CHAIN, push: 'simulated' },
  },
  'Local Flow, learned push, the same': { networks: CHAIN.length, objective: 'flow-matching', flow: { gammas: CHAIN } },
} as const
type Method = keyof typeof methods

const tables: Readonly<Record<string, (folder: string) => Promise<Table>>> = {
  birdstrikes: async (folder) => (await readMixedTable(join(folder, 'birdstrikes.csv'))).table,
  weather: async (folder) => (await readMixedTable(join(folder, 'weather.csv'))).table,
  made: async () => madeTable(8000, 1),
}

const figures = ['shapes', 'pairs', 'missing', 'logistic', 'boosting', 'nearer'] as const
interface Row extends Record<(typeof figures)[number], number | null> {
  readonly table: string
  readonly method: string
  readonly seed: number
  readonly steps: number
  readonly parameters: number
}

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: 'package/data' },
    seed: { type: 'string', multiple: true, default: ['1'] },
    set: { type: 'string', multiple: true, default: Object.keys(tables) },
    steps: { type: 'string', default: '2000' },
    print: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(help)
  process.exit(0)
}

/** Parameters of a network of D columns with its time at the first layer. */
const parametersOf = (D: number, width: number): number =>
  (D + 2) * width + (DEPTH - 1) * (width + 1) * width + (width + 1) * D

function widthFor(D: number, networks: number): number {
  let width = WIDTH
  while (networks * parametersOf(D, width) > parametersOf(D, WIDTH)) width--
  return width
}

const someNumber = (value: number): number | null => (Number.isNaN(value) ? null : value)
const shown = (value: number | null): string => (value === null ? '–' : digits(value))

async function measure(name: string, table: Table, method: Method, seed: number, steps: number): Promise<Row> {
  const { networks, objective, flow } = methods[method]
  const order = permutation(table.rows, 7)
  const half = table.rows >> 1
  const training = takeTableRows(table, order.subarray(0, half))
  const heldOut = takeTableRows(table, order.subarray(half, 2 * half))
  const settings = (width: number, total: number) => ({
    model: { hidden: new Array<number>(DEPTH).fill(width) },
    flow,
    train: { objective, batch: 256, steps: { total }, lr: 0.003, warmup: 50, schedule: 'cosine', ema: 0.99 } as const,
    device: 'native' as const,
    seed,
  })
  // one step tells how many columns the table is learnt as
  const probe = await LocalFlow.train(training, settings(8, networks))
  const D = probe.field.dimension
  await probe.dispose()
  const model = await LocalFlow.train(training, settings(widthFor(D, networks), steps))
  const samples = await model.sampleTable(half)
  const parameters = networks * model.field.parameterCount
  await model.dispose()
  const { columnShapes, pairTrends, missingTrends, detection, closestRecords } = metrics.tables
  return {
    ...{ table: name, method, seed, steps, parameters },
    shapes: columnShapes(heldOut, samples).score,
    pairs: pairTrends(heldOut, samples).score,
    // of a table without holes there is none
    missing: someNumber(missingTrends(heldOut, samples).score),
    logistic: (await detection(heldOut, samples, { learner: 'linear' })).score,
    boosting: (await detection(heldOut, samples, { learner: 'boosting' })).score,
    nearer: (await closestRecords(samples, training, heldOut)).nearerToTraining,
  }
}

const rows: Row[] = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : []
const steps = Number(options.steps)

if (!options.print) {
  for (const seed of options.seed.map(Number)) {
    for (const name of options.set) {
      const table = await tables[name](options.data)
      for (const method of Object.keys(methods) as Method[]) {
        const same = (row: Row): boolean =>
          row.table === name && row.method === method && row.seed === seed && row.steps === steps
        if (rows.some(same)) continue
        const row = await measure(name, table, method, seed, steps)
        rows.push(row)
        mkdirSync(dirname(results), { recursive: true })
        writeFileSync(results, `[\n${rows.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`)
        console.error(
          `${name}, ${method}, seed ${seed}: ${figures.map((key) => `${key} ${shown(row[key])}`).join(', ')}`,
        )
      }
    }
  }
}

const titles = ['column shapes', 'pair trends', 'missing trends', 'logistic', 'boosting', 'nearer to training rows']
console.log(`| table | method | parameters | ${titles.join(' | ')} | seeds |\n|${' --- |'.repeat(titles.length + 4)}`)
for (const name of Object.keys(tables)) {
  for (const method of Object.keys(methods)) {
    const own = rows.filter((row) => row.table === name && row.method === method && row.steps === steps)
    if (own.length === 0) continue
    const cells = figures.map((key) => {
      if (own[0][key] === null) return '–'
      const { mean, deviation } = spreadOf(own.map((row) => row[key]!))
      return deviation === null ? digits(mean) : `${digits(mean)} ± ${digits(deviation)}`
    })
    console.log(`| ${name} | ${method} | ${own[0].parameters} | ${cells.join(' | ')} | ${own.length} |`)
  }
}
