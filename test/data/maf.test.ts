/**
 * The sets of the archive of masked autoregressive flows, on made files of their shapes: what comes out is what NumPy computed of the
 * same numbers by the published preparation.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveData } from '../../src/config/index.js'
import { loadData } from '../../src/data/load.js'
import type { MafName } from '../../src/data/maf.js'
import { encodeNpy } from '../../src/data/npy.js'
import { DataError } from '../../src/errors.js'
import { RandomState } from '../../src/random/random-state.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-maf-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const number = (i: number, j: number): number => ((i * (5 * j + 41)) % 97) + j / 4

const bytesOf = (values: Float64Array, shape: number[]): Buffer => Buffer.concat(encodeNpy({ values, shape }))

function file(name: string, n: number, d: number, of = number): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  const values = Float64Array.from({ length: n * d }, (_, i) => of(Math.floor(i / d), i % d))
  writeFileSync(path, bytesOf(values, [n, d]))
  return path
}

beforeAll(() => {
  file('archive/power/data.npy', 30, 8)
  file('miniboone/data.npy', 20, 43)
})

const load = (name: MafName, path: string, more = {}) =>
  loadData(resolveData({ data: { kind: 'maf', name, path, ...more } }), { seed: 1, baseDir: folder })

const refusal = async (name: MafName, path: string, more = {}): Promise<string> => {
  const error = await load(name, path, more).then(
    () => null,
    (error) => error,
  )
  expect(error).toBeInstanceOf(DataError)
  return error.message
}

const close = (values: ArrayLike<number>, expected: readonly number[]): void =>
  expected.forEach((value, i) => {
    expect(values[i]).toBeCloseTo(value, 6)
  })

describe('RandomState', () => {
  it('draws the numbers and the order of NumPy’s', () => {
    const random = new RandomState(42)
    close(
      Array.from({ length: 5 }, () => random.uniform()),
      [0.37454012, 0.95071431, 0.73199394, 0.59865848, 0.15601864],
    )
    expect([...new RandomState(42).permutation(10)]).toEqual([8, 1, 5, 0, 7, 2, 9, 4, 3, 6])
    // beyond the first 624 words
    const late = new RandomState(42)
    for (let i = 0; i < 999; i++) late.uniform()
    expect(late.uniform()).toBeCloseTo(0.44600577295795574, 15)
  })
})

describe('POWER', () => {
  it('is shuffled, loses two columns, gets noise within its cells, and is standardised over what is not for tests', async () => {
    const { train, validation, test, scaler, columns } = await load('power', 'archive')
    expect([train.shape, validation?.shape, test?.shape]).toEqual([
      [25, 6],
      [2, 6],
      [3, 6],
    ])
    close(train.values, [-0.291634961, -0.91086564, 1.912396592, -0.316734602, 0.969731504, -1.059339667])
    close(test!.values.subarray(12), [0.141822042, -1.057151171, 1.155048637, -1.303488449, -0.283312126, 0.871762325])
    // likelihoods are those of these rows
    expect(scaler).toBeNull()
    expect(columns).toHaveLength(6)
  })

  it('gives the beginning of each part where fewer rows are asked for', async () => {
    const { train, validation, test } = await load('power', 'archive', { train: 10, validation: 0, test: 0.4 })
    close(train.values, [-0.291634961, -0.91086564])
    expect([train.shape, validation, test?.shape]).toEqual([[10, 6], null, [1, 6]])
    expect(await refusal('power', 'archive', { train: 26 })).toContain('data.train asks for 26 rows')
  })

  it('does not depend on the order in which an array is stored', async () => {
    const path = join(folder, 'fortran.npy')
    const values = Float64Array.from({ length: 240 }, (_, i) => number(i % 30, Math.floor(i / 30)))
    const bytes = bytesOf(values, [30, 8])
    bytes.write(
      bytes.toString('latin1').slice(0, 128).replace("'fortran_order': False", "'fortran_order': True "),
      'latin1',
    )
    writeFileSync(path, bytes)
    close((await load('power', path)).train.values, [-0.291634961, -0.91086564, 1.912396592, -0.316734602])
  })
})

describe('GAS', () => {
  const sensor = (i: number, j: number): number => number(i, j % 8) + (j < 8 ? 0 : 0.01 * ((i * 7 + j) % 5))

  it('loses the time, the concentrations, and sensors that correlate with a later one', async () => {
    const path = file('gas.npy', 40, 19, (i, j) => (j < 3 ? i + j : sensor(i, j - 3)))
    const { train, validation, test } = await load('gas', path)
    expect([train.shape, validation?.shape, test?.shape]).toEqual([
      [33, 8],
      [3, 8],
      [4, 8],
    ])
    const first = [-1.671876172, -1.609884841, -1.706339824, -1.642446625, -1.654978582, -1.60329781, -1.694472829]
    close(train.values, first)
    close(test!.values.subarray(24), [-0.02661554, 0.076443609, 0.009096747, 0.112044773, 0.127817152])
    // the sensors alone
    close((await load('gas', file('sensors.npy', 40, 16, sensor))).train.values, first)
  })

  it('is refused where other columns are left, and as a pickle with the command that turns it', async () => {
    const path = file('unlike.npy', 40, 16)
    expect(await refusal('gas', path)).toMatch(/is not GAS: 16 columns are left of it as prepared, but it has 8/)
    mkdirSync(join(folder, 'pickled/gas'), { recursive: true })
    writeFileSync(join(folder, 'pickled/gas/ethylene_CO.pickle'), 'x')
    expect(await refusal('gas', 'pickled')).toContain('pandas.read_pickle')
    expect(await refusal('gas', 'pickled/gas/ethylene_CO.pickle')).toContain('pandas.read_pickle')
  })
})

describe('MINIBOONE', () => {
  const first = [-1.628325933, -1.610063816, -1.59192469, -1.573903868]

  it('is standardised as it is in the archive', async () => {
    const { train, test } = await load('miniboone', 'miniboone')
    expect(train.shape).toEqual([17, 43])
    close(train.values, first)
    close(test!.values.subarray(43), [-1.523772306, -1.57514677, 1.766861469, 1.721944331])
  })

  it('of the experiment’s own file is the signal, without events of no values and columns that often have none', async () => {
    // rows 3 and 9 have no values, columns 43 to 49 none in six of the others
    const gone = (i: number): number => i - (i > 3 ? 1 : 0) - (i > 9 ? 1 : 0)
    const raw = file('raw.npy', 22, 50, (i, j) => {
      if (i === 3 || i === 9) return -999
      return j >= 43 && i % 3 === 1 ? -999 : number(gone(i), j)
    })
    const { train } = await load('miniboone', raw)
    expect(train.shape).toEqual([17, 43])
    close(train.values, first)
  })
})

describe('BSDS300, and prepared parts', () => {
  let hdf5: string
  beforeAll(async () => {
    const h5 = await import('h5wasm/node')
    await h5.ready
    mkdirSync(join(folder, 'archive/BSDS300'), { recursive: true })
    hdf5 = join(folder, 'archive/BSDS300/BSDS300.hdf5')
    const parts = new h5.File(hdf5, 'w')
    for (const [name, n, dtype] of [
      ['train', 20_000, '<f'],
      ['validation', 5, '<f'],
      ['test', 7, '<d'],
    ] as const) {
      const values = Float64Array.from({ length: n * 63 }, (_, i) => number(Math.floor(i / 63) % 100, i % 63))
      parts.create_dataset({ name, data: dtype === '<d' ? values : Float32Array.from(values), shape: [n, 63], dtype })
    }
    parts.close()
    const other = new h5.File(join(folder, 'other.hdf5'), 'w')
    other.create_dataset({ name: 'train', data: new Float32Array(6), shape: [1, 6], dtype: '<f' })
    other.create_group('test')
    other.close()
  })

  it('are taken as they are', async () => {
    const { train, validation, test } = await load('bsds300', 'archive')
    expect([train.shape, validation?.shape, test?.shape]).toEqual([
      [20_000, 63],
      [5, 63],
      [7, 63],
    ])
    // of the second block of rows
    close(train.values.subarray(19_999 * 63), [number(99, 0), number(99, 1)])
    close(test!.values.subarray(6 * 63), [number(6, 0), number(6, 1)])
    // three arrays of rows that somebody else prepared
    for (const [name, n] of Object.entries({ train: 6, val: 2, test: 3 })) file(`prepared/gas/${name}.npy`, n, 8)
    const gas = await load('gas', 'prepared')
    close(gas.validation!.values.subarray(8), [number(1, 0), number(1, 1)])
    expect(gas.test?.shape).toEqual([3, 8])
  })

  it('are refused where the file is cut off, is none, or lacks a part', async () => {
    const cut = join(folder, 'cut.hdf5')
    writeFileSync(cut, readFileSync(hdf5))
    truncateSync(cut, 100_000)
    expect(await refusal('bsds300', cut)).toMatch(/cut\.hdf5 cannot be read as HDF5: truncated file/)
    writeFileSync(cut, 'no HDF5')
    expect(await refusal('bsds300', cut)).toContain('file signature not found')
    expect(await refusal('bsds300', 'other.hdf5')).toContain("has no 'validation'; it holds 'test', 'train'")
    expect(await refusal('power', hdf5)).toMatch(
      /is not POWER: it has 63 columns, where POWER has 6 columns \(rows as prepared\)/,
    )
  })
})

describe('what is refused of any', () => {
  it.each([
    ['power', 'nowhere', /nowhere is not there\. data\.path must be the folder data of the archive/],
    ['miniboone', 'archive', /archive does not hold MINIBOONE: miniboone\/data\.npy \(or data\.npy\) of the archive/],
    [
      'power',
      'miniboone/data.npy',
      /is not POWER: it has 43 columns, where POWER has 8 columns .*; it may be MINIBOONE/,
    ],
    ['bsds300', 'miniboone/data.npy', /BSDS300 is an HDF5 file/],
  ] as const)('%s at %s', async (name, path, message) => {
    expect(await refusal(name, path)).toMatch(message)
  })

  it('rows that are too few, values that are no numbers, a column of one value', async () => {
    expect(await refusal('power', file('few.npy', 9, 8))).toContain('has 9 rows, too few for the parts of POWER')
    const bad = file('bad.npy', 30, 8, (i, j) => (i === 4 && j === 2 ? Number.NaN : number(i, j)))
    expect(await refusal('power', bad)).toContain('has NaN in row 4, column 2')
    const constant = file('constant.npy', 30, 8, (i, j) => (j === 7 ? 1 : number(i, j)))
    expect(await refusal('power', constant)).toContain('its column 5 as prepared has one value alone')
  })
})
