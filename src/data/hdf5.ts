/**
 * Arrays in HDF5 files, by h5wasm: the HDF5 library compiled to WebAssembly at NIST. It is no dependency, since it weighs 15 MB and
 * few have such files; whoever has installs it beside.
 */

import { stat } from 'node:fs/promises'
import { DataError, extents, list, MissingPartError, show } from '../errors.js'
import { expectRegular, mostUnpacked } from '../files/reading.js'
import type { Matrix } from './tensor.js'

type H5 = typeof import('h5wasm/node')
type H5Dataset = import('h5wasm/node').Dataset

/** Throws MissingPartError where it is not installed. */
async function loadH5wasm(): Promise<H5> {
  const h5 = await import('h5wasm/node').catch((cause: Error) => {
    throw new MissingPartError(
      `The package h5wasm, which reads HDF5 files, cannot be loaded (${cause.message.split('\n')[0]}). npm install h5wasm brings it.`,
    )
  })
  // or it writes a page to standard error and goes on with a file that is not there
  ;(await h5.ready).activate_throwing_error_handler()
  return h5
}

const ROWS_AT_ONCE = 1 << 14

/**
 * Reads matrices of floats.
 *
 * @param names of the arrays, all of which there must be
 * @throws DataError where the file is no HDF5, is cut off, or lacks one; MissingPartError without h5wasm
 */
export async function readHdf5<K extends string>(path: string, names: readonly K[]): Promise<Record<K, Matrix>> {
  await expectRegular(path)
  const { size } = await stat(path)
  const h5 = await loadH5wasm()
  const opened = reading(path, () => new h5.File(path, 'r'))
  try {
    const all = reading(path, () => opened.keys())
    const lacking = names.filter((name) => !all.includes(name))
    if (lacking.length > 0) {
      throw new DataError(
        `${path} has no ${list(lacking.map(show))}; it holds ${all.length > 0 ? list(all.map(show)) : 'nothing'}.`,
        `${path} lacks an array.`,
      )
    }
    return Object.fromEntries(names.map((name) => [name, matrixOf(name)])) as Record<K, Matrix>
  } finally {
    opened.close()
  }

  function matrixOf(name: string): Matrix {
    const dataset = reading(path, () => opened.get(name))
    if (!(dataset instanceof h5.Dataset)) throw new DataError(`${path}: ${show(name)} is no array.`)
    const shape = reading(path, () => dataset.shape) ?? []
    if (shape.length !== 2 || shape[0] === 0 || shape[1] === 0) {
      throw new DataError(`${path}: ${show(name)} must hold rows [n, d], but has the shape ${extents(shape)}.`)
    }
    const [n, d] = shape
    // parts that were never written take no room in a file
    if (n * d * 8 > mostUnpacked(size)) {
      throw new DataError(
        `${path}: ${show(name)} claims ${n} rows of ${d} numbers, far more than a file of ${size} bytes holds.`,
      )
    }
    return { values: valuesOf(name, dataset, n, d), shape: [n, d] }
  }

  function valuesOf(name: string, dataset: H5Dataset, n: number, d: number): Float64Array {
    const values = new Float64Array(n * d)
    for (let first = 0; first < n; first += ROWS_AT_ONCE) {
      const block = reading(path, () => dataset.slice([[first, Math.min(n, first + ROWS_AT_ONCE)], []]))
      if (!(block instanceof Float32Array || block instanceof Float64Array)) {
        throw new DataError(`${path}: ${show(name)} must hold floats of 32 or 64 bits.`)
      }
      values.set(block, first * d)
    }
    return values
  }
}

/** What the library says is at the end of a list of where it said it. */
function reading<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const lines = (error as Error).message.split('\n').filter((line) => /^\s*#\d+:/.test(line))
    const reason = lines.at(-1)?.replace(/^.*?\(\): /, '') ?? (error as Error).message.split('\n')[0]
    throw new DataError(`${path} cannot be read as HDF5: ${reason}.`, `${path} cannot be read as HDF5.`)
  }
}
