/** Files and folders that grow: whatever they are cut at, and however often, they end as the same bytes. */

import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetMetadata } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { growFile, writeGrowing } from '../../src/cli/grow.js'
import type { BlockFormat } from '../../src/data/block-formats.js'
import { cutNumbers, cutTables, recut } from '../../src/data/blocks.js'
import { numberFormats, type OpenWriter, tableFormats } from '../../src/data/row-formats.js'
import { readMixedTable } from '../../src/data/tables/read.js'
import { type Table, tableRows } from '../../src/data/tables/table.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-grow-'))
beforeAll(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const fresh = (ending: string): string => join(folder, `${files++}${ending}`)

const N = 50
const BLOCK = 8
const numbers = {
  values: Float32Array.from({ length: 2 * N }, (_, i) => (i === 6 ? -0 : Math.sin(i) / 3)),
  shape: [N, 2],
}
const rows = (value: (i: number) => number): Float64Array => Float64Array.from({ length: N }, (_, i) => value(i))
const table: Table = {
  rows: N,
  columns: [
    {
      name: 'height',
      kind: 'number',
      values: rows((i) => (i % 7 === 3 ? Number.NaN : i / 8 - 1)),
      format: { decimals: 3 },
    },
    { name: 'count', kind: 'integer', values: rows((i) => (i === 49 ? 2 ** 40 : i === 2 ? -0 : i)) },
    { name: 'day', kind: 'date', values: rows((i) => 86_400 * i), format: { date: '%Y-%m-%d' } },
    { name: 'time', kind: 'date', values: rows((i) => 3600 * i), format: { date: '%Y-%m-%d %H:%M:%S' } },
    {
      name: 'sort',
      kind: 'category',
      codes: Int32Array.from({ length: N }, (_, i) => (i % 5) - 1),
      levels: ['a', 'ü', 'c,d', '"'],
    },
    { name: 'is', kind: 'boolean', codes: Int32Array.from({ length: N }, (_, i) => i % 2), levels: ['false', 'true'] },
  ],
}

/** All rows behind some, failing where a block of that number would come. */
function blocks<B>(all: B, part: (all: B, first: number, end: number) => B, failsAt = Infinity) {
  return {
    n: N,
    blockRows: BLOCK,
    async *from(skip: number): AsyncGenerator<B> {
      for (let at = skip; at < N; at += BLOCK) {
        if (at / BLOCK >= failsAt) throw new Error('the lamp went out')
        yield part(all, at, Math.min(N, at + BLOCK))
      }
    },
  }
}

const facts = { seed: 1 }
const cases: [
  string,
  BlockFormat,
  (path: string, failsAt?: number, resume?: boolean, kind?: 'file' | 'folder') => Promise<void>,
][] = []
for (const [name, open] of Object.entries(numberFormats(['left', 'right']))) {
  cases.push([
    `${name} of numbers`,
    name as BlockFormat,
    (path, failsAt, resume = false, kind = 'file') =>
      writeGrowing(path, blocks(numbers, cutNumbers.part, failsAt), open as OpenWriter<object>, {
        kind,
        format: name as BlockFormat,
        facts,
        resume,
      }),
  ])
}
for (const [name, open] of Object.entries(tableFormats)) {
  cases.push([
    `${name} of a table`,
    name as BlockFormat,
    (path, failsAt, resume = false, kind = 'file') =>
      writeGrowing(path, blocks(table, tableRows, failsAt), open, { kind, format: name as BlockFormat, facts, resume }),
  ])
}

describe.each(cases)('%s', (_, format, write) => {
  test('wherever it is cut, it is gone on with to the same bytes', async () => {
    const whole = fresh(`.${format}`)
    await write(whole)
    for (let failsAt = 1; failsAt + 1 < N / BLOCK; failsAt++) {
      const path = fresh(`.${format}`)
      await expect(write(path, failsAt)).rejects.toThrow('the lamp went out')
      expect(existsSync(path)).toBe(false)
      // what a killed writer had still under way
      appendFileSync(`${path}.partial`, 'half a row')
      await expect(write(path, failsAt + 1, true)).rejects.toThrow('the lamp went out')
      await write(path, undefined, true)
      expect(readFileSync(path).equals(readFileSync(whole)), `cut before block ${failsAt}`).toBe(true)
      expect(readdirSync(folder).filter((name) => name.includes('partial') || name.includes('lock'))).toEqual([])
    }
  })

  test('a folder of parts keeps those that are whole, and its list comes last', async () => {
    const whole = fresh('')
    await write(whole, undefined, false, 'folder')
    const cut = fresh('')
    await expect(write(cut, 3, false, 'folder')).rejects.toThrow('the lamp went out')
    expect(readdirSync(cut).filter((name) => name.startsWith('part-'))).toHaveLength(3)
    expect(existsSync(join(cut, 'samples.json'))).toBe(false)
    // a part that is there is not made again
    const first = join(cut, `part-00000.${format}`)
    appendFileSync(first, ' ')
    await write(cut, undefined, true, 'folder')
    expect(readFileSync(first).length).toBe(readFileSync(join(whole, `part-00000.${format}`)).length + 1)
    for (const name of readdirSync(whole)
      .filter((one) => one.startsWith('part-'))
      .slice(1)) {
      expect(readFileSync(join(cut, name)).equals(readFileSync(join(whole, name))), name).toBe(true)
    }
    expect(readdirSync(cut).sort()).toEqual(readdirSync(whole).sort())
    const { parts } = JSON.parse(readFileSync(join(whole, 'samples.json'), 'utf8'))
    expect(parts.map(({ first, rows }: { first: number; rows: number }) => [first, rows])).toEqual(
      [0, 8, 16, 24, 32, 40, 48].map((at) => [at, Math.min(8, N - at)]),
    )
  })
})

test('a Parquet file has a row group for each block, and reads as the table that was written', async () => {
  const path = fresh('.parquet')
  await writeGrowing(path, blocks(table, tableRows), tableFormats.parquet, {
    kind: 'file',
    format: 'parquet',
    facts,
    resume: false,
  })
  const bytes = readFileSync(path)
  const { row_groups } = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([8, 8, 8, 8, 8, 8, 2])
  const back = await readMixedTable(path)
  expect(back.table.rows).toBe(N)
  const kinds = back.table.columns.map(({ kind }) => kind)
  expect(kinds).toEqual(table.columns.map(({ kind }) => kind))
  for (const [j, column] of back.table.columns.entries()) {
    const own = table.columns[j]
    if ('values' in column && 'values' in own)
      expect([...column.values].map((x) => x + 0)).toEqual([...own.values].map((x) => x + 0))
    if ('codes' in column && 'codes' in own) {
      const texts = (levels: readonly string[], codes: Int32Array) => [...codes].map((code) => levels[code])
      expect(texts(column.levels, column.codes)).toEqual(texts(own.levels, own.codes))
    }
  }
})

test('what is left of other facts, or is not there any more, is refused by name', async () => {
  const csv = numberFormats(null).csv
  const write = (path: string, failsAt: number | undefined, seed: number) =>
    growFile(path, blocks(numbers, cutNumbers.part, failsAt), csv, { facts: { seed, steps: 4 }, resume: true })
  const path = fresh('.csv')
  await expect(write(path, 2, 1)).rejects.toThrow('the lamp went out')
  await expect(write(path, 4, 2)).rejects.toThrow('it is of another call, seed is 1 there and 2 here')
  writeFileSync(`${path}.partial`, 'short')
  await expect(write(path, 4, 1)).rejects.toThrow(/has 5 bytes, but \d+ bytes of it were written/)
  writeFileSync(`${path}.partial.json`, '{')
  await expect(write(path, 4, 1)).rejects.toThrow('is no record of a file that was being written')
})

test('a writer that is killed between giving the name and removing its record leaves nothing that stands in the way', async () => {
  const csv = numberFormats(null).csv
  const write = (path: string, failsAt: number | undefined, resume: boolean) =>
    growFile(path, blocks(numbers, cutNumbers.part, failsAt), csv, { facts, resume })
  const path = fresh('.csv')
  await expect(write(path, 2, false)).rejects.toThrow('the lamp went out')
  const record = readFileSync(`${path}.partial.json`)
  await write(path, undefined, true)
  const whole = readFileSync(path)
  writeFileSync(`${path}.partial.json`, record)
  await write(path, undefined, true)
  expect(readFileSync(path).equals(whole)).toBe(true)
  expect(existsSync(`${path}.partial.json`)).toBe(false)
})

test('a full disk names what is kept; two writers of one file are kept apart', async () => {
  const path = fresh('.npy')
  const full = {
    ...blocks(numbers, cutNumbers.part),
    async *from(skip: number) {
      yield* blocks(numbers, cutNumbers.part, skip / BLOCK + 2).from(skip)
    },
  }
  const noSpace = Object.assign(new Error('write'), { code: 'ENOSPC' })
  const failing: OpenWriter<typeof numbers> = (n, state) => {
    const writer = numberFormats(null).npy(n, state)
    let count = 0
    return {
      ...writer,
      block(rows, first) {
        if (++count === 3) throw noSpace
        return writer.block(rows as never, first)
      },
    }
  }
  const plain = blocks(numbers, cutNumbers.part) as typeof full
  await expect(growFile(path, plain, failing as never, { facts, resume: false })).rejects.toThrow(
    `${path} cannot be written: no space is left on the disk. 16 of 50 rows are kept in ${path}.partial: go on with --resume.`,
  )
  let second: Promise<void> | undefined
  const open = numberFormats(null).npy
  const slow = {
    ...plain,
    async *from(skip: number) {
      second = growFile(path, plain, open as never, { facts, resume: true })
      await expect(second).rejects.toThrow(`process ${process.pid}`)
      yield* plain.from(skip)
    },
  }
  await growFile(path, slow, open as never, { facts, resume: true })
  expect(second).toBeDefined()
})

test('rows of any pieces are the same rows in blocks of one size', async () => {
  async function* pieces() {
    for (const [first, end] of [
      [0, 3],
      [3, 4],
      [4, 29],
      [29, 50],
    ])
      yield tableRows(table, first, end)
  }
  for (const skip of [0, 3, 16]) {
    const cut: Table[] = []
    for await (const block of recut(pieces(), 8, cutTables, skip)) cut.push(block)
    const own = Array.from({ length: Math.ceil((N - skip) / 8) }, (_, i) =>
      tableRows(table, skip + 8 * i, Math.min(N, skip + 8 * i + 8)),
    )
    expect(cut).toEqual(own)
  }
})
