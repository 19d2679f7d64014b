/**
 * Arrays and tables of numbers that are larger than memory: read block by block, once for how many there are (text), once for the scale
 * of the columns and for the rows that stay in memory, and once for a file of all training rows.
 */

import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { DataError, show } from '../errors.js'
import { type Columns, type CsvRest, readCsvBlocks, selectColumns } from './csv.js'
import { NOWHERE, placeRows, placesOf } from './large.js'
import { checkUnseen, headRows, isLarge, windowBytes } from './memory.js'
import { Moments } from './moments.js'
import { openNpyRows } from './npy.js'
import { narrowed } from './precision.js'
import { applyScaler } from './scaler.js'
import type { ConfigOf, Source } from './source.js'
import { partRows, shuffledRows } from './split.js'
import { hasRowNames } from './table-text.js'
import { columnName, type Tensor } from './tensor.js'
import { STANDARD_INPUT } from './text-file.js'

/** Rows of a file that can be read any number of times. */
interface RereadRows extends CsvRest {
  readonly rows: number
  readonly width: number
  /** [k, D] each, as exact as they are stored */
  blocks(): AsyncIterable<Tensor>
}

type NumbersConfig = ConfigOf<'csv' | 'npy'>

/** Rows that are read at a time. */
const BLOCK = 1 << 14

/** An array whose rows take more than `memory`; null where they do not, or it is none of rows of columns that lie one after another. */
export async function largeArray(
  path: string,
  { columns, rows }: ConfigOf<'npy'>,
  memory: number,
): Promise<RereadRows | null> {
  const { shape, inOrder, blocks } = await openNpyRows(path)
  const [n, d] = shape
  if (shape.length !== 2 || !inOrder || rows === 'pictures') return null
  const picked = selectColumns(path, d, null, columns ?? null)
  if (!isLarge(n, picked.length, memory)) return null
  return {
    ...{ rows: n, width: picked.length, columns: null, remarks: [] },
    async *blocks() {
      for await (const { values, shape } of blocks(BLOCK)) {
        const some = new Float64Array(shape[0] * picked.length)
        for (let i = 0; i < shape[0]; i++) {
          for (let j = 0; j < picked.length; j++) some[i * picked.length + j] = values[i * d + picked[j]]
        }
        yield { values: some, shape: [shape[0], picked.length] }
      }
    },
  }
}

/** A number in text has two characters at least, and takes twelve bytes: files of so many bytes a byte of memory need no look. */
const CHARACTERS = 1 / 6
/** Times that text may be packed. */
const PACKED = 8

/** A table of text whose rows take more than `memory`; null where they do not. */
export async function largeText(
  path: string,
  { columns: asked, header }: ConfigOf<'csv'>,
  memory: number,
): Promise<RereadRows | null> {
  if (path === STANDARD_INPUT) return null
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size * (extname(path).toLowerCase() === '.gz' ? PACKED : 1) <= memory * CHARACTERS) return null
  // whether a first column without a name holds names of rows would be known at the end alone
  let first: string | null = null
  const columns: Columns =
    asked ??
    ((names, width) => {
      // what has no name is called by its number by now
      if (!names || !hasRowNames([names[0] === 'column 0' ? '' : names[0], ...names.slice(1)])) {
        return selectColumns(path, width, names, null)
      }
      first = names[0]
      return selectColumns(path, width - 1, names.slice(1), null).map((column) => column + 1)
    })
  const reading = readCsvBlocks(path, columns, { header })
  let [rows, width] = [0, 0]
  let step = await reading.next()
  for (; !step.done; step = await reading.next()) {
    rows += step.value.shape[0]
    width = step.value.shape[1]
  }
  if (!isLarge(rows, width, memory)) return null
  const { remarks } = step.value
  return {
    ...step.value,
    rows,
    width,
    remarks: first === null ? remarks : [...remarks, rowNamesRemark(path, first)],
    blocks: () => readCsvBlocks(path, columns, { header }),
  }
}

const rowNamesRemark = (path: string, first: string): string =>
  `${path}'s first column (${show(first)}) is taken to name the rows, as pandas and R write it: it is left out. data.columns takes it.`

/** The data set of such rows. */
export async function loadLarge(
  { rows: n, width, columns, remarks, headed, blocks }: RereadRows,
  config: NumbersConfig,
  seed: number,
  memory: number,
): Promise<Source> {
  if (config.condition) {
    throw new DataError(
      `data.condition needs the rows of ${config.path} in memory, and they take more than data.memory (half of the machine's where nothing ` +
        'is said).',
    )
  }
  const split = partRows(n, config, { seed, shuffle: config.shuffle })
  const training = config.shuffle ? split.train : shuffledRows(split.train, seed)
  checkUnseen(split.validation.length + split.test.length, width, memory)
  const parts = [training.subarray(0, headRows(training.length, width, memory)), split.validation, split.test]
  const kept = parts.map((numbers) => ({ places: placesOf(numbers), values: new Float64Array(numbers.length * width) }))
  const learnt = placesOf(training)
  const moments = new Moments(width)
  const has = (places: Uint32Array, row: number): boolean => row < places.length && places[row] !== NOWHERE
  let first = 0
  for await (const { values, shape } of blocks()) {
    const bad = (values as Float64Array).findIndex((value) => !Number.isFinite(value))
    if (bad >= 0) {
      throw new DataError(
        `${config.path} holds ${values[bad]} in row ${first + Math.floor(bad / width)}, ${columnName(bad % width, columns)} (both from 0); ` +
          'every value must be finite.',
      )
    }
    for (let i = 0; i < shape[0]; i++) {
      const row = first + i
      if (has(learnt, row)) moments.add(values, i * width)
      for (const { places, values: own } of kept) {
        if (has(places, row)) own.set(values.subarray(i * width, (i + 1) * width), places[row] * width)
      }
    }
    first += shape[0]
  }
  const scaler = config.standardise ? moments.scaler(columns) : null
  async function* scaled(): AsyncGenerator<Float32Array> {
    for await (const block of blocks()) {
      yield scaler ? applyScaler(scaler, block).values : Float32Array.from(block.values)
    }
  }
  const [train, validation, test] = kept.map(({ values }) =>
    values.length > 0 ? narrowed({ values, shape: [values.length / width, width] }) : null,
  )
  return {
    ...{ train: train!, validation, test, scaler, columns },
    large: {
      rows: training.length,
      width,
      windowBytes: windowBytes(memory),
      store: (folder, options) => placeRows(folder, training, width, scaled(), windowBytes(memory), options),
    },
    density: null,
    description: `${config.path}, ${n} rows of ${width} values${headed === false ? ', no header' : ''}`,
    remarks,
  }
}
