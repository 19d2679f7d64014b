/** Tables of text that are read in blocks: the same values as at once, whatever only a later block shows. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readMixedTable } from '../../src/data/tables/read.js'
import { openTextBlocks } from '../../src/data/tables/read-text-blocks.js'
import { isCategory, type Table, type TableColumn } from '../../src/data/tables/table.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-blocks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** More rows than two blocks have. */
const N = 40_000
const known = { amount: 'number', day: 'date', kind: 'category', fine: 'boolean', count: 'integer' } as const
/** Only the last rows have thousands, a day above 12 that tells days from months, and one of the levels. */
const row = (i: number): string[] => {
  const late = i >= N - 3
  return [
    ...[late ? `1,234.${i % 10}` : `${i % 100}.5`, `0${1 + (i % 9)}/${late ? 25 : 11}/2024`],
    ...[late ? 'rare' : i < 20_000 ? 'first' : 'second', i % 2 ? 'yes' : 'no', i % 7 ? String(i % 5) : '', `note ${i}`],
  ]
}
const header = ['amount', 'day', 'kind', 'fine', 'count', 'note']

function file(name: string, rows: readonly string[][]): string {
  const path = join(folder, name)
  writeFileSync(path, `${rows.map((fields) => fields.join(';')).join('\n')}\n`)
  return path
}

/** Each row's value of a column, levels as their words. */
const valuesOf = (column: TableColumn): (string | number | null)[] =>
  isCategory(column) ? Array.from(column.codes, (code) => column.levels[code] ?? null) : Array.from(column.values)

async function inBlocks(path: string, options: Omit<Parameters<typeof openTextBlocks>[1], 'known'> = {}) {
  const checked: [number, number][] = []
  const { rows, names, blocks } = await openTextBlocks(path, { known, ...options }, (table, first) => {
    checked.push([first, table.rows])
  })
  const tables: Table[] = []
  for await (const table of blocks()) tables.push(table)
  const columns = tables[0].columns.map(({ name }, j) => ({
    name,
    values: tables.flatMap((one) => valuesOf(one.columns[j])),
  }))
  return { rows, names, checked, tables, columns }
}

test('what the last rows show holds for all of them', async () => {
  const path = file('table.csv', [header, ...Array.from({ length: N }, (_, i) => row(i))])
  const { table } = await readMixedTable(path, { known, decimal: 'point' })
  const { rows, names, checked, tables, columns } = await inBlocks(path, { decimal: 'point' })
  expect(rows).toBe(N)
  expect(names).toEqual(header)
  expect(tables.length).toBeGreaterThan(2)
  // every block was looked at before the first one is handed on
  expect(checked).toHaveLength(tables.length)
  expect(checked.at(-1)![0] + checked.at(-1)![1]).toBe(N)
  for (const { name, values } of columns) {
    expect(values, name).toEqual(valuesOf(table.columns.find((column) => column.name === name)!))
  }
  expect(columns.map(({ name }) => name)).toEqual(Object.keys(known))
  expect(columns[0].values[N - 1]).toBe(1234.9)
})

test('a column in two ways is refused with the line of the second', async () => {
  const many = Array.from({ length: N }, (_, i) => row(i).with(1, '2024-01-02'))
  many[N - 10] = many[N - 10].with(0, '1 234,5')
  await expect(inBlocks(file('ways.csv', [header, ...many]), { decimal: 'point' })).rejects.toThrow(
    /column 'amount'.*1 234,5.*line 39992/,
  )
  many[N - 10] = many[N - 10].with(0, '1.5').with(1, '02.01.2024')
  await expect(inBlocks(file('dates.csv', [header, ...many]), { decimal: 'point' })).rejects.toThrow(
    /column 'day' has dates in two formats: .*'02.01.2024' in line 39992/,
  )
  // blocks that could each be read, but not in one way
  const numbers = many.map((fields, i) =>
    fields.with(1, '2024-01-02').with(0, i < 9 ? '1,234' : i < N - 9 ? '7' : '1 234'),
  )
  await expect(inBlocks(file('apart.csv', [header, ...numbers]), { decimal: 'point' })).rejects.toThrow(
    "column 'amount' holds '1 234' in line 39993, which is written in another way than what stands before it.",
  )
  many[N - 10] = ['1', '2']
  await expect(inBlocks(file('short.csv', [header, ...many]))).rejects.toThrow('line 39992: 2 fields')
})

test('names are found among numbers, and columns without names by their places', async () => {
  const path = file('years.csv', [
    ['who', '2023', '2024'],
    ...Array.from({ length: 5 }, (_, i) => ['a', `${i}`, `${2 * i}`]),
  ])
  const years = { who: 'category', '2024': 'integer' } as const
  const { blocks, rows } = await openTextBlocks(path, { known: years }, () => {})
  expect(rows).toBe(5)
  for await (const { columns } of blocks()) expect(valuesOf(columns[1])).toEqual([0, 2, 4, 6, 8])
  const bare = file('bare.csv', [
    ['a', '1'],
    ['b', '2'],
  ])
  const places = { 'column 0': 'category', 'column 1': 'integer' } as const
  const opened = await openTextBlocks(bare, { known: places }, () => {})
  for await (const { columns } of opened.blocks())
    expect(columns.map(valuesOf)).toEqual([
      ['a', 'b'],
      [1, 2],
    ])
  await expect(openTextBlocks(file('empty.csv', [header]), { known }, () => {})).rejects.toThrow(
    'names of columns and no rows',
  )
})
