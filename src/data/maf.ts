/**
 * The tables that density estimators are compared on, as the archive of masked autoregressive flows has them (Papamakarios, Pavlakou
 * and Murray 2017, https://zenodo.org/records/1161203) and prepared as they did: POWER, GAS, MINIBOONE and BSDS300. Their parts are
 * theirs too, and likelihoods are of the rows as prepared, as published ones are.
 */

import { DataError } from '../errors.js'
import { RandomState } from '../random/random-state.js'
import type { Matrix } from './tensor.js'

/** Rows as prepared, the parts one after another. */
export interface Prepared {
  readonly values: Float64Array
  readonly width: number
}

export interface MafSet {
  readonly title: string
  /** in the archive's folder */
  readonly file: string
  /** columns of its rows as prepared */
  readonly width: number
  /** columns that a file of it may have, and what they are */
  readonly raw: Readonly<Record<number, string>>
  readonly columns: readonly string[] | null
  /** from a file's rows to those of the parts; left out: there are only prepared parts */
  prepare?(matrix: Matrix): Prepared
}

export const mafSets = {
  power: {
    title: 'POWER',
    file: 'power/data.npy',
    width: 6,
    raw: { 8: 'active and reactive power, voltage, intensity, three meters and the time' },
    columns: ['active power', 'voltage', 'meter 1', 'meter 2', 'meter 3', 'time'],
    prepare: preparePower,
  },
  gas: {
    title: 'GAS',
    file: 'gas/ethylene_CO.npy',
    width: 8,
    raw: { 19: 'the time, two concentrations and 16 sensors', 16: 'the sensors alone' },
    columns: null,
    prepare: prepareGas,
  },
  miniboone: {
    title: 'MINIBOONE',
    file: 'miniboone/data.npy',
    width: 43,
    raw: { 43: 'as the archive has it', 50: "the experiment's own" },
    columns: null,
    prepare: prepareMiniboone,
  },
  bsds300: { title: 'BSDS300', file: 'BSDS300/BSDS300.hdf5', width: 63, raw: {}, columns: null },
} as const satisfies Record<string, MafSet>

export type MafName = keyof typeof mafSets
export const mafNames = Object.keys(mafSets) as [MafName, ...MafName[]]

/** Means and standard deviations of columns over the first rows. @param less what is taken from the number of rows: 1 of a sample's */
function moments({ values, width }: Prepared, rows: number, less: 0 | 1): { mean: Float64Array; spread: Float64Array } {
  const [mean, spread] = [new Float64Array(width), new Float64Array(width)]
  for (let i = 0; i < rows * width; i++) mean[i % width] += values[i]
  for (let d = 0; d < width; d++) mean[d] /= rows
  for (let i = 0; i < rows * width; i++) spread[i % width] += (values[i] - mean[i % width]) ** 2
  for (let d = 0; d < width; d++) spread[d] = Math.sqrt(spread[d] / (rows - less))
  return { mean, spread }
}

function standardise(rows: Prepared, count: number, less: 0 | 1): Prepared {
  const { values, width } = rows
  const { mean, spread } = moments(rows, count, less)
  const constant = spread.indexOf(0)
  if (constant >= 0) throw new DataError(`its column ${constant} as prepared has one value alone.`)
  for (let i = 0; i < values.length; i++) values[i] = (values[i] - mean[i % width]) / spread[i % width]
  return rows
}

/** Some columns, in their order. */
function columnsOf({ values, shape: [n, d] }: Matrix, kept: readonly number[]): Prepared {
  const width = kept.length
  const out = new Float64Array(n * width)
  for (let i = 0; i < n; i++) for (let k = 0; k < width; k++) out[i * width + k] = values[i * d + kept[k]]
  return { values: out, width }
}

/** The last tenth is for tests, the last tenth of the others for validation. */
export function partSizes(n: number): { train: number; validation: number; test: number } {
  const test = Math.floor(0.1 * n)
  const validation = Math.floor(0.1 * (n - test))
  return { train: n - test - validation, validation, test }
}

const beforeTest = (n: number): number => n - partSizes(n).test

/**
 * Rows in the order of RandomState(42), without reactive power and intensity, which voltage and active power give; noise within a
 * measured value's cell: .001 kW, .01 V, 1 Wh of each meter, none of the time.
 */
function preparePower(matrix: Matrix): Prepared {
  const [n] = matrix.shape
  const random = new RandomState(42)
  const order = random.permutation(n)
  const { values, width } = columnsOf(matrix, [0, 2, 4, 5, 6, 7])
  const out = new Float64Array(values.length)
  for (let i = 0; i < n; i++) out.set(values.subarray(order[i] * width, (order[i] + 1) * width), i * width)
  const addNoise = (columns: readonly number[], cell: number): void => {
    for (let i = 0; i < n; i++) for (const column of columns) out[i * width + column] += cell * random.uniform()
  }
  addNoise([1], 0.01)
  addNoise([0], 0.001)
  addNoise([2, 3, 4], 1)
  return standardise({ values: out, width }, beforeTest(n), 0)
}

/** Correlation from which on a column of GAS tells no more. */
const SAME = 0.98

/** The sensors, but those that correlate with a later one; standardised over all rows. */
function prepareGas(matrix: Matrix): Prepared {
  const [n, d] = matrix.shape
  const sensors = columnsOf(
    matrix,
    Array.from({ length: 16 }, (_, k) => d - 16 + k),
  )
  const kept = uncorrelated(sensors, n)
  const rows = columnsOf({ values: sensors.values, shape: [n, 16] }, kept)
  return standardise(rows, n, 1)
}

/** Columns that are left when, again and again, the first that another correlates with is dropped. */
function uncorrelated(rows: Prepared, n: number): number[] {
  const { values, width } = rows
  const { mean, spread } = moments(rows, n, 0)
  const products = new Float64Array(width * width)
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < width; a++) {
      const own = values[i * width + a] - mean[a]
      for (let b = a + 1; b < width; b++) products[a * width + b] += own * (values[i * width + b] - mean[b])
    }
  }
  const same = (a: number, b: number): boolean => products[a * width + b] / (n * spread[a] * spread[b]) > SAME
  // the first that another correlates with comes before that one: what is behind it decides
  return Array.from({ length: width }, (_, a) => a).filter(
    (a) => !Array.from({ length: width - a - 1 }, (_, k) => a + 1 + k).some((b) => same(a, b)),
  )
}

/** Events of the signal, which come first in the experiment's own file. */
const SIGNALS = 36_499
/** What it writes where there is no value is −999. */
const LEAST_FIRST = -100
/** Rows from which on a column's least value stands for none. */
const MOST_LEAST = 5

/** As the archive has it; of the experiment's own file the signal, without events that have no values and columns that often have none. */
function prepareMiniboone(matrix: Matrix): Prepared {
  const rows = matrix.shape[1] === 43 ? columnsOf(matrix, count(43)) : cleanedMiniboone(matrix)
  return standardise(rows, beforeTest(rows.values.length / rows.width), 0)
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

function cleanedMiniboone({ values, shape: [n, d] }: Matrix): Prepared {
  const whole: number[] = []
  for (let i = 0; i < Math.min(n, SIGNALS); i++) if (values[i * d] >= LEAST_FIRST) whole.push(i)
  const kept = count(d).filter((column) => {
    let [least, times] = [Infinity, 0]
    for (const row of whole) {
      const value = values[row * d + column]
      if (value < least) [least, times] = [value, 1]
      else if (value === least) times++
    }
    return times <= MOST_LEAST
  })
  const some = new Float64Array(whole.length * d)
  whole.forEach((row, i) => {
    some.set(values.subarray(row * d, (row + 1) * d), i * d)
  })
  return columnsOf({ values: some, shape: [whole.length, d] }, kept)
}
