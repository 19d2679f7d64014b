import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config/index.js'
import { float32Text, readCsv } from '../../src/data/csv.js'
import { decodeNpy, encodeNpy, loadData, readNpy, readTable, writeCsv, writeNpy } from '../../src/data/index.js'
import { DataError } from '../../src/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-files-'))
afterAll(() => rmSync(dir, { recursive: true }))

let files = 0
function file(content: string | Uint8Array, extension = 'csv'): string {
  const path = join(dir, `${files++}.${extension}`)
  writeFileSync(path, content)
  return path
}

/** A .npy file as NumPy writes it, from its header's dictionary and the bytes of its values. */
function npy(dictionary: string, values: ArrayBufferView, version = 1): Uint8Array {
  const header = Buffer.from(dictionary.padEnd(117))
  const length = version === 1 ? Buffer.alloc(2) : Buffer.alloc(4)
  if (version === 1) length.writeUInt16LE(header.length + 1)
  else length.writeUInt32LE(header.length + 1)
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.from([version, 0]),
    length,
    header,
    Buffer.from('\n'),
    bytes,
  ])
}

const dictionary = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`

describe('csv', () => {
  it.each([
    ['without a header', '1,2\n3,4.5\n', null],
    ['with one', 'a,b\n1,2\n3,4.5\n', ['a', 'b']],
    ['with one text among numbers in the first line', '1,b\n1,2\n3,4.5\n', ['1', 'b']],
    ['with semicolons', 'a;b\n1;2\n3;4.5\n', ['a', 'b']],
    ['with tabs', '1\t2\n3\t4.5\n', null],
    [
      'with a mark of byte order, blank lines, spaces and \\r\\n',
      '\uFEFF\r\n a , b \r\n1, 2\r\n\r\n3,+4.5e0\r\n',
      ['a', 'b'],
    ],
    ['with a comma in a quoted name', '"a,b,c";"d"\n1;2\n3;4.5', ['a,b,c', 'd']],
  ])('is read %s', async (_, text, columns) => {
    expect(await readCsv(file(text))).toEqual({
      tensor: { values: Float32Array.of(1, 2, 3, 4.5), shape: [2, 2] },
      columns,
      headed: columns !== null,
      remarks: [],
    })
  })

  it('takes the columns that are asked for, in that order; others may hold text', async () => {
    const path = file('id,x,y\nfirst,1,2\nsecond,3,4\n')
    const expected = {
      tensor: { values: Float32Array.of(2, 1, 4, 3), shape: [2, 2] },
      columns: ['y', 'x'],
      headed: true,
      remarks: [],
    }
    expect(await readCsv(path, ['y', 'x'])).toEqual(expected)
    expect(await readCsv(path, [2, 1])).toEqual(expected)
    await expect(readCsv(path, ['z'])).rejects.toThrow("has no column 'z'; its columns are 'id', 'x', 'y'.")
    await expect(readCsv(path, [3])).rejects.toThrow('has no column 3')
    await expect(readCsv(path, ['x', 1])).rejects.toThrow('Column 1 of')
  })

  it.each<[string, string | Buffer, RegExp]>([
    ['text', 'a,b\n1,2\n3,x\n', /line 3: field 2 \('b'\) is 'x', which is no number/],
    ['a decimal comma where commas separate', '1,2\n"1,5",2\n', /line 2: field 1 is '1,5', which is no number/],
    ['commas between thousands', '1;2\n1,234,567;2\n', /line 2: field 1 is '1,234,567', which is no number/],
    ['two columns of one name', 'a,b,a\n1,2,3\n', /has the name 'a' twice \(columns 0 and 2, from 0\)/],
    ['UTF-16', Buffer.from('\uFEFFa,b\n1,2\n', 'utf16le'), /is text in UTF-16; save it in UTF-8/],
    ['NaN, also in the first line', '1,nan\n3,4\n', /line 1: field 2 is nan; every field must be a finite/],
    ['infinity', '1,2\n-Infinity,4\n', /line 2: field 1 is -Infinity; every/],
    ['a number beyond float32', '1,2\n3,1e39\n', /line 2: field 2 is 1e39; every/],
    ['hexadecimal digits', '1,2\n3,0x10\n', /line 2: field 2 is '0x10', which is no number/],
    ['an empty field', '1,2\n\n3,\n', /line 3: field 2 is empty/],
    ['a short row', '1,2\n3\n', /line 2: 1 fields, but the first line has 2/],
    [
      'decimal commas under a header',
      'a\n1,2\n',
      /line 2: 2 fields, but the first line has 1\. Where commas are decimal/,
    ],
    ['columns divided otherwise', 'a b\n1 2\n', /is no number\. Columns are divided by commas, semicolons or tabs/],
    ['a long row', '1,2\n3,4,5\n', /line 2: 3 fields, but the first line has 2/],
    ['a header alone', 'a,b\n', /zero rows/],
    ['nothing', '', /zero rows/],
    ['an open quote', '1,2\n"3,4\n', /cannot be read as CSV/],
  ])('is refused for %s', async (_, text, message) => {
    const path = file(text)
    const refused = expect(readCsv(path)).rejects
    await refused.toThrow(message)
    await expect(readCsv(path)).rejects.toThrow(path)
    await expect(readCsv(path)).rejects.toBeInstanceOf(DataError)
  })

  it('names the line in a file longer than any buffer', async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => (i === 50_000 ? '1,NaN' : `${i},2`))
    await expect(readCsv(file(lines.join('\n')))).rejects.toThrow('line 50001: field 2 is NaN')
    lines[50_000] = '50000,2'
    const { tensor } = await readCsv(file(lines.join('\n')))
    expect(tensor.shape).toEqual([60_000, 2])
    expect(tensor.values.every((value, i) => value === (i % 2 ? 2 : i / 2))).toBe(true)
  })

  it('that is missing or a folder is a DataError', async () => {
    await expect(readCsv(join(dir, 'none.csv'))).rejects.toThrow('none.csv cannot be read: there is no such file.')
    await expect(readCsv(dir)).rejects.toThrow('cannot be read: it is a folder.')
    await expect(readCsv(dir)).rejects.toBeInstanceOf(DataError)
  })

  it('is written so that the same float32 values are read back', async () => {
    const values = Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i * 12.9898) * 10 ** ((i % 70) - 35))
    values.set([3.4028234663852886e38, 1.401298464324817e-45, 0.1, 1 / 3, -0, 16777217])
    const path = join(dir, 'written.csv')
    await writeCsv(path, { values, shape: [10_000, 3] }, ['a', 'b,c', 'd"e'])
    const { tensor, columns } = await readCsv(path)
    expect(columns).toEqual(['a', 'b,c', 'd"e'])
    expect(tensor.shape).toEqual([10_000, 3])
    expect(tensor.values.every((value, i) => value === values[i])).toBe(true)
    expect([float32Text(Math.fround(0.1)), float32Text(100)]).toEqual(['0.1', '100'])
  })

  it('is written with as few digits as tell the float32 apart: six to nine', () => {
    for (const text of ['0.5', '16777216', '0.10000001', '0.1', '8589935000']) {
      expect(float32Text(Math.fround(Number(text)))).toBe(text)
    }
    const nine = Math.fround(1.00000013)
    expect(Math.fround(Number(float32Text(nine)))).toBe(nine)
  })

  it('rows of more than one dimension are flattened under numbered names', async () => {
    const path = join(dir, 'flat.csv')
    await writeCsv(path, { values: Uint8Array.of(1, 2, 3, 4), shape: [1, 2, 2] })
    expect(readFileSync(path, 'utf8')).toBe('x0,x1,x2,x3\n1,2,3,4\n')
    await expect(writeCsv(join(dir, 'no/such/flat.csv'), { values: Uint8Array.of(1), shape: [1, 1] })).rejects.toThrow(
      DataError,
    )
  })
})

describe('tables of text as they are', () => {
  const values = async (...args: Parameters<typeof readTable>): Promise<number[]> => [
    ...(await readTable(...args)).tensor.values,
  ]

  it('are read whatever their extension, packed or not', async () => {
    for (const extension of ['tsv', 'data', 'txt', 'CSV', 'csv.gz']) {
      const text = 'a\tb\n1\t2\n'
      const path = file(extension.endsWith('gz') ? gzipSync(text) : text, extension)
      expect(await readTable(path), extension).toMatchObject({ columns: ['a', 'b'], tensor: { shape: [1, 2] } })
    }
    await expect(readTable(file(gzipSync('1,2\n').subarray(0, 20), 'gz'))).rejects.toThrow('cannot be unpacked')
  })

  it('in packed files of many buffers too, but not what unpacks without end', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i},${(i * 7919) % 1000}`).join('\n')
    expect((await readTable(file(gzipSync(lines), 'csv.gz'))).tensor.shape).toEqual([20_000, 2])
    // a table that repeats itself is packed by a hundred
    const block = '0.1234,5.678,9\n'.repeat(60)
    const repeated = Array.from({ length: 9000 }, (_, i) => `${(i * 7919) % 1000},1,2\n${block}`).join('')
    const packed = gzipSync(repeated)
    expect(repeated.length / packed.length).toBeGreaterThan(70)
    expect((await readTable(file(packed, 'csv.gz'))).tensor.shape).toEqual([9000 * 61, 3])
    const most = /unpacks to more than \d+ bytes, which is more than \d+ bytes of gzip are given: unpack it \(gunzip\)/
    // refused before it is known that its second line is none
    await expect(readTable(file(gzipSync(`1,2\nno,table\n${'\n'.repeat(80 << 20)}`), 'csv.gz'))).rejects.toThrow(most)
  })

  it('with decimal commas where commas do not separate, which is said', async () => {
    for (const text of ['1,5;2\n-,25;3e1\n', 'a;b\n1,5;2\n-,25;3e1\n', '1,5\t2\n-,25\t3e1']) {
      const { tensor, remarks } = await readTable(file(text))
      expect([...tensor.values]).toEqual([1.5, 2, -0.25, 30])
      expect(remarks.join()).toContain("is read with decimal commas: '1,5' is 1.5")
    }
    // three commas against two semicolons
    expect(await values(file('1,5;2,5;3,5\n4,5;5,5;6,5\n'))).toEqual([1.5, 2.5, 3.5, 4.5, 5.5, 6.5])
    expect((await readTable(file('1;2\n3;4\n'))).remarks).toEqual([])
  })

  it('with two columns of whole numbers and no header get a hint of decimal commas', async () => {
    expect((await readTable(file('1,5\n-2,25\n'))).remarks.join()).toContain('2 columns of whole numbers')
    expect((await readTable(file('1,5,2,25\n1,5,3,05\n'))).remarks.join()).toContain('4 columns of whole numbers')
    expect((await readTable(file('1,5,2,25\n1,5,3,5\n'))).remarks).toEqual([])
    for (const other of ['a,b\n1,5\n', '1,5\n2,-2\n', '1,5\n2,2.0\n', '1,5,6\n'])
      expect((await readTable(file(other))).remarks).toEqual([])
  })

  it('with a header of numbers, or text that is none, where data.header says so', async () => {
    const years = file('2019,2020\n1,2\n')
    expect((await readTable(years)).tensor.shape).toEqual([2, 2])
    expect(await readTable(years, ['2020'], { header: true })).toMatchObject({
      tensor: { values: Float32Array.of(2) },
      columns: ['2020'],
    })
    await expect(readTable(file('a,b\n1,2\n'), null, { header: false })).rejects.toThrow("line 1: field 1 is 'a'")
  })

  it.each([
    ['an index of pandas', ',x,y\n0,1.5,2\n1,3,4\n2,5,6\n'],
    ['one that was read and written again', 'Unnamed: 0,x,y\n10,1.5,2\n7,3,4\n8,5,6\n'],
    ['names of rows', '"",x,y\nfirst,1.5,2\nsecond,3,4\nthird,5,6\n'],
  ])('leave out %s, and say so', async (_, text) => {
    const { tensor, columns, remarks } = await readTable(file(text))
    expect(columns).toEqual(['x', 'y'])
    expect(tensor).toEqual({ values: Float32Array.of(1.5, 2, 3, 4, 5, 6), shape: [3, 2] })
    expect(remarks.join()).toMatch(/first column \('.*'\) names the rows.*left out/)
    if (!text.includes('first')) expect((await readTable(file(text), [0, 1])).tensor.shape).toEqual([3, 2])
  })

  it('keep a first column without a name that names no rows', async () => {
    for (const first of [
      [1, 1, 2],
      [0.5, 1, 2],
    ]) {
      const { tensor, columns, remarks } = await readTable(file(`,x\n${first.map((v, i) => `${v},${i}`).join('\n')}\n`))
      expect(columns).toEqual(['column 0', 'x'])
      expect([...tensor.values]).toEqual(first.flatMap((v, i) => [v, i]))
      expect(remarks).toEqual([])
    }
  })

  it('with one name twice are taken by number, and lose their names where these are no longer names', async () => {
    const path = file('a,b,a\n1,2,3\n')
    expect(await readTable(path, [0, 1])).toMatchObject({ columns: ['a', 'b'], remarks: [] })
    const { columns, remarks } = await readTable(path, [0, 2])
    expect(columns).toBeNull()
    expect(remarks.join()).toContain('taken by place, not by name')
    await expect(readTable(path, ['a'])).rejects.toThrow("the name 'a' twice")
    expect((await readTable(path, ['b'])).columns).toEqual(['b'])
  })
})

describe('npy', () => {
  it('of float16 becomes float32', () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x7bff, 0x8000, 0x7c00)
    const { values } = decodeNpy(npy(dictionary('<f2', '(8,)'), bits))
    const expected = [1, -2, 0.333251953125, 2 ** -24, 1023 * 2 ** -24, 65504, -0, Infinity]
    expect([...values]).toEqual(expected.map(Math.fround))
  })

  it.each([
    ['>f4', 4, (view: DataView, at: number, value: number) => view.setFloat32(at, value)],
    ['>f8', 8, (view: DataView, at: number, value: number) => view.setFloat64(at, value)],
    ['>i2', 2, (view: DataView, at: number, value: number) => view.setInt16(at, value)],
    ['>i8', 8, (view: DataView, at: number, value: number) => view.setBigInt64(at, BigInt(value))],
  ] as const)('of big-endian %s becomes float32', (descr, width, set) => {
    const view = new DataView(new ArrayBuffer(3 * width))
    ;[1, -2, 300].forEach((value, i) => {
      set(view, i * width, value)
    })
    expect(decodeNpy(npy(dictionary(descr, '(3,)'), view)).values).toEqual(Float32Array.of(1, -2, 300))
  })

  it('in Fortran order is the same array in C order', () => {
    // element [i, j, k] is 100 i + 10 j + k
    const fortran = new Int16Array(24)
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++) for (let k = 0; k < 4; k++) fortran[i + 2 * j + 6 * k] = 100 * i + 10 * j + k
    const { values } = decodeNpy(npy(dictionary('<i2', '(2, 3, 4)', 'True'), fortran))
    let at = 0
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++) for (let k = 0; k < 4; k++) expect(values[at++]).toBe(100 * i + 10 * j + k)
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6)
    expect([...decodeNpy(npy(dictionary('|u1', '(2, 3)', 'True'), bytes)).values]).toEqual([1, 3, 5, 2, 4, 6])
  })

  it.each<[string, ArrayBufferView]>([
    ['<f4', Float32Array.of(1, -2, 3, 4, 5, 6)],
    ['<f8', Float64Array.of(1, -2, 3, 4, 5, 6)],
    ['|i1', Int8Array.of(1, -2, 3, 4, 5, 6)],
    ['<i2', Int16Array.of(1, -2, 3, 4, 5, 6)],
    ['<i4', Int32Array.of(1, -2, 3, 4, 5, 6)],
    ['<i8', BigInt64Array.of(1n, -2n, 3n, 4n, 5n, 6n)],
  ])('of type %s becomes float32', (descr, values) => {
    expect(decodeNpy(npy(dictionary(descr, '(3, 2)'), values))).toEqual({
      values: Float32Array.of(1, -2, 3, 4, 5, 6),
      shape: [3, 2],
    })
  })

  it.each<[string, ArrayBufferView]>([
    ['<u2', Uint16Array.of(1, 65535)],
    ['<u4', Uint32Array.of(1, 65535)],
    ['<u8', BigUint64Array.of(1n, 65535n)],
  ])('of type %s becomes float32', (descr, values) => {
    expect(decodeNpy(npy(dictionary(descr, '(2,)'), values))).toEqual({ values: Float32Array.of(1, 65535), shape: [2] })
  })

  it('of 8-bit values stays so, in versions 1 to 3 of the format', () => {
    for (const version of [1, 2, 3]) {
      const bytes = npy(dictionary('|u1', '(1, 2, 2)'), Uint8Array.of(0, 255, 1, 2), version)
      expect(decodeNpy(bytes)).toEqual({ values: Uint8Array.of(0, 255, 1, 2), shape: [1, 2, 2] })
    }
  })

  it('survives writing and reading', async () => {
    const path = join(dir, 'written.npy')
    for (const x of [
      { values: Float32Array.of(1.5, -2.25, 3e-38), shape: [3, 1] },
      { values: Float32Array.of(7, 8), shape: [2] },
      { values: Uint8Array.of(1, 2, 3, 4), shape: [1, 2, 2] },
    ]) {
      await writeNpy(path, x)
      expect(await readNpy(path)).toEqual(x)
      const [header] = encodeNpy(x)
      expect(header.length % 64).toBe(0)
    }
    expect(Buffer.from(encodeNpy({ values: Float32Array.of(7, 8), shape: [2] })[0]).toString('latin1')).toContain(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
    )
  })

  const good = npy(dictionary('<f4', '(1, 2)'), Float32Array.of(1, 2))
  it.each<[string, Uint8Array, RegExp]>([
    ['other magic bytes', Uint8Array.from(good, (b, i) => (i === 3 ? 0 : b)), /magic/],
    ['another version', Uint8Array.from(good, (b, i) => (i === 6 ? 9 : b)), /version 9\.0/],
    ['a header beyond the end', good.subarray(0, 60), /cut off/],
    [
      'missing values',
      good.subarray(0, good.length - 1),
      /has 7 bytes of values, but its shape \[1, 2\] of '<f4' asks for 8/,
    ],
    ['more values than the shape has', npy(dictionary('<f4', '(1, 2)'), Float32Array.of(1, 2, 3)), /has 12 bytes/],
    [
      'values of an order of bytes that is not theirs',
      npy(dictionary('|f4', '(1, 2)'), Float32Array.of(1, 2)),
      /type '\|f4'/,
    ],
    ['floats of 128 bits', npy(dictionary('<f16', '(1,)'), Float64Array.of(1, 2)), /type '<f16'/],
    ['complex values', npy(dictionary('<c8', '(1,)'), Float32Array.of(1, 2)), /type '<c8'/],
    ['objects', npy(dictionary('|O', '(1,)'), Float32Array.of(1)), /type '\|O'/],
    ['a negative dimension', npy(dictionary('<f4', '(-1, 2)'), Float32Array.of(1, 2)), /header/],
    ['a missing key', npy("{'descr': '<f4', 'shape': (1, 2), }", Float32Array.of(1, 2)), /must have descr/],
    [
      'a key too many',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'x': True}", Float32Array.of(1, 2)),
      /nothing else/,
    ],
    [
      'a key twice',
      npy("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}", Float32Array.of(1, 2)),
      /'descr' twice/,
    ],
    ['no dictionary', npy('import os', Float32Array.of(1, 2)), /header/],
  ])('is refused for %s', (_, bytes, message) => {
    expect(() => decodeNpy(bytes, 'x.npy')).toThrow(message)
    expect(() => decodeNpy(bytes, 'x.npy')).toThrow(/^x\.npy /)
    expect(() => decodeNpy(bytes, 'x.npy')).toThrow(DataError)
  })

  it('of one dimension is one column; columns are taken by number', async () => {
    const vector = file(npy(dictionary('<f4', '(2,)'), Float32Array.of(1, 2)), 'npy')
    expect((await readTable(vector)).tensor.shape).toEqual([2, 1])
    const matrix = file(npy(dictionary('<f4', '(2, 3)'), Float32Array.of(1, 2, 3, 4, 5, 6)), 'npy')
    expect((await readTable(matrix, [2, 0])).tensor).toEqual({ values: Float32Array.of(3, 1, 6, 4), shape: [2, 2] })
    await expect(readTable(matrix, ['a'])).rejects.toThrow("no column 'a'")
  })

  it('with NaN, infinity or no rows is refused by name, row and column', async () => {
    const nan = file(npy(dictionary('<f4', '(2, 2)'), Float32Array.of(1, 2, 3, NaN)), 'npy')
    await expect(readTable(nan)).rejects.toThrow(`${nan} holds NaN in row 1, column 1`)
    const large = file(npy(dictionary('<f8', '(1, 2)'), Float64Array.of(1e300, 2)), 'npy')
    await expect(readTable(large)).rejects.toThrow('holds Infinity in row 0, column 0')
    await expect(readTable(file(npy(dictionary('<f4', '(0, 2)'), new Float32Array(0)), 'npy'))).rejects.toThrow(
      'zero rows',
    )
  })
})

describe('a config of a file', () => {
  const table = Array.from({ length: 100 }, (_, i) => `${i},${i * i}`).join('\n')
  const path = file(`t,s\n${table}\n`)
  const load = (keys: object, seed = 1) =>
    loadData(resolveConfig({ data: { kind: 'csv', path: path.slice(dir.length + 1), ...keys } }).data, {
      seed,
      baseDir: dir,
    })

  it('is read from beside the config, split, and its scaler fitted to the training rows', async () => {
    const { train, validation, test, scaler, columns, density } = await load({ validation: 10, shuffle: false })
    expect([train.shape, validation?.shape, test?.shape]).toEqual([
      [80, 2],
      [10, 2],
      [10, 2],
    ])
    expect(Array.from(train.values.subarray(0, 4))).toEqual([0, 0, 1, 1])
    expect(validation?.values[0]).toBe(80)
    expect(test?.values[0]).toBe(90)
    expect(columns).toEqual(['t', 's'])
    expect(density).toBeNull()
    expect(scaler?.mean[0]).toBeCloseTo(39.5, 10)
    expect(scaler?.std[0]).toBeCloseTo(Math.sqrt((80 * 80 - 1) / 12), 10)
  })

  it('has no scaler where columns are not standardised, and no parts that are 0', async () => {
    const { scaler, validation, test } = await load({ standardise: false, test: 0 })
    expect([scaler, validation, test]).toEqual([null, null, null])
  })

  it('names a constant column', async () => {
    const constant = file('a,b\n1,5\n2,5\n3,5\n')
    const config = resolveConfig({ data: { kind: 'csv', path: constant, test: 0 } }).data
    await expect(loadData(config, { seed: 0, baseDir: dir })).rejects.toThrow(
      "column 1 ('b') is constant: each of the 3 training rows has 5.",
    )
    const unscaled = { ...config, standardise: false } as typeof config
    await expect(loadData(unscaled, { seed: 0, baseDir: dir })).resolves.toBeDefined()
  })

  it('is refused where more rows are asked for than there are', async () => {
    await expect(load({ train: 95, test: 10 })).rejects.toThrow('The data have 100 rows, too few')
  })
})

describe('what is said of data', () => {
  const said = async (text: string | Uint8Array, keys: object = {}, kind = 'csv'): Promise<string[]> => {
    const path = file(text, kind)
    const { remarks } = await loadData(resolveConfig({ data: { kind, path, test: 0, ...keys } }).data, {
      seed: 0,
      baseDir: dir,
    })
    return remarks.map((remark) => remark.replace(path, 'FILE'))
  }
  const rows = (row: (i: number) => readonly number[]): string =>
    `x,y,z\n${Array.from({ length: 400 }, (_, i) => row(i).join(',')).join('\n')}\n`
  const wild = (i: number): number => (Math.sin(i * 12.9898) * 43758.5453) % 1

  it('columns that are constant, discrete or made of others are named', async () => {
    expect(await said(rows((i) => [wild(i), wild(i + 1000), wild(i + 2000)]))).toEqual([])
    const constant = await said(
      rows((i) => [wild(i), 7, wild(i + 2000)]),
      { standardise: false },
    )
    expect(constant.join()).toMatch(/^column 1 \('y'\) is constant/)
    const discrete = await said(rows((i) => [wild(i), i % 3, i % 7]))
    expect(discrete.join()).toMatch(/^column 1 \('y'\) \(3 values\) and column 2 \('z'\) \(7 values\) are discrete/)
    const made = await said(rows((i) => [wild(i), wild(i + 1000), 3 * wild(i) - 2 * wild(i + 1000) + 5]))
    expect(made.join()).toMatch(/^column 2 \('z'\) is a linear combination of the columns before/)
    const numbered = await said(rows((i) => [1000 + i, wild(i + 1000), wild(i + 2000)]))
    expect(numbered.join()).toMatch(/^column 0 \('x'\) looks like the rows' numbers/)
    expect(await said(rows((i) => [1000 + 3 * i, wild(i + 1000), wild(i + 2000)]))).toEqual([])
    // nearly, but for one part in a hundred
    expect(await said(rows((i) => [wild(i), wild(i + 1000), wild(i) + 0.01 * wild(i + 2000)]))).toEqual([])
  })

  it('a table without a header is said to have none', async () => {
    expect((await said('2019,2020\n1,2\n3.5,4\n')).join()).toMatch(
      /^FILE has no header: its first line is taken as a row/,
    )
    expect(await said('2019,2020\n1,2\n3.5,4\n', { header: false })).toEqual([])
    expect(await said('2019,2020\n1,2\n3.5,4\n', { header: true })).toEqual([])
    const load = async (text: string): Promise<string> =>
      (
        await loadData(resolveConfig({ data: { kind: 'csv', path: file(text), test: 0 } }).data, {
          seed: 0,
          baseDir: dir,
        })
      ).description
    expect(await load('1,2\n3,4\n')).toContain('2 rows of 2 values, no header')
    expect(await load('a,b\n1,2\n3,4\n')).not.toContain('header')
  })

  it('pictures that are floats of pixels, channels last, or have no axis of channels get a hint', async () => {
    const array = (shape: number[], value: (i: number) => number): Uint8Array => {
      const size = shape.reduce((a, b) => a * b)
      return npy(
        dictionary('<f4', `(${shape.join(', ')})`),
        Float32Array.from({ length: size }, (_, i) => value(i)),
      )
    }
    expect(
      (
        await said(
          array([2, 1, 8, 8], (i) => i % 256),
          {},
          'npy',
        )
      ).join(),
    ).toMatch(/numbers from 0 to 127.*array\.astype\('uint8'\)/)
    expect(
      (
        await said(
          array([2, 1, 8, 8], (i) => i / 127),
          {},
          'npy',
        )
      ).join(),
    ).toMatch(/numbers from 0 to 1\..*2 \* array - 1/)
    expect(
      await said(
        array([2, 1, 8, 8], (i) => (i % 3) - 1),
        {},
        'npy',
      ),
    ).toEqual([])
    await expect(
      said(
        array([2, 8, 8, 3], () => 0),
        {},
        'npy',
      ),
    ).rejects.toThrow('channels last')
    expect(
      (
        await said(
          array([2, 8, 8], (i) => i),
          {},
          'npy',
        )
      ).join(),
    ).toContain('[n, 1, 8, 8]: array[:, None]')
  })
})
