/** Files that are scored in blocks: each row has the score that it has among all others, and in each format. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readNpy, writeNpy } from '../../src/data/npy.js'
import { readMixedTable } from '../../src/data/tables/read.js'
import { writeMixedTable } from '../../src/data/tables/write.js'
import { engine, json, lfm, workFolder } from './lfm.js'

const N = 100
const rows = Array.from({ length: N }, (_, i) => [10 + Math.sin(i), 1.7e9 + 1000 * Math.cos(3 * i)])
const settings =
  'model: { hidden: [8] }\nflow: { gammas: [0.2, null] }\ntrain: { batch: 50, steps: 5 }\n' +
  `ode: { steps: 2, evaluate: { trace: hutchinson, probes: 1 } }\ndevice: ${engine}\n`
const cwd = workFolder({
  'rows.csv': `left,time\n${rows.map((row) => row.join(',')).join('\n')}\n`,
  'beside.csv': `time,name,left\n${rows.map(([a, b], i) => [b, `n${i}`, a].join(',')).join('\n')}\n`,
  'rows.yaml': `data: { kind: csv, path: rows.csv }\n${settings}`,
  'people.csv': `name,age\n${rows.map((_, i) => [['anna', 'ben', ''][i % 3], i % 7].join(',')).join('\n')}\n`,
  'people.yaml': `data: { kind: table, path: people.csv }\n${settings}`,
})
const at = (name: string): string => join(cwd, name)
const run = async (words: string) => {
  const ended = await lfm(words.split(' '), { cwd })
  expect(ended.code, ended.stderr).toBe(0)
  return ended
}
const scores = async (name: string): Promise<number[]> => [...(await readNpy(at(name))).values]

beforeAll(async () => {
  for (const name of ['rows', 'people']) await run(`train ${name}.yaml --out ${name}`)
  await writeNpy(at('rows.npy'), { values: Float64Array.from(rows.flat()), shape: [N, 2] })
  for (const name of ['beside', 'people'])
    await writeMixedTable(at(`${name}.parquet`), (await readMixedTable(at(`${name}.csv`))).table)
}, 120_000)

test('blocks of any size, of any format, make the same bits', async () => {
  const whole = json<{ logProb: number; n: number }>(await run('score rows rows.csv -o whole.npy --json'))
  expect(whole.n).toBe(N)
  const expected = await scores('whole.npy')
  // unix times are kept apart: scores would be equal in float32 rows
  expect(new Set(expected).size).toBe(N)
  expect(whole.logProb).toBe(expected.reduce((sum, value) => sum + value, 0) / N)
  for (const file of ['rows.csv', 'rows.npy', 'beside.csv', 'beside.parquet']) {
    const result = json<{ logProb: number }>(await run(`score rows ${file} -o cut.npy --part-rows 7 --json`))
    expect(await scores('cut.npy'), file).toEqual(expected)
    expect(result.logProb).toBe(whole.logProb)
  }
  await run('score rows rows.csv -o scores.parquet --part-rows 30')
  const { table } = await readMixedTable(at('scores.parquet'))
  expect(table.columns.map(({ name }) => name)).toEqual(['log_prob'])
  expect('values' in table.columns[0] && [...table.columns[0].values]).toEqual(expected)
  await run('score rows rows.csv -o one.csv')
  await run('score rows rows.csv -o many.csv --part-rows 9')
  expect(readFileSync(at('many.csv'), 'utf8')).toBe(readFileSync(at('one.csv'), 'utf8'))
})

test('tables of mixed columns too, with the draws of each row', async () => {
  await run('score people people.csv -o people.npy')
  await run('score people people.parquet -o people-cut.npy --part-rows 13')
  expect(await scores('people-cut.npy')).toEqual(await scores('people.npy'))
})

test('what is wrong in a file is named, and nothing is written', async () => {
  const failed = async (file: string): Promise<string> => {
    const { code, stderr } = await lfm(['score', 'rows', file, '-o', 'never.npy', '--part-rows', '10'], { cwd })
    expect(code).toBe(1)
    expect(existsSync(at('never.npy'))).toBe(false)
    return stderr
  }
  writeFileSync(at('bad.csv'), `${readFileSync(at('rows.csv'), 'utf8')}1,soon\n`)
  expect(await failed('bad.csv')).toContain("bad.csv, line 102: field 2 ('time') is 'soon', which is no number.")
  const { columns } = (await readMixedTable(at('beside.csv'))).table
  await writeMixedTable(at('short.parquet'), { rows: N, columns: columns.slice(0, 1) })
  expect(await failed('short.parquet')).toContain("does not have the model's column 'left'")
  const time = columns[0] as { values: Float64Array }
  time.values[N - 1] = Number.NaN
  await writeMixedTable(at('holes.parquet'), { rows: N, columns })
  expect(await failed('holes.parquet')).toContain("column 'time' has a missing value in row 100")
  const bytes = readFileSync(at('rows.npy'))
  writeFileSync(at('cut-off.npy'), bytes.subarray(0, bytes.length - 8))
  expect(await failed('cut-off.npy')).toContain('asks for 1600')
})
