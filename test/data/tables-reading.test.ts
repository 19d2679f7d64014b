/** Tables of mixed columns from text and Parquet: what each column is taken for, and every way in which a file is refused. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, test } from 'vitest'
import type { ColumnAs } from '../../src/data/tables/kinds.js'
import { type ReadTable, type ReadTableOptions, readMixedTable } from '../../src/data/tables/read.js'
import { isCategory, type TableColumn } from '../../src/data/tables/table.js'
import { tableText } from '../../src/data/tables/texts.js'
import { encodeParquet, writeMixedTable } from '../../src/data/tables/write.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-tables-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const file = (content: string | Uint8Array, extension = 'csv'): string => {
  const path = join(folder, `${files++}.${extension}`)
  writeFileSync(path, content)
  return path
}
const read = (content: string | Uint8Array, options?: ReadTableOptions, extension?: string): Promise<ReadTable> =>
  readMixedTable(file(content, extension), options)
const asText = ({ table }: ReadTable): string => [...tableText(table)].join('')
const valuesOf = (column: TableColumn): (number | string | null)[] =>
  isCategory(column)
    ? Array.from(column.codes, (code) => (code < 0 ? null : column.levels[code]))
    : Array.from(column.values, (value) => (Number.isNaN(value) ? null : value))
const kindsOf = ({ columns }: ReadTable): string[] => columns.map(({ column }) => column?.kind ?? 'ignore')
const oneColumn = async (texts: readonly string[], as?: ColumnAs): Promise<{ why: string; column: TableColumn }> => {
  const { columns } = await read(`x\n${texts.map((text) => `"${text}"`).join('\n')}\n`, as && { columns: { x: as } })
  return { why: columns[0].why, column: columns[0].column! }
}

test('a stray text in a column of distinct numbers is named, and the column does not name the rows', async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `${i === 57 ? 'many' : 1.5 * i},${i % 7}`)
  const { columns, remarks } = await read(`size,b\n${lines.join('\n')}\n`)
  expect(columns[0]).toMatchObject({ column: null, why: "numbers and a text: 'many' in line 59" })
  expect(remarks.join()).toContain("'size' is left out: it has texts that are no numbers, 'many' in line 59")
  expect(remarks.join()).toContain('data.missing')
})

const mixed = `id,age,weight,zip,city,when,member
a,31,71.5,00501,Paris,2020-02-29,true
b,,68.0,10001,"New
York",2021-01-01,false
c,45,NA,00501,"Paris, Texas",,true
`

describe('text', () => {
  test('each column by what it holds, and back to the same text', async () => {
    const table = await read(`\uFEFF${mixed.replaceAll('\n', '\r\n').replace('New\r\nYork', 'New\nYork')}`)
    expect(kindsOf(table)).toEqual(['category', 'integer', 'number', 'category', 'category', 'date', 'boolean'])
    const [, age, weight, zip, city, when, member] = table.table.columns
    expect(valuesOf(age)).toEqual([31, null, 45])
    expect(valuesOf(weight)).toEqual([71.5, 68, null])
    expect(valuesOf(zip)).toEqual(['00501', '10001', '00501'])
    expect(valuesOf(city)).toEqual(['Paris', 'New\nYork', 'Paris, Texas'])
    expect(valuesOf(when)).toEqual([Date.UTC(2020, 1, 29) / 1000, Date.UTC(2021, 0, 1) / 1000, null])
    expect(valuesOf(member)).toEqual(['true', 'false', 'true'])
    expect(asText(table)).toBe(mixed.replace('NA', ''))
    expect(table.columns[3].why).toContain("leading zeros: '00501' in line 2")
  })

  test('gzip, tabs and semicolons; decimal commas where commas do not separate', async () => {
    expect(asText(await read(gzipSync('a\tb\n1\tx\n2\ty\n')))).toBe('a,b\n1,x\n2,y\n')
    const commas = await read('a;b\n1,5;x\n2,25;y\n')
    expect(valuesOf(commas.table.columns[0])).toEqual([1.5, 2.25])
    expect(asText(commas)).toBe('a;b\n1,5;x\n2,25;y\n')
    expect(commas.remarks.join()).toContain("'1,5' is 1.5")
    const quoted = 'a,b\n"1,5",x\n"2,25",y\n'
    expect(kindsOf(await read(quoted))).toEqual(['category', 'category'])
    expect(valuesOf((await read(quoted, { decimal: 'comma' })).table.columns[0])).toEqual([1.5, 2.25])
  })

  test('a header is told from the rows after it, and names are made distinct', async () => {
    expect((await read('Paris,3\nRome,4\n')).table.columns.map(({ name }) => name)).toEqual(['column 0', 'column 1'])
    expect((await read('1,2\n3,4\n')).table.rows).toBe(2)
    const years = await read('city,2019,2020\nParis,1,2\nRome,3,4\n', { header: true })
    expect(years.table.columns.map(({ name }) => name)).toEqual(['city', '2019', '2020'])
    const twice = await read('a,a,,a (2)\n1,2,3,4\n')
    expect(twice.table.columns.map(({ name }) => name)).toEqual(['a', 'a (2)', 'column 2', 'a (2) (2)'])
    expect(twice.remarks.join()).toContain("names twice among its columns; the later ones are called 'a (2)'")
  })

  test('an index column is left out and named; so are texts that name rows', async () => {
    const index = await read(',a\nr1,1\nr2,1\n')
    expect(index.table.columns.map(({ name }) => name)).toEqual(['a'])
    expect(index.remarks.join()).toContain('names the rows')
    const names = Array.from({ length: 200 }, (_, i) => `row ${i},${i % 7}`).join('\n')
    const table = await read(`id,x\n${names}\n`)
    expect(kindsOf(table)).toEqual(['ignore', 'integer'])
    expect(table.remarks.join()).toContain("Column 'id' is left out")
    expect(kindsOf(await read(`id,x\n${names}\n`, { columns: { id: 'category' } }))).toEqual(['category', 'integer'])
  })

  test('thousands separators are read and written back', async () => {
    const { column, why } = await oneColumn(['1,234', '12', '1,234,567'])
    expect(valuesOf(column)).toEqual([1234, 12, 1234567])
    expect(why).toContain("thousands apart by ','")
    expect([...tableText({ rows: 3, columns: [column] })].join('')).toBe('x\n"1,234"\n12\n"1,234,567"\n')
    expect(valuesOf((await oneColumn(['1,234.567', '2.5'])).column)).toEqual([1234.567, 2.5])
    expect(valuesOf((await oneColumn(["1'234", '12'])).column)).toEqual([1234, 12])
  })

  test.each([
    ['%d/%m/%Y', ['31/12/1999', '01/02/2000']],
    ['%-m/%-d/%Y', ['3/14/2001', '12/1/2001']],
    ['%d.%m.%Y %H:%M', ['31.12.1999 23:59', '01.01.2000 00:00']],
    ['%Y-%m-%dT%H:%M:%S.%LZ', ['1969-12-31T23:59:59.125Z', '2000-01-01T00:00:00.999Z']],
    ['%b %d, %Y', ['Feb 29, 2000', 'Mar 01, 2001']],
  ])('dates as %s, written back as they were', async (format, texts) => {
    const { column } = await oneColumn(texts)
    expect(column).toMatchObject({ kind: 'date', format: { date: format } })
    expect([...tableText({ rows: 2, columns: [column] }, { header: false })].join('').replaceAll('"', '')).toBe(
      `${texts.join('\n')}\n`,
    )
  })

  test('what data.columns says, and where the texts are something else', async () => {
    expect((await oneColumn(['1', '2'], 'category')).column.kind).toBe('category')
    expect((await oneColumn(['1', '0'], 'boolean')).column).toMatchObject({ kind: 'boolean', levels: ['0', '1'] })
    expect(valuesOf((await oneColumn(['03 2001 01'], { date: '%m %Y %d' })).column)).toEqual([
      Date.UTC(2001, 2, 1) / 1000,
    ])
    await expect(oneColumn(['1', 'abc'], 'number')).rejects.toThrow(
      "said to be a number (data.columns), but holds 'abc' in line 3",
    )
    await expect(oneColumn(['1', '2.5'], 'integer')).rejects.toThrow(
      "an integer (data.columns), but holds '2.5' in line 3",
    )
    await expect(oneColumn(['2001-02-30'], { date: '%Y-%m-%d' })).rejects.toThrow("holds '2001-02-30' in line 2")
    await expect(oneColumn(['1'], { date: '%Y-%q' })).rejects.toThrow("has '%q', which is none of %Y %m")
    await expect(read('a\n1\n', { columns: { b: 'integer' } })).rejects.toThrow(
      "no column 'b', which data.columns names",
    )
    await expect(read('a\n1\n', { columns: { a: 'ignore' } })).rejects.toThrow('no column that is left')
  })
})

describe('what is odd, and what is refused', () => {
  test('one column, constants, nothing but missing values', async () => {
    const table = await read('a,b,c\n1,x,\n1,x,\n')
    expect(kindsOf(table)).toEqual(['integer', 'category', 'category'])
    expect(valuesOf(table.table.columns[2])).toEqual([null, null])
    expect(asText(await read('a\n1\n""\n2\n'))).toBe('a\n1\n""\n2\n')
  })

  test('mixed types are a category, and the lines are named', async () => {
    const table = await read('a\n1\n2\n3\nabc\n5\n')
    expect(kindsOf(table)).toEqual(['category'])
    expect(table.remarks.join()).toContain("texts that are no numbers: 'abc' in line 5")
    expect(kindsOf(await read('a\n1\n2\n3\nabc\n5\n', { missing: ['abc'] }))).toEqual(['integer'])
  })

  test('dates in two formats are refused with their lines', async () => {
    await expect(read('when,x\n2020-01-02,1\n03/04/2020,2\n')).rejects.toThrow(
      "dates in two formats: '2020-01-02' in line 2, '03/04/2020' in line 3",
    )
  })

  test('100 000 categories', async () => {
    const rows = Array.from({ length: 110_000 }, (_, i) => `c${i % 100_000}`)
    const { table } = await read(`x\n${rows.join('\n')}\n`)
    const [column] = table.columns
    expect(isCategory(column) && column.levels.length).toBe(100_000)
  })

  test.each([
    [
      'a field of more than 10⁶ characters',
      `a,b\n1,${'x'.repeat(1_000_001)}\n`,
      'line 2: field 2 has 1000001 characters',
    ],
    [
      'a first line of more than 2 · 10⁶',
      `${'a,'.repeat(1_000_001)}\n`,
      'a line of it has more than 2000000 characters',
    ],
    ['a line of a million empty fields', `a,b\n${','.repeat(1_200_000)}\n`, 'more than 1000000 fields'],
    ['rows of unequal length', 'a,b\n1,2\n1\n', 'line 3: 1 fields, but the first line has 2'],
    ['nothing', '', 'is empty'],
    ['a header alone', 'a,b\n', 'has names of columns and no rows'],
    ['a picture', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), 'is no table of text'],
    ['Parquet by another name', 'PAR1....PAR1', 'whose name ends in .parquet'],
    ['a quote without end', 'a,b\n"1,2\n', 'cannot be read as a table of text'],
  ])('%s', async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(message)
  })
})

describe('Parquet', () => {
  test('a table there and back, its types kept', async () => {
    const csv = mixed.replace('id,', 'n,').replaceAll(/^[abc],/gm, '9007199254740991,')
    const first = await read(csv)
    const back = await read(encodeParquet(first.table), undefined, 'parquet')
    expect(kindsOf(back)).toEqual(['integer', 'integer', 'number', 'category', 'category', 'date', 'boolean'])
    expect(asText(back)).toBe(asText(first).replace('68.0', '68'))
    const said = { columns: { zip: 'ignore', age: 'category', when: 'category' } } as const
    const other = await read(encodeParquet(first.table), said, 'parquet')
    expect(kindsOf(other)).toEqual(['integer', 'category', 'number', 'ignore', 'category', 'category', 'boolean'])
    expect(valuesOf(other.table.columns[4])).toEqual(['2020-02-29', '2021-01-01', null])
  })

  test('row groups one after another', async () => {
    const data = Array.from({ length: 2500 }, (_, i) => (i % 5 === 0 ? null : i / 4))
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'x', data, type: 'DOUBLE' }], rowGroupSize: 1000 })
    const { table } = await read(new Uint8Array(bytes), undefined, 'parquet')
    expect(valuesOf(table.columns[0])).toEqual(data)
  })

  test('whole numbers beyond 2⁵³, columns inside columns and bytes are refused by name', async () => {
    const large = parquetWriteBuffer({ columnData: [{ name: 'key', data: [1n, 2n ** 53n], type: 'INT64' }] })
    await expect(read(new Uint8Array(large), undefined, 'parquet')).rejects.toThrow(
      "Column 'key' has 9007199254740992 in row 2, beyond 2^53",
    )
    const nested = parquetWriteBuffer({
      columnData: [
        { name: 'x', data: [1, 2] },
        { name: 'tags', data: [['a'], ['b', 'c']] },
      ],
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'x', type: 'INT32', repetition_type: 'OPTIONAL' },
        { name: 'tags', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ],
    })
    await expect(read(new Uint8Array(nested), undefined, 'parquet')).rejects.toThrow("Column 'tags' has columns inside")
    const without = await read(new Uint8Array(nested), { columns: { tags: 'ignore' } }, 'parquet')
    expect(valuesOf(without.table.columns[0])).toEqual([1, 2])
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'raw', data: [Uint8Array.of(1)], type: 'BYTE_ARRAY' }] })
    await expect(read(new Uint8Array(bytes), undefined, 'parquet')).rejects.toThrow("Column 'raw' is BYTE_ARRAY")
  })

  test('a file that ends too early, or is another', async () => {
    const path = file(mixed)
    const whole = encodeParquet((await readMixedTable(path)).table)
    const cut = whole.subarray(0, whole.length / 2)
    await expect(read(cut, undefined, 'parquet')).rejects.toThrow('without its end')
    const end = whole.subarray(whole.length - 8)
    await expect(read(Buffer.concat([cut, end]), undefined, 'parquet')).rejects.toThrow('cannot be read as Parquet')
    await expect(read(mixed, undefined, 'parquet')).rejects.toThrow('is no Parquet file')
    await expect(readMixedTable(join(folder, 'none.parquet'))).rejects.toThrow('there is no such file')
  })
})

test('a file is written at once, as it was read', async () => {
  const path = join(folder, 'out.csv')
  await writeMixedTable(path, (await read(mixed)).table)
  expect(readFileSync(path, 'utf8')).toBe(mixed.replace('NA', ''))
})
