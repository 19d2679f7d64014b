/** Parquet whose columns are not to be in memory: read twice, row group by row group, it is the data set that it is in memory. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadData } from '../../src/data/load.js'
import { tableFormats } from '../../src/data/row-formats.js'
import { partRows } from '../../src/data/split.js'
import { openEncoding } from '../../src/data/tables/encoding.js'
import { encodedTable } from '../../src/data/tables/load.js'
import { largeTable } from '../../src/data/tables/parquet-large.js'
import { openParquetGroups, readMixedTable } from '../../src/data/tables/read.js'
import { type NumberColumn, type Table, tableRows } from '../../src/data/tables/table.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-parquet-'))
afterAll(() => rmSync(work, { recursive: true }))

const n = 6000
const group = 1300
const sizes = ['large', 'small', 'middle', 'seldom']
/** Whole numbers in the first row group alone; the greatest value, a level and a hole stand in the last. */
const table: Table = {
  rows: n,
  columns: [
    {
      name: 'size',
      kind: 'category',
      levels: sizes,
      codes: Int32Array.from({ length: n }, (_, i) => (i > n - 9 ? 3 : i % 11 === 0 ? -1 : (i * 7) % 3)),
    },
    {
      name: 'price',
      kind: 'number',
      values: Float64Array.from({ length: n }, (_, i) =>
        i === n - 3 ? 9999.25 : i === n - 2 ? Number.NaN : i < group ? (i * 37) % 2500 : ((i * 37) % 20_000) / 4,
      ),
    },
    {
      name: 'when',
      kind: 'date',
      values: Float64Array.from({ length: n }, (_, i) => 86_400 * i + (i < group ? 0 : i)),
    },
    {
      name: 'paid',
      kind: 'boolean',
      levels: ['false', 'true'],
      codes: Int32Array.from({ length: n }, (_, i) => i % 2),
    },
  ],
}

function written(name: string, of: Table): string {
  const writer = tableFormats.parquet(of.rows, null)
  const pieces: Uint8Array[] = []
  for (let first = 0; first < of.rows; first += group) {
    for (const piece of writer.block(tableRows(of, first, Math.min(of.rows, first + group)), first === 0)) {
      pieces.push(Buffer.from(piece as Uint8Array))
    }
  }
  pieces.push(...writer.end())
  writeFileSync(join(work, name), Buffer.concat(pieces))
  return join(work, name)
}
const path = written('table.parquet', table)
const rows = partRows(n, { validation: 100, test: 200 }, { seed: 4 })
const numbers = 'quantile'

const large = async (head: number) =>
  largeTable(path, await openParquetGroups(path, {}), rows, { head, numbers, seed: 4, memory: 1e9 })

describe('a table that is read row group by row group', () => {
  it('is what it is in memory, to the bit, where all training rows are kept', async () => {
    const { table: read, columns: known } = await readMixedTable(path)
    const inMemory = encodedTable(read, rows, known, { numbers, seed: 4 })
    const { large: stored, ...found } = await large(n)
    expect(found).toEqual(inMemory)
    const file = await stored!.store(work)
    expect(await file.read(0, stored!.rows)).toEqual(inMemory.train.values)
    await file.close()
  })

  it('has the ranges, levels and holes of all rows where a part of them is kept', async () => {
    const { large: stored, table: kept, train, width } = await large(1000)
    expect(kept.train.rows).toBe(1000)
    const { decode } = openEncoding(kept.encoding)
    const file = await stored!.store(work)
    const values = await file.read(0, stored!.rows)
    await file.close()
    expect(values.subarray(0, train.values.length)).toEqual(train.values)
    const [size, price, when, paid] = decode(values, 4).columns
    // «seldom» is drawn back from the levels that share a number
    const code = (i: number): number => (table.columns[0] as { codes: Int32Array }).codes[rows.train[i]]
    const texts = (size as { levels: readonly string[] }).levels
    expect(texts).toEqual(sizes.toSorted())
    let [far, others] = [0, 0]
    for (let i = 0; i < stored!.rows; i++) {
      const own = (size as { codes: Int32Array }).codes[i]
      if (code(i) !== 3 && (own < 0 ? -1 : sizes.indexOf(texts[own])) !== code(i)) others++
      const asked = (table.columns[1] as NumberColumn).values[rows.train[i]]
      const got = (price as NumberColumn).values[i]
      if (Number.isNaN(asked) ? !Number.isNaN(got) : Math.abs(got - asked) > 0.011 * Math.max(1, asked)) far++
    }
    expect(width).toBeGreaterThan(4)
    expect(others).toBe(0)
    expect(far).toBe(0)
    const trained = Array.from(rows.train, (row) => (table.columns[1] as NumberColumn).values[row])
    const range = kept.columns.find(({ name }) => name === 'price')!.range!
    expect(Number(range[1])).toBe(Math.max(...trained.filter((value) => !Number.isNaN(value))))
    expect((when as NumberColumn).format!.date).toBe('%Y-%m-%d %H:%M:%S')
    expect((paid as { codes: Int32Array }).codes).toEqual(
      Int32Array.from(rows.train, (row) => (table.columns[3] as { codes: Int32Array }).codes[row]),
    )
  })

  it('is taken so where data.memory asks for it, by name of what cannot be', async () => {
    const config = (memory: string, test = 200, shuffle = true) => ({
      ...{ kind: 'table', path: 'table.parquet', memory, test, validation: 0, shuffle, numbers },
      missing: [''],
    })
    const load = (memory: string, test?: number, shuffle?: boolean) =>
      loadData(config(memory, test, shuffle) as never, { seed: 4, baseDir: work, large: true })
    const loaded = await load('700 KB')
    expect(loaded.remarks[0]).toMatch(
      /^The columns of table.parquet take more than data.memory leaves them: .* from \d+ of the 5800/,
    )
    expect(loaded.large!.rows).toBe(5800)
    expect((await load('10 MB')).large).toBeUndefined()
    // windows of rows in the file's order would be of one time each
    const ordered = partRows(n, { test: 200 }, { seed: 4, shuffle: false })
    const { table: read, columns: known } = await readMixedTable(path)
    for (const { large: stored, table: kept } of [
      await load('700 KB', 200, false),
      encodedTable(read, ordered, known, { numbers, seed: 4, memory: 3e5, shuffle: false }),
    ]) {
      expect(stored!.rows).toBe(5800)
      const when = (kept!.train.columns[2] as NumberColumn).values.slice(0, 500)
      expect(when).not.toEqual(when.toSorted())
      expect(Math.max(...when)).toBeGreaterThan(86_400 * 5000)
    }
    await expect(load('700 KB', 900)).rejects.toThrow('data.memory has room for')
  })

  it('names a column that is of several kinds', async () => {
    const mixed: Table = {
      rows: n,
      columns: [
        {
          name: 'code',
          kind: 'category',
          levels: ['1', '2', 'x'],
          codes: Int32Array.from({ length: n }, (_, i) => (i < n - 5 ? i % 2 : 2)),
        },
        table.columns[3],
      ],
    }
    const file = await openParquetGroups(written('mixed.parquet', mixed), {})
    const read = largeTable('mixed.parquet', file, rows, { head: 1000, numbers, seed: 4, memory: 1e9 })
    await expect(read).rejects.toThrow(/column .code. is said to be an integer .* but holds .x. in row 5996/)
  })
})
