/**
 * How well a run fills in holes: a fifth of the values of its test rows is taken out, at random, and filled in by draws of the run, by
 * the commonest or mean value of the training rows' column, and by the nearest training row. Prints a line for each column.
 *
 *   npm run build && node scripts/measure-imputation.mjs RUN [rows] [draws]
 */

import { dirname } from 'node:path'
import { resolveData } from '../dist/config/index.js'
import { loadData } from '../dist/data/load.js'
import { LocalFlow } from '../dist/index.js'
import { openRun } from '../dist/run/run.js'

const [folder, wanted = '1000', drawn = '40'] = process.argv.slice(2)
if (!folder) throw new Error('Say which run: node scripts/measure-imputation.mjs RUN [rows] [draws]')
const HOLES = 0.2
const draws = Number(drawn)

/** Uniform numbers of a seed, one after another (mulberry32). */
function uniforms(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const run = await openRun(folder)
const { table } = await loadData(resolveData(run.manifest.config.raw), {
  seed: run.options.seed,
  baseDir: dirname(run.extra.configPath),
})
const { train, test } = table
const rows = Math.min(Number(wanted), test.rows)
const isLevels = (column) => 'codes' in column
const valuesOf = (column) => (isLevels(column) ? column.codes : column.values)
const isMissing = (column, value) => (isLevels(column) ? value < 0 : Number.isNaN(value))

// the truth, and the same with holes; what is missing in the data is no hole
const uniform = uniforms(1)
const truth = test.columns.map((column) => valuesOf(column).slice(0, rows))
const hidden = truth.map((values, j) =>
  Array.from(values, (value) => uniform() < HOLES && !isMissing(test.columns[j], value)),
)
const given = test.columns.map((column, j) => {
  const values = truth[j].slice()
  hidden[j].forEach((gone, i) => {
    if (gone) values[i] = isLevels(column) ? -1 : Number.NaN
  })
  return { ...column, [isLevels(column) ? 'codes' : 'values']: values }
})

const flow = await LocalFlow.load(folder)
const tables = await flow.impute({ rows, columns: given }, { draws })
await flow.dispose()

/** Training rows' spread of each column of numbers. */
const stats = train.columns.map((column) => {
  const own = Array.from(valuesOf(column)).filter((value) => !isMissing(column, value))
  if (isLevels(column)) {
    const counts = new Map()
    for (const value of own) counts.set(value, (counts.get(value) ?? 0) + 1)
    return { mode: [...counts].sort((a, b) => b[1] - a[1])[0][0] }
  }
  const mean = own.reduce((sum, value) => sum + value / own.length, 0)
  return { mean, spread: Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2 / own.length, 0)) || 1 }
})

/** The training row that is nearest in what is given: levels differ by 1, numbers by their distance in spreads, at most 1. */
function nearest(i, j) {
  let [best, least] = [-1, Number.POSITIVE_INFINITY]
  for (let r = 0; r < train.rows; r++) {
    if (isMissing(train.columns[j], valuesOf(train.columns[j])[r])) continue
    let far = 0
    for (let k = 0; k < given.length && far < least; k++) {
      const value = valuesOf(given[k])[i]
      if (isMissing(given[k], value)) continue
      const other = valuesOf(train.columns[k])[r]
      if (isLevels(given[k])) far += value === other ? 0 : 1
      else far += Number.isNaN(other) ? 1 : Math.min(1, Math.abs(value - other) / stats[k].spread)
    }
    if (far < least) [best, least] = [r, far]
  }
  return valuesOf(train.columns[j])[best]
}

/** The place of the least draw of an interval: with all draws and the truth in any order, it holds nine tenths. */
const EDGE = Math.max(0, Math.round(0.05 * (draws + 1)) - 1)
const total = { flow: 0, mean: 0, near: 0, columns: 0 }
const all = { inside: 0, numbers: 0 }
process.stdout.write('column | holes | flow | mean or mode | nearest row | 90 % interval holds\n')
for (const [j, column] of given.entries()) {
  const places = hidden[j].flatMap((gone, i) => (gone ? [i] : []))
  if (places.length === 0) continue
  const errors = { flow: 0, mean: 0, near: 0 }
  let inside = 0
  for (const i of places) {
    const own = tables.map((table) => valuesOf(table.columns[j])[i])
    const true_ = truth[j][i]
    if (isLevels(column)) {
      const counts = new Map()
      for (const value of own) counts.set(value, (counts.get(value) ?? 0) + 1)
      const mode = [...counts].sort((a, b) => b[1] - a[1])[0][0]
      errors.flow += mode === true_ ? 0 : 1
      errors.mean += stats[j].mode === true_ ? 0 : 1
      errors.near += nearest(i, j) === true_ ? 0 : 1
      // the commonest levels that make up nine tenths of the draws, the last of them by the share that is still wanted
      let left = 0.9 * own.length
      for (const [value, count] of [...counts].sort((a, b) => b[1] - a[1])) {
        if (value === true_) inside += Math.min(1, left / count)
        left -= count
        if (left <= 0) break
      }
    } else {
      const mean = own.reduce((sum, value) => sum + value / own.length, 0)
      const by = stats[j].spread
      errors.flow += ((mean - true_) / by) ** 2
      errors.mean += ((stats[j].mean - true_) / by) ** 2
      errors.near += ((nearest(i, j) - true_) / by) ** 2
      const sorted = own.sort((a, b) => a - b)
      if (true_ >= sorted[EDGE] && true_ <= sorted[draws - 1 - EDGE]) inside++
    }
  }
  const n = places.length
  const finish = (sum) => (isLevels(column) ? sum / n : Math.sqrt(sum / n))
  const shown = [finish(errors.flow), finish(errors.mean), finish(errors.near)]
  total.flow += shown[0]
  total.mean += shown[1]
  total.near += shown[2]
  total.columns++
  all.inside += inside
  all.numbers += n
  process.stdout.write(
    `${column.name} | ${n} | ${shown.map((value) => value.toFixed(3)).join(' | ')} | ${((100 * inside) / n).toFixed(1)}\n`,
  )
}
const mean = (sum) => (sum / total.columns).toFixed(3)
process.stdout.write(
  `mean of columns | ${all.numbers} | ${mean(total.flow)} | ${mean(total.mean)} | ${mean(total.near)} | ` +
    `${((100 * all.inside) / all.numbers).toFixed(1)}\n`,
)
