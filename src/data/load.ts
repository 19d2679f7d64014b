/**
 * From the `data` section of a config to train, validation and test parts: a table of readers, one a kind. Samplers
 * (pictures and toy sets) draw each part afresh from its own stream; files are split.
 */

import { extname, resolve } from 'node:path'
import { DataError } from '../errors.js'
import { streams } from '../random/stream.js'
import { columnRemarks } from './column-remarks.js'
import { type Columns, type CsvOptions, readCsv, selectColumns, type Table } from './csv.js'
import { isDensity, type Sampler } from './density.js'
import { gaussian } from './gaussian.js'
import { loadImageDensity } from './image-density.js'
import { largeArray, largeText, loadLarge } from './load-large.js'
import { loadMaf } from './load-maf.js'
import { loadCifar10, loadIdx, loadImageFolder, loadPictures } from './load-pictures.js'
import { memoryFor, needsAll } from './memory.js'
import { readNpy } from './npy.js'
import { narrowed, scaleRemarks } from './precision.js'
import { scalerOf } from './scaler.js'
import type { DataConfig } from './schema.js'
import type { ConfigOf, LoadedData, Source } from './source.js'
import { isSpace, space, spaceSets } from './spaces.js'
import { split } from './split.js'
import { loadMixedTable } from './tables/load.js'
import { checkTensor, columnName, rowLength, type Tensor } from './tensor.js'
import { toy, toySets } from './toy.js'

/** An array as rows: one of one dimension is one column; columns of a matrix are selected by number. */
function tableOf(path: string, read: Tensor, columns: Columns | null): Table {
  if (read.shape.length === 0) throw new DataError(`${path} holds a single number, not rows.`)
  const tensor: Tensor = read.shape.length === 1 ? { values: read.values, shape: [read.shape[0], 1] } : read
  checkTensor(path, tensor)
  const [n, d] = tensor.shape
  if (!columns || (typeof columns === 'function' && tensor.shape.length !== 2)) {
    return { tensor, columns: null, remarks: [] }
  }
  if (tensor.shape.length !== 2) {
    throw new DataError(`${path} has rows of shape [${tensor.shape.slice(1).join(', ')}]; only a matrix has columns.`)
  }
  const picked = selectColumns(path, d, null, columns)
  const values = Float64Array.from({ length: n * picked.length }, (_, i) => {
    const row = Math.floor(i / picked.length)
    return tensor.values[row * d + picked[i % picked.length]]
  })
  return { tensor: narrowed({ values, shape: [n, picked.length] }), columns: null, remarks: [] }
}

/**
 * Reads a file of rows: an array where its name ends in .npy, else a table of text, whatever its extension (.csv, .tsv, .data,
 * .csv.gz); `-` is a table on standard input.
 *
 * @param columns which columns to take, by name or number from 0; default all
 * @throws DataError as readCsv and readNpy do
 */
export async function readTable(
  path: string,
  columns: Columns | null = null,
  options: CsvOptions = {},
): Promise<Table> {
  return extname(path).toLowerCase() === '.npy'
    ? tableOf(path, await readNpy(path), columns)
    : readCsv(path, columns, options)
}

function drawParts(
  sampler: Sampler,
  config: ConfigOf<'image-density' | 'toy'>,
  seed: number,
): Pick<Source, 'train' | 'validation' | 'test' | 'density'> {
  const part = (name: 'train' | 'validation' | 'test'): Tensor => {
    const n = config[name]
    return { values: sampler.sample(n, seed, streams[name]), shape: [n, sampler.dimension] }
  }
  return {
    train: part('train'),
    validation: config.validation ? part('validation') : null,
    test: config.test ? part('test') : null,
    density: isDensity(sampler) ? sampler : null,
  }
}

async function splitTable(
  read: (path: string, columns: Columns | null) => Promise<Table>,
  config: ConfigOf<'csv' | 'npy'>,
  seed: number,
  baseDir: string,
): Promise<Source> {
  const path = resolve(baseDir, config.path)
  const told = config.condition ? await apart(read, path, config.columns ?? null, config.condition) : null
  const { tensor, columns, remarks, headed } = told?.rows ?? (await read(path, config.columns ?? null))
  const rows = `${tensor.shape[0]} rows of ${rowLength(tensor.shape)} values${headed === false ? ', no header' : ''}`
  const order = { seed, shuffle: config.shuffle }
  return {
    ...split(tensor, config, order),
    condition: told && { ...split(told.condition.tensor, config, order), names: told.condition.columns },
    density: null,
    columns,
    description: `${config.path}, ${rows}`,
    remarks:
      headed === false && !('header' in config && config.header === false)
        ? [unheaded(config.path), ...remarks]
        : remarks,
  }
}

const unheaded = (path: string): string =>
  `${path} has no header: its first line is taken as a row, since all of its fields are numbers. If they are names, say ` +
  'data.header: true; false leaves this line out.'
/** The rows of a table, and the columns of it that a model is told, read apart. */
async function apart(
  read: (path: string, columns: Columns | null) => Promise<Table>,
  path: string,
  columns: Columns | null,
  condition: readonly (string | number)[],
): Promise<{ rows: Table; condition: Table }> {
  const others: Columns = (header, width) => {
    const told = selectColumns(path, width, header, condition)
    const made = columns ? selectColumns(path, width, header, columns) : allBut(told, width)
    const both = made.find((column) => told.includes(column))
    if (both !== undefined) {
      throw new DataError(
        `data.condition and data.columns both name ${columnName(both, header)} of ${path}: a column is either told or made.`,
        'data.condition and data.columns both name the same column.',
      )
    }
    if (made.length === 0)
      throw new DataError(`data.condition names all ${width} columns of ${path}: none is left to make.`)
    return made
  }
  return { rows: await read(path, others), condition: await read(path, condition) }
}

const allBut = (some: readonly number[], width: number): number[] =>
  Array.from({ length: width }, (_, column) => column).filter((column) => !some.includes(column))

/** Throws DataError for pictures whose channels come last, as most Python libraries have them. */
function refuseChannelsLast(path: string, [, C, H, W]: readonly number[]): void {
  if (C === 1 || C === 3 || (W !== 1 && W !== 3)) return
  throw new DataError(
    `${path} holds [n, ${C}, ${H}, ${W}], which looks like pictures with their channels last; they must be [n, C, H, W]: in ` +
      'NumPy array.transpose(0, 3, 1, 2). data.rows: points learns the numbers as they stand.',
  )
}

/** Rows that look like grey pictures without an axis of channels. */
const greyRemark = (path: string, [, H, W, ...more]: readonly number[]): string[] =>
  more.length === 0 && W !== undefined && H === W && H >= 8
    ? [
        `${path} is learnt as rows of ${H}×${W} numbers. Were they pictures, they would be [n, 1, ${H}, ${W}]: array[:, None].`,
      ]
    : []

/** The data set of rows that take more memory than they may; null where they do not. */
async function larger(
  config: ConfigOf<'csv' | 'npy'>,
  seed: number,
  large: boolean,
  open: (memory: number) => ReturnType<typeof largeArray>,
): Promise<Source | null> {
  if (!large && config.memory === undefined) return null
  const memory = memoryFor(config.memory)
  const rows = await open(memory)
  if (rows && !large) throw needsAll(config.path)
  return rows && loadLarge(rows, config, seed, memory)
}

const planeColumns = ['x', 'y']

const sources: {
  readonly [K in DataConfig['kind']]: (
    config: ConfigOf<K>,
    seed: number,
    baseDir: string,
    large: boolean,
  ) => Promise<Source>
} = {
  async 'image-density'(config, seed, baseDir) {
    const density = await loadImageDensity(resolve(baseDir, config.path))
    const description = `points of the picture ${config.path}, ${density.width}×${density.height} pixels`
    return { ...drawParts(density, config, seed), columns: planeColumns, description }
  },
  async toy(config, seed) {
    if (isSpace(config.name)) {
      const set = space(config.name, config)
      const description = `toy set ${config.name} in ${set.dimension} dimensions: ${spaceSets[config.name].description}`
      return { ...drawParts(set, config, seed), columns: null, description }
    }
    if (config.name !== 'gaussian') {
      const description = `toy set ${config.name}: ${toySets[config.name].description}`
      return { ...drawParts(toy(config.name, config), config, seed), columns: planeColumns, description }
    }
    const sampler = gaussian(config.mean ?? [], config.covariance ?? [])
    const description = `gaussian in ${sampler.dimension} dimensions`
    return { ...drawParts(sampler, config, seed), columns: null, description }
  },
  async csv(config, seed, baseDir, large) {
    const found = await larger(config, seed, large, (memory) =>
      largeText(resolve(baseDir, config.path), config, memory),
    )
    const read = (path: string, columns: Columns | null) => readCsv(path, columns, { header: config.header })
    return found ?? splitTable(read, config, seed, baseDir)
  },
  async npy(config, seed, baseDir, large) {
    const { labels, size, flips, limit } = config
    const path = resolve(baseDir, config.path)
    const found = await larger(config, seed, large, (memory) => largeArray(path, config, memory))
    if (found) return found
    const read = await readNpy(path)
    const { shape } = read
    if (shape.length === 4 && config.rows !== 'points') {
      checkTensor(path, read)
      if (!config.rows) refuseChannelsLast(path, shape)
      if (config.columns)
        throw new DataError(`${path} holds pictures, [${shape.join(', ')}]; only a matrix has columns.`)
      return loadPictures(read, config, seed, baseDir)
    }
    if (config.rows === 'pictures') {
      throw new DataError(
        `data.rows: pictures needs an array [n, C, H, W], but ${path} has the shape [${shape.join(', ')}].`,
      )
    }
    const given = Object.entries({ labels, size, flips: flips || undefined, limit }).find(([, value]) => value)
    if (given) {
      throw new DataError(
        `data.${given[0]} is for pictures, [n, C, H, W], but ${path} has the shape [${shape.join(', ')}].`,
      )
    }
    const source = await splitTable(async (_, columns) => tableOf(path, read, columns), config, seed, baseDir)
    return { ...source, remarks: [...(source.remarks ?? []), ...greyRemark(config.path, shape)] }
  },
  table: loadMixedTable,
  images: loadImageFolder,
  idx: loadIdx,
  cifar10: loadCifar10,
  maf: loadMaf,
}

/**
 * Reads or draws a data set and its parts, in the units of the data.
 *
 * @param config the `data` section of a resolved config
 * @param seed of the draws and of the order of rows
 * @param baseDir the folder that paths in the config are relative to (that of the config file)
 * @param large whether training rows may be more than memory holds (source.ts: LoadedData.large). Default false: all are read
 * @throws DataError for everything that is wrong with a file or with the sizes of the parts
 */
export async function loadData(
  config: DataConfig,
  { seed, baseDir, large = false }: { seed: number; baseDir: string; large?: boolean },
): Promise<LoadedData> {
  const source = await sources[config.kind](config as never, seed, baseDir, large)
  // Only rows of columns have a scale of their own for each; pictures and sequences are left as they are.
  const scaled = 'standardise' in config && config.standardise && source.train.shape.length === 2
  try {
    const ofFile = config.kind === 'csv' || config.kind === 'npy'
    const remarks = [
      ...(source.remarks ?? []),
      ...(ofFile ? columnRemarks(source.train, source.columns) : []),
      ...(source.rowKind === 'pictures' || source.table ? [] : scaleRemarks(source.train, scaled, source.columns)),
    ]
    return {
      labels: null,
      condition: null,
      flips: false,
      rowKind: 'points',
      ...source,
      remarks,
      scaler: source.scaler === undefined ? scalerOf(source.train, scaled, source.columns) : source.scaler,
    }
  } catch (error) {
    throw error instanceof DataError
      ? new DataError(`${source.description}: ${error.message}`, `${source.description}: its columns cannot be scaled.`)
      : error
  }
}
