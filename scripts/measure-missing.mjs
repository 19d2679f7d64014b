/**
 * Whether what is missing in a run's samples hangs on the other columns as it does in the rows that it learnt from: correlations of the
 * indicator that a column is missing with every number and with every level that 5 % of the training rows have, and how far those of
 * samples, and of the rows that were not learnt from, are from them.
 *
 *   npm run build && node scripts/measure-missing.mjs RUN [samples]
 */

import { dirname } from 'node:path'
import { resolveData } from '../dist/config/index.js'
import { loadData } from '../dist/data/load.js'
import { LocalFlow } from '../dist/index.js'
import { openRun } from '../dist/run/run.js'

const [folder, wanted = '5000'] = process.argv.slice(2)
if (!folder) throw new Error('Say which run: node scripts/measure-missing.mjs RUN [samples]')
const COMMON = 0.05
const isLevels = (column) => 'codes' in column
const values = (column) => (isLevels(column) ? column.codes : column.values)
const missing = (column, value) => (isLevels(column) ? value < 0 : Number.isNaN(value))

function correlation(a, b) {
  const n = a.length
  const mean = (x) => x.reduce((sum, value) => sum + value / n, 0)
  const [ma, mb] = [mean(a), mean(b)]
  let [product, aa, bb] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    product += (a[i] - ma) * (b[i] - mb)
    aa += (a[i] - ma) ** 2
    bb += (b[i] - mb) ** 2
  }
  return product / Math.sqrt(aa * bb)
}

const run = await openRun(folder)
const { table } = await loadData(resolveData(run.manifest.config.raw), {
  seed: run.options.seed,
  baseDir: dirname(run.extra.configPath),
})
const { train, test } = table

/** Names of what is correlated with each indicator, and how it is read of a row. */
const features = train.columns.flatMap((column) => {
  if (!isLevels(column))
    return [{ column: column.name, name: column.name, of: (one) => one.values.map((v) => (Number.isNaN(v) ? 0 : v)) }]
  return column.levels
    .filter((_, k) => column.codes.filter((code) => code === k).length >= COMMON * train.rows)
    .map((level) => ({
      column: column.name,
      name: `${column.name} = ${level}`,
      of: (one) => Float64Array.from(one.codes, (code) => (one.levels[code] === level ? 1 : 0)),
    }))
})

function correlations(rows) {
  const named = (name) => rows.columns.find((column) => column.name === name)
  return train.columns
    .filter((column) => values(column).some((value) => missing(column, value)))
    .flatMap(({ name }) => {
      const own = named(name)
      const indicator = Float64Array.from(values(own), (value) => (missing(own, value) ? 1 : 0))
      return features
        .filter(({ column }) => column !== name)
        .map((feature) => ({
          name: `${name} missing, ${feature.name}`,
          value: correlation(indicator, feature.of(named(feature.column))),
        }))
    })
}

const learnt = correlations(train)
function compare(what, rows) {
  const apart = correlations(rows)
    .map(({ name, value }, i) => ({ name, off: Math.abs(value - learnt[i].value) }))
    .filter(({ off }) => !Number.isNaN(off))
    .sort((a, b) => b.off - a.off)
  const mean = apart.reduce((sum, { off }) => sum + off / apart.length, 0)
  const within = apart.filter(({ off }) => off <= 0.02).length
  console.log(
    `${what}: mean ${mean.toFixed(4)}, ${within} of ${apart.length} within .02, at worst ${apart[0].off.toFixed(3)} (${apart[0].name})`,
  )
}

if (test) compare(`${test.rows} other real rows`, test)
const flow = await LocalFlow.load(folder)
compare(`${wanted} samples`, await flow.sampleTable(Number(wanted)))
await flow.dispose()
