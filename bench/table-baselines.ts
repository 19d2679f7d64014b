/**
 * What real rows, a Gaussian copula and independent columns reach on a table, and how long each figure takes: half of the rows, by a
 * seed, stand for training, the others are held out, and the rows that are compared are a copula's of another seed.
 *
 *     npx tsx bench/table-baselines.ts table.csv [target] [against: heldOut or training]
 */

import { readMixedTable } from '../src/data/tables/read.js'
import { takeTableRows } from '../src/data/tables/table.js'
import { tables } from '../src/metrics/index.js'
import { permutation } from '../src/random/stream.js'

const [file, target, against = 'heldOut'] = process.argv.slice(2)
if (!file || (against !== 'heldOut' && against !== 'training')) {
  console.error('npx tsx bench/table-baselines.ts table.csv [target] [heldOut or training]')
  process.exit(2)
}
const { table } = await readMixedTable(file)
const order = permutation(table.rows, 1)
const half = table.rows >> 1
const training = takeTableRows(table, order.subarray(0, half))
const heldOut = takeTableRows(table, order.subarray(half, 2 * half))
const synthetic = tables.gaussianCopula(training, { seed: 7 })

const learners = ['linear', 'boosting'] as const
const works: [string, () => unknown][] = [
  ['gaussianCopula', () => tables.gaussianCopula(training)],
  ['columnShapes', () => tables.columnShapes(heldOut, synthetic)],
  ['pairTrends', () => tables.pairTrends(heldOut, synthetic)],
  ['missingValues', () => tables.missingValues(heldOut, synthetic)],
  ['missingTrends', () => tables.missingTrends(heldOut, synthetic)],
  ['rangeCoverage', () => tables.rangeCoverage(heldOut, synthetic)],
  ['categoryCoverage', () => tables.categoryCoverage(heldOut, synthetic)],
  ...learners.map((learner): [string, () => unknown] => [
    `detection, ${learner}`,
    () => tables.detection(heldOut, synthetic, { learner }),
  ]),
  ...(target ? learners : []).map((learner): [string, () => unknown] => [
    `predictiveSkill, ${learner}`,
    () => tables.predictiveSkill(training, heldOut, { target, learner }),
  ]),
  // the same rows once, four and sixteen times
  ...[1, 4, 16].map((times): [string, () => unknown] => {
    const rows = takeTableRows(
      training,
      Array.from({ length: times * half }, (_, i) => i % half),
    )
    const odd = Float64Array.from({ length: rows.rows }, (_, i) => i & 1)
    return [
      `fitBoosting, 20 trees, ${rows.rows} rows`,
      () => tables.fitBoosting(rows.columns, odd, 'logistic', { trees: 20 }),
    ]
  }),
  ['closestRecords', () => tables.closestRecords(synthetic, training, heldOut)],
]
console.log(`${half} + ${half} rows, ${table.columns.length} columns\n\n| function | s |\n|---|---|`)
for (const [name, work] of works) {
  const start = performance.now()
  await work()
  console.log(`| ${name} | ${((performance.now() - start) / 1000).toFixed(2)} |`)
}
const targets = target ? [target] : []
const comparison = await tables.compareTables({ training, heldOut, synthetic }, { targets, against, seed: 1 })
console.log(`\n${tables.comparisonTable(comparison)}`)
