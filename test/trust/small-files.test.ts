/**
 * Small files that once hung the process or took its memory, and such as came out as a stack: each is refused at once by an
 * error of the library that names the file. What takes long is run in a process of its own, with a limit on time and memory.
 */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeSafetensors } from '../../src/checkpoint/index.js'
import { parseConfig, resolveConfig } from '../../src/config/index.js'
import { readCsv } from '../../src/data/csv.js'
import { readIdxPictures } from '../../src/data/idx.js'
import { loadImageDensity } from '../../src/data/image-density.js'
import { readImageFolder } from '../../src/data/image-folder.js'
import { decodeNpy } from '../../src/data/npy.js'
import { readMixedTable } from '../../src/data/tables/read.js'
import { CheckpointError, ConfigError, DataError, LocalFlowError, printable, show } from '../../src/errors.js'
import { makeFolder } from '../../src/files/folders.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-small-'))
afterAll(() => rmSync(dir, { recursive: true }))
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

/** The error, which is of the library and fit for a terminal. */
async function refusal(attempt: () => unknown): Promise<LocalFlowError> {
  const error = await Promise.resolve()
    .then(attempt)
    .then(
      (value) => {
        throw new Error(`nothing was refused, but ${show(value)} given`)
      },
      (reason: unknown) => reason as LocalFlowError,
    )
  expect(error).toBeInstanceOf(LocalFlowError)
  expect(error.message.length).toBeLessThan(2000)
  expect(error.message).toBe(printable(error.message))
  return error
}

/** What is not linear takes hours with these files; a busy machine is only slow. */
const SOON = 40_000
const soon = async (attempt: () => unknown): Promise<LocalFlowError> => {
  const began = performance.now()
  const error = await refusal(attempt)
  expect(performance.now() - began).toBeLessThan(SOON)
  return error
}

const npy = (header: string): Uint8Array => {
  const bytes = new Uint8Array(10 + header.length)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8])
  bytes.set(new TextEncoder().encode(header), 10)
  return bytes
}

describe('an .npy header', () => {
  it.each([
    ['40 digits in a broken shape', `(${'1'.repeat(40)}x)`],
    ['many digits in a broken shape', `(${'1'.repeat(9000)}x)`],
    ['many numbers in a broken shape', `(${'1, '.repeat(2500)}x)`],
    ['spaces in a broken shape', `(${' '.repeat(9000)}x)`],
  ])('with %s is refused in no time', async (_, shape) => {
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`
    expect((await soon(() => decodeNpy(npy(text)))).message).toMatch(/no NumPy header/)
  })

  it('is at most as long as NumPy reads', async () => {
    expect((await soon(() => decodeNpy(npy(' '.repeat(20_000))))).message).toMatch(
      /a header of 20000 bytes; at most 10000/,
    )
  })

  it('still has what NumPy writes', () => {
    const of = (shape: string, values: number) => {
      const head = npy(`{'descr': '|u1', 'fortran_order': False, 'shape': ${shape}, }`)
      const whole = new Uint8Array(head.length + values)
      whole.set(head)
      return decodeNpy(whole).shape
    }
    expect(of('()', 1)).toEqual([])
    expect(of('(3,)', 3)).toEqual([3])
    expect(of('( 2 , 3 )', 6)).toEqual([2, 3])
    expect(of('(2, 3, )', 6)).toEqual([2, 3])
  })
})

describe('a .csv', () => {
  it('of 20 MB without a newline is no table', async () => {
    const path = file('line.csv', '1,'.repeat(10 << 20))
    expect((await soon(() => readCsv(path))).message).toMatch(/no table: a line of it has more than 16777216/)
  })

  it('with a field of 3 · 10⁶ digits that end in a letter is refused in no time', async () => {
    const path = file('digits.csv', `a,b\n1,2\n${'1'.repeat(3_000_000)}x,1\n`)
    expect((await soon(() => readCsv(path))).message).toMatch(
      /line 3: field 1 \('a'\) is '1{57}\.\.\.', which is no number/,
    )
  })

  it('with a very long second line is no table either', async () => {
    const path = file('second.csv', `a,b\n${'1'.repeat(20 << 20)}`)
    expect((await refusal(() => readCsv(path))).message).toMatch(/no table: a line of it has more than/)
  })

  it('with thousands of columns lists a few where one is not there', async () => {
    const path = file('wide.csv', `${Array.from({ length: 5000 }, (_, i) => `column${i}`).join(',')}\n`)
    expect((await soon(() => readCsv(path, ['none']))).message).toMatch(/and 4980 more\.$/)
  })

  it('whose quotation never ends is an error of the library, with and without a header', async () => {
    for (const text of ['"a,b\n1,2\n', 'a,b\n"1,2\n', '"\n', '"a"b,1\n']) {
      const path = file('quote.csv', text)
      await soon(() => readCsv(path))
    }
  })
})

describe('a config', () => {
  const parse = (text: string) => () => resolveConfig(parseConfig(text, { path: 'a.yaml' }), 'a.yaml')

  it.each([
    ['10⁵ opening brackets', '['.repeat(100_000), /more than 64 levels/],
    ['10⁵ nested lists', '- '.repeat(100_000), /more than 64 levels/],
    ['10⁵ nested keys', '? '.repeat(100_000), /more than 64 levels/],
    [
      '10⁵ unknown keys',
      Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join('\n'),
      /more than 1048576 c|more than 5000 keys/,
    ],
    ['4000 unknown keys', Array.from({ length: 4000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 20 problems/],
    ['a key of 10⁵ letters', `${'k'.repeat(100_000)}: 1`, /./],
    ['2 MB', `a: ${'x'.repeat(2 << 20)}`, /more than 1048576 characters/],
  ])('of %s is refused in no time', async (_, text, expected) => {
    const error = await soon(parse(text))
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toMatch(expected)
  })

  it('of aliases that unfold without end is refused', async () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [i, name] of [...'bcdefghi'].entries()) {
      const before = 'abcdefgh'[i]
      lines.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`)
    }
    await soon(parse(lines.join('\n')))
  })

  const data = 'data: { kind: toy, name: moons }\n'
  it.each([
    ['flow: { schedule: { kind: cosine, n: 1000000000 } }', 'flow.schedule.n must be a whole number from 1 to 1000'],
    ['ode: { sample: { steps: 1000000000 } }', 'ode.sample.steps must be a whole number from 1 to 100000'],
    ['ode: { evaluate: { probes: 1000000000 } }', 'ode.evaluate.probes must be a whole number from 1 to 10000'],
    ['train: { steps: 1000000000000 }', 'train.steps must be a whole number from 1 to 100000000'],
    ['model: { hidden: [1e9, 1e9] }', 'model.hidden[0] must be a whole number from 1 to 1000000'],
    ['model: { kind: unet, depth: 1e9 }', 'model.depth must be a whole number from 1 to 64'],
    ['model: { kind: unet, multipliers: [1, 1e9] }', 'model.multipliers[1] must be a whole number from 1 to 1024'],
  ])('%s asks for too much', async (text, expected) => {
    expect((await soon(parse(data + text))).message).toContain(expected)
  })
})

describe('a Parquet file', () => {
  const compressors = { GZIP: (bytes: Uint8Array) => gzipSync(bytes), BROTLI: (b: Uint8Array) => brotliCompressSync(b) }
  const words = (i: number): string | null => (i % 5 === 0 ? null : `word ${i % 11}`)
  const write = (rows: number, how: Partial<Parameters<typeof parquetWriteBuffer>[0]>, encodings: string[] = []) => {
    const all = Array.from({ length: rows }, (_, i) => i)
    const [whole, long, word] = encodings as never[]
    const columnData = [
      { name: 'whole', type: 'INT32' as const, data: all.map((i) => (i % 7 === 0 ? null : i)), encoding: whole },
      { name: 'long', type: 'INT64' as const, data: all.map(BigInt), encoding: long },
      { name: 'word', type: 'STRING' as const, data: all.map(words), encoding: word },
      { name: 'truth', type: 'BOOLEAN' as const, data: all.map((i) => i % 3 === 0) },
    ]
    return new Uint8Array(parquetWriteBuffer({ columnData, compressors, ...how }))
  }

  it.each([
    ['plain', { codec: 'UNCOMPRESSED' as const }, []],
    ['packed by Snappy', { codec: 'SNAPPY' as const }, []],
    ['packed by gzip', { codec: 'GZIP' as const, rowGroupSize: 300 }, []],
    ['packed by Brotli', { codec: 'BROTLI' as const }, []],
    ['of differences', {}, ['DELTA_BINARY_PACKED', 'DELTA_BINARY_PACKED', 'DELTA_BYTE_ARRAY']],
    ['of lengths and split bytes', {}, ['BYTE_STREAM_SPLIT', 'BYTE_STREAM_SPLIT', 'DELTA_LENGTH_BYTE_ARRAY']],
  ])('%s is read as it is', async (name, how, encodings) => {
    const path = file(`${name}.parquet`, write(1000, how, encodings))
    const { whole, long, word, truth } = Object.fromEntries(
      (await readMixedTable(path)).table.columns.map((column) => [
        column.name,
        'levels' in column
          ? Array.from(column.codes, (code) => column.levels[code] ?? null)
          : Array.from(column.values, (value) => (Number.isNaN(value) ? null : value)),
      ]),
    )
    const all = Array.from({ length: 1000 }, (_, i) => i)
    expect(whole).toEqual(all.map((i) => (i % 7 === 0 ? null : i)))
    expect(long).toEqual(all)
    expect(word).toEqual(all.map(words))
    expect(truth).toEqual(all.map((i) => String(i % 3 === 0)))
  })

  it('that claims more values than a file of its size is given is refused', async () => {
    const data = new Array(3_000_000).fill(1)
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'x', type: 'INT32', data }], rowGroupSize: 3_000_000 })
    expect(bytes.byteLength).toBeLessThan(10_000)
    const error = await soon(() => readMixedTable(file('claims.parquet', new Uint8Array(bytes))))
    expect(error.message).toMatch(/claims 3000000 values and more/)
  })
})

describe('a packed IDX file', () => {
  const zeros = (n: number) => new Uint8Array(n)

  it('of another type is not unpacked', async () => {
    const path = file(
      'type.gz',
      gzipSync(Buffer.concat([Buffer.from([0, 0, 0x0d, 1, 0x10, 0, 0, 0]), zeros(80 << 20)])),
    )
    const before = process.resourceUsage().maxRSS
    expect((await soon(() => readIdxPictures(path))).message).toMatch(/IDX type 0xd/)
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(64 << 10)
  })

  it('that asks for far more than a file of its size has is refused before that is there', async () => {
    const path = file('much.gz', gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 1, 0x70, 0, 0, 0]), zeros(80 << 20)])))
    expect((await soon(() => readIdxPictures(path))).message).toMatch(
      /asks for 1879048192 bytes unpacked, which is more than/,
    )
  })

  it('that goes on behind its values is refused as soon as it does', async () => {
    const path = file('more.gz', gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0, 40]), zeros(80 << 20)])))
    expect((await soon(() => readIdxPictures(path))).message).toMatch(/unpacks to more bytes of values than/)
  })

  it('cut off is refused, and a right one is read', async () => {
    const whole = gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]), zeros(24)]))
    expect((await readIdxPictures(file('right.gz', whole))).tensor.shape).toEqual([2, 1, 3, 4])
    expect((await soon(() => readIdxPictures(file('cut.gz', whole.subarray(0, 20))))).message).toMatch(
      /cannot be unpacked/,
    )
  })
})

describe('a picture', () => {
  let large: Buffer

  beforeAll(async () => {
    large = await sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: '#fff' } })
      .png({ compressionLevel: 9 })
      .toBuffer()
  })

  it('of 16 000 × 16 000 in less than a megabyte is not decoded', async () => {
    expect(large.length).toBeLessThan(1 << 20)
    mkdirSync(join(dir, 'large'))
    const path = file('large/a.png', large)
    const before = process.resourceUsage().maxRSS
    expect((await soon(() => loadImageDensity(path))).message).toMatch(/16000×16000 pixels in a file of .* more than/)
    expect((await soon(() => readImageFolder(join(dir, 'large')))).message).toMatch(
      /a\.png cannot be read as a picture/,
    )
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(64 << 10)
  })

  it('that is decoded as a whole is given less than one that comes line by line', async () => {
    const blank = sharp({ create: { width: 2000, height: 2000, channels: 3, background: '#fff' } })
    const webp = file('large.webp', await blank.clone().webp({ lossless: true }).toBuffer())
    expect((await soon(() => loadImageDensity(webp))).message).toMatch(/2000×2000 pixels .* As PNG it is given more/)
    mkdirSync(join(dir, 'blank'))
    file('blank/a.png', await blank.png().toBuffer())
    expect((await readImageFolder(join(dir, 'blank'))).tensor.shape).toEqual([1, 3, 2000, 2000])
  })

  it('of no bytes is named', async () => {
    mkdirSync(join(dir, 'empty'))
    const path = file('empty/a.png', '')
    expect((await soon(() => loadImageDensity(path))).message).toBe(
      `${path} cannot be read as a picture (it is empty).`,
    )
    expect((await soon(() => readImageFolder(join(dir, 'empty')))).message).toContain(
      `${path} cannot be read as a picture`,
    )
  })

  it('that is a drawing with links to other files is none', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>'
    expect((await soon(() => loadImageDensity(file('a.svg', svg)))).message).toMatch(/it is svg, and not one of png/)
  })

  it('in a class folder that is a symbolic link is one of that class', async () => {
    const [real, set] = [join(dir, 'real'), join(dir, 'set')]
    mkdirSync(real)
    mkdirSync(join(set, 'first'), { recursive: true })
    const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#f00' } })
      .png()
      .toBuffer()
    file('real/a.png', png)
    file('set/first/b.png', png)
    symlinkSync(real, join(set, 'second'))
    symlinkSync(join(dir, 'nowhere'), join(set, 'third'))
    const { tensor, labels } = await readImageFolder(set)
    expect(tensor.shape).toEqual([2, 3, 2, 2])
    expect([...labels!]).toEqual([0, 1])
  })
})

describe('what is no file that ends', () => {
  it.skipIf(process.platform === 'win32')('is refused as data', async () => {
    symlinkSync('/dev/zero', join(dir, 'zero.csv'))
    symlinkSync('/dev/zero', join(dir, 'zero.gz'))
    for (const attempt of [
      () => readCsv(join(dir, 'zero.csv')),
      () => readIdxPictures(join(dir, 'zero.gz')),
      () => loadImageDensity(join(dir, 'zero.gz')),
    ]) {
      const error = await soon(attempt)
      expect(error).toBeInstanceOf(DataError)
      expect(error.message).toMatch(/it is no regular file/)
    }
  })
})

describe('a safetensors header', () => {
  const withHeader = (json: string): Uint8Array => {
    const text = new TextEncoder().encode(json)
    const bytes = new Uint8Array(8 + text.length)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
    bytes.set(text, 8)
    return bytes
  }

  it('with a name of 40 MB is refused without a stack', async () => {
    const json = `{"${'n'.repeat(40_000_000)}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`
    const error = await refusal(() => decodeSafetensors(withHeader(json)))
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error.message).toMatch(/a tensor whose name has 40000000 characters/)
  })

  it('finds a name that is there twice, behind quotation marks and backslashes too', async () => {
    const entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    for (const [first, second] of [
      ['a', 'a'],
      ['a\\"b', 'a\\"b'],
      ['a\\\\', 'a\\\\'],
      ['\\u0061', 'a'],
    ]) {
      const json = `{"${first}":${entry},"${second}":${entry}}`
      expect((await soon(() => decodeSafetensors(withHeader(json)))).message).toMatch(/is there twice/)
    }
    decodeSafetensors(withHeader(`{"a\\\\":${entry},"a\\\\\\"":${entry}}`))
  })
})

describe('a folder that cannot be made', () => {
  it.skipIf(process.platform !== 'linux')('is an error at once, where Node tries for ever', () => {
    expect(() => makeFolder('/proc/none/of/these')).toThrow(/ENOENT|EACCES|EPERM|EROFS/)
    expect(() => makeFolder(join(file('plain', ''), 'below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
    makeFolder(join(dir, 'a/b/c'))
    makeFolder(join(dir, 'a/b/c'))
  })
})
