/** Files that are scored in blocks: each row has the score that it has among all others, and in each format. */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { readNpy, writeNpy } from '../../src/data/npy.js'
import { tableFormats } from '../../src/data/row-formats.js'
import { readMixedTable } from '../../src/data/tables/read.js'
import { tableRows } from '../../src/data/tables/table.js'
import { writeMixedTable } from '../../src/data/tables/write.js'
import { built, engine, json, lfm, start, workFolder } from './lfm.js'

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
  'told.csv': `left,wind,time\n${rows.map(([a, b], i) => [a, (i % 9) / 7, b].join(',')).join('\n')}\n`,
  'told.yaml': `data: { kind: csv, path: told.csv, condition: [wind] }\n${settings}`,
})
const at = (name: string): string => join(cwd, name)
const run = async (words: string) => {
  const ended = await lfm(words.split(' '), { cwd })
  expect(ended.code, ended.stderr).toBe(0)
  return ended
}
const scores = async (name: string): Promise<number[]> => [...(await readNpy(at(name))).values]

beforeAll(async () => {
  for (const name of ['rows', 'people', 'told']) await run(`train ${name}.yaml --out ${name}`)
  await writeNpy(at('rows.npy'), { values: Float64Array.from(rows.flat()), shape: [N, 2] })
  for (const name of ['beside', 'people', 'told'])
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
  // standard input comes at once
  const { status } = spawnSync(
    process.execPath,
    [join(built(), 'cli/main.js'), 'score', 'people', '-', '-o', 'people.npy', '--part-rows', String(N)],
    { cwd, input: readFileSync(at('people.csv')) },
  )
  expect(status).toBe(0)
  const expected = await scores('people.npy')
  expect(new Set(expected).size).toBe(N)
  // row groups that have other levels than those before them
  const { table } = await readMixedTable(at('people.csv'))
  const name = table.columns[0] as { codes: Int32Array }
  const order = Array.from({ length: N }, (_, i) => i).sort((a, b) => name.codes[a] - name.codes[b] || a - b)
  const lines = readFileSync(at('people.csv'), 'utf8').trimEnd().split('\n')
  writeFileSync(at('sorted.csv'), `${[lines[0], ...order.map((i) => lines[i + 1])].join('\n')}\n`)
  const sorted = (await readMixedTable(at('sorted.csv'))).table
  const writer = tableFormats.parquet(N, null)
  const bytes: Buffer[] = []
  const keep = (pieces: Iterable<Uint8Array | string>): void => {
    for (const piece of pieces) bytes.push(Buffer.from(piece as Uint8Array))
  }
  keep(writer.block(tableRows(sorted, 0, 40), true))
  keep(writer.block(tableRows(sorted, 40, N), false))
  keep(writer.end())
  writeFileSync(at('sorted.parquet'), Buffer.concat(bytes))
  await run('score people sorted.csv -o sorted.npy')
  await run('score people sorted.parquet -o groups.npy --part-rows 13')
  expect(await scores('groups.npy')).toEqual(await scores('sorted.npy'))
  for (const file of ['people.csv', 'people.parquet']) {
    await run(`score people ${file} -o people-cut.npy --part-rows 13`)
    expect(await scores('people-cut.npy'), file).toEqual(expected)
  }
})

test('rows that are told conditions, of the same file or of another', async () => {
  await run('score told told.csv -o told.npy')
  const expected = await scores('told.npy')
  expect(new Set(expected).size).toBe(N)
  const winds = rows.map((_, i) => (i % 9) / 7)
  await writeNpy(at('winds.npy'), { values: Float64Array.from(winds), shape: [N, 1] })
  writeFileSync(at('winds.csv'), `calm,wind\n${winds.map((wind) => `x,${wind}`).join('\n')}\n`)
  for (const words of ['told.csv', 'told.parquet', 'rows.csv --cond winds.npy', 'rows.npy --cond winds.csv']) {
    await run(`score told ${words} -o cut.npy --part-rows 9`)
    expect(await scores('cut.npy'), words).toEqual(expected)
  }
  // one row is for all
  await writeNpy(at('one.npy'), { values: Float64Array.of(winds[1]), shape: [1, 1] })
  await run('score told rows.csv --cond one.npy -o one-wind.npy --part-rows 30')
  const same = (await scores('one-wind.npy')).flatMap((score, i) => (score === expected[i] ? [i % 9] : []))
  expect(same).toEqual(Array.from({ length: 11 }, () => 1))
  await writeNpy(at('few.npy'), { values: Float64Array.from(winds.slice(3)), shape: [N - 3, 1] })
  const { code, stderr } = await lfm('score told rows.csv --cond few.npy -o never.npy'.split(' '), { cwd })
  expect(code).toBe(1)
  expect(stderr).toContain(
    'few.npy has 97 rows of conditions, but there are 100 rows to score: give one for each, or one for all.',
  )
})

test('after kill -9 it is gone on with, to the same bytes and the same mean; of other rows or another file it is not', async () => {
  const many = `name,age\n${Array.from({ length: engine === 'native' ? 20_000 : 1000 }, (_, i) => `${['anna', 'ben', ''][i % 3]},${i % 7}`).join('\n')}\n`
  writeFileSync(at('many.csv'), many)
  const words = 'score people many.csv --part-rows 50 --steps 8'
  const whole = json<{ logProb: number }>(await run(`${words} -o whole-many.parquet --json`))
  const { child, ended } = start(`${words} -o killed.parquet`.split(' '), { cwd })
  while (!existsSync(at(`killed.parquet.partial.json`)) && child.exitCode === null) await wait(1)
  child.kill('SIGKILL')
  expect((await ended).signal).toBe('SIGKILL')
  const other = await lfm(`${words} -o killed.parquet --resume --steps 9`.split(' '), { cwd })
  expect(other.stderr).toContain('it is of another call, the solver is')
  writeFileSync(at('many.csv'), many.replace('anna,0', 'anna,1'))
  const changed = await lfm(`${words} -o killed.parquet --resume`.split(' '), { cwd })
  expect(changed.stderr).toContain('it is of another call, the rows is')
  writeFileSync(at('many.csv'), many)
  const ends = await run(`${words} -o killed.parquet --resume --json`)
  expect(ends.stderr).toMatch(/Going on with killed.parquet behind \d+ of/)
  expect(readFileSync(at(`killed.parquet`)).equals(readFileSync(at(`whole-many.parquet`)))).toBe(true)
  expect(json<{ logProb: number }>(ends).logProb).toBe(whole.logProb)
  expect(existsSync(at(`killed.parquet.partial`))).toBe(false)
  const { stderr } = await lfm('score people people.csv --resume'.split(' '), { cwd })
  expect(stderr).toContain('--resume must be left out, or given with a file of scores')
}, 240_000)

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
