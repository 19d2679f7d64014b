/** The sets of the archive of masked autoregressive flows (maf.ts) from their files, or from prepared parts of them. */

import { stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { DataError, extents } from '../errors.js'
import { readHdf5 } from './hdf5.js'
import { type MafName, type MafSet, mafSets, type Prepared, partSizes } from './maf.js'
import { openNpyRows, readNpy } from './npy.js'
import type { ConfigOf, Source } from './source.js'
import { partCount } from './split.js'
import type { Matrix, Tensor } from './tensor.js'

type PartName = 'train' | 'validation' | 'test'
const partNames = ['train', 'validation', 'test'] as const

/** What is there of a set: its file, or three of prepared parts. */
type Found = { readonly file: string } | { readonly parts: Readonly<Record<PartName, string>> }

/** A set as it was prepared. */
export async function loadMaf(config: ConfigOf<'maf'>, _seed: number, baseDir: string): Promise<Source> {
  const set: MafSet = mafSets[config.name]
  const found = await find(set, config.name, resolve(baseDir, config.path))
  const parts = 'parts' in found ? await readParts(set, found.parts) : await readFile(set, found.file)
  const sized = (name: PartName): Tensor | null => {
    const { values, width } = parts[name]
    const n = values.length / width
    const wanted = config[name] === undefined ? n : partCount(`data.${name}`, config[name], n)
    if (wanted > n) {
      throw new DataError(`data.${name} asks for ${wanted} rows, but that part of ${set.title} has ${n}.`)
    }
    return wanted === 0
      ? null
      : { values: Float32Array.from(values.subarray(0, wanted * width)), shape: [wanted, width] }
  }
  const [train, validation, test] = partNames.map(sized)
  const rows = partNames.map((name) => parts[name].values.length / set.width)
  return {
    train: train!,
    validation,
    test,
    density: null,
    columns: set.columns && [...set.columns],
    description: `${set.title}, ${rows.join(' + ')} rows of ${set.width} values`,
  }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (at) => at.isFile(),
    () => false,
  )

/** Where a set is: a file, or a folder that has it, or the archive's folder. Throws DataError where it is in none. */
async function find(set: MafSet, name: MafName, path: string): Promise<Found> {
  const folder = await stat(path).then(
    (at) => at.isDirectory(),
    () => null,
  )
  if (folder === false) return { file: path }
  if (folder) {
    for (const file of [join(path, set.file), join(path, basename(set.file))]) {
      if (await isFile(file)) return { file }
    }
    for (const within of [path, join(path, name)]) {
      const parts = await partsIn(within)
      if (parts) return { parts }
    }
  }
  const pickle = ['gas/ethylene_CO.pickle', 'ethylene_CO.pickle'].map((file) => join(path, file))
  if (name === 'gas' && folder && ((await isFile(pickle[0])) || (await isFile(pickle[1])))) throw pickled(path)
  throw new DataError(
    folder === null
      ? `${path} is not there. data.path must be the folder data of the archive at https://zenodo.org/records/1161203, or a file of ${set.title}.`
      : `${path} does not hold ${set.title}: ${set.file} (or ${basename(set.file)}) of the archive at ` +
          'https://zenodo.org/records/1161203, or prepared rows in train.npy, validation.npy (or val.npy) and test.npy.',
  )
}

async function partsIn(folder: string): Promise<Record<PartName, string> | null> {
  const at = (name: string): string => join(folder, `${name}.npy`)
  const validation = (await isFile(at('validation'))) ? at('validation') : at('val')
  const parts = { train: at('train'), validation, test: at('test') }
  for (const path of Object.values(parts)) if (!(await isFile(path))) return null
  return parts
}

const pickled = (path: string): DataError =>
  new DataError(
    `${path}: the archive has GAS as a pickle of pandas, which only Python reads. Once: python3 -c "import numpy, pandas; ` +
      `numpy.save('ethylene_CO.npy', pandas.read_pickle('ethylene_CO.pickle').to_numpy())"`,
  )

/** A set's own file, or an HDF5 file of prepared parts. */
async function readFile(set: MafSet, path: string): Promise<Record<PartName, Prepared>> {
  const extension = extname(path).toLowerCase()
  if (extension === '.pickle' || extension === '.pkl') throw pickled(path)
  if (extension === '.hdf5' || extension === '.h5') {
    const parts = await readHdf5(path, partNames)
    return eachPart((name) => checked(set, path, parts[name], name))
  }
  if (!set.prepare) {
    throw new DataError(
      `${set.title} is an HDF5 file (${basename(set.file)}), or three of prepared rows, but ${path} is neither.`,
    )
  }
  const matrix = await readMatrix(path)
  if (!Object.hasOwn(set.raw, matrix.shape[1])) throw otherSet(set, path, matrix.shape)
  let rows: Prepared
  try {
    rows = set.prepare(matrix)
  } catch (error) {
    throw error instanceof DataError ? new DataError(`${path} is not ${set.title}: ${error.message}`) : error
  }
  const n = rows.values.length / rows.width
  if (rows.width !== set.width) {
    throw new DataError(
      `${path} is not ${set.title}: ${rows.width} columns are left of it as prepared, but it has ${set.width}.`,
    )
  }
  const { train, validation, test } = partSizes(n)
  if (test === 0 || validation === 0) {
    throw new DataError(
      `${path} has ${n} rows, too few for the parts of ${set.title}: a tenth for tests, and one of the rest for validation.`,
    )
  }
  const cut = (from: number, many: number): Prepared => ({
    values: rows.values.subarray(from * set.width, (from + many) * set.width),
    width: set.width,
  })
  return { train: cut(0, train), validation: cut(train, validation), test: cut(train + validation, test) }
}

async function readParts(set: MafSet, paths: Readonly<Record<PartName, string>>): Promise<Record<PartName, Prepared>> {
  const matrices = await Promise.all(partNames.map((name) => readMatrix(paths[name])))
  return eachPart((name, k) => checked(set, paths[name], matrices[k], name))
}

const eachPart = <T>(of: (name: PartName, k: number) => T): Record<PartName, T> => ({
  train: of('train', 0),
  validation: of('validation', 1),
  test: of('test', 2),
})

/** A part of prepared rows. */
function checked(set: MafSet, path: string, { values, shape }: Matrix, name: PartName): Prepared {
  checkNumbers(`${path}, ${name}`, values, shape[1])
  if (shape[1] === set.width) return { values, width: set.width }
  throw otherSet({ ...set, raw: { [set.width]: 'rows as prepared' } }, `${path}, ${name}`, shape)
}

function otherSet({ title, raw }: MafSet, path: string, shape: readonly number[]): DataError {
  const known = Object.entries(raw).map(([width, what]) => `${width} columns (${what})`)
  const other = Object.values<MafSet>(mafSets).find((set) => set.title !== title && Object.hasOwn(set.raw, shape[1]))
  return new DataError(
    `${path} is not ${title}: it has ${shape[1]} columns, where ${title} has ${known.join(' or ')}` +
      `${other ? `; it may be ${other.title}` : ''}.`,
  )
}

/** All numbers of an array file [n, d], as exact as they are stored. */
async function readMatrix(path: string): Promise<Matrix> {
  const { shape, inOrder, blocks } = await openNpyRows(path)
  if (shape.length !== 2 || shape[0] === 0 || shape[1] === 0) {
    throw new DataError(`${path} must hold rows [n, d], but has the shape ${extents(shape)}.`)
  }
  const [n, d] = shape
  let values: Float64Array
  if (inOrder) {
    values = new Float64Array(n * d)
    let at = 0
    for await (const block of blocks(1 << 14)) {
      values.set(block.values, at)
      at += block.values.length
    }
  } else values = Float64Array.from((await readNpy(path)).values)
  checkNumbers(path, values, d)
  return { values, shape: [n, d] }
}

function checkNumbers(path: string, values: Float64Array, d: number): void {
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad < 0) return
  throw new DataError(
    `${path} has ${values[bad]} in row ${Math.floor(bad / d)}, column ${bad % d} (both from 0); every value must be a finite number.`,
  )
}
