/**
 * From a `data` section that names pictures to their parts: read, thinned to `limit`, made into squares of `size`, and split;
 * test pictures come from files of their own where there are such. Classes take the same way as their pictures.
 */

import { resolve } from 'node:path'
import { DataError } from '../errors.js'
import { readCifar10 } from './cifar10.js'
import { readIdxPictures } from './idx.js'
import { readImageFolder } from './image-folder.js'
import { kindOfShape } from './kinds.js'
import { readNpy } from './npy.js'
import { checkLabels, describePictures, evenly, type Pictures, shrink, takePictures } from './pictures.js'
import type { ConfigOf, Source } from './source.js'
import { partCount, split } from './split.js'
import type { Tensor } from './tensor.js'

/** Classes of rows from a .npy file. Throws DataError where it does not hold one whole number from 0 to 65535 for each. */
async function readLabels(path: string, n: number): Promise<Uint16Array> {
  const { values, shape } = await readNpy(path)
  if (shape.length !== 1) throw new DataError(`${path} must hold labels [n], but has the shape [${shape.join(', ')}].`)
  checkLabels(path, values, n)
  const bad = values.findIndex((value) => !Number.isInteger(value) || value < 0 || value > 0xffff)
  if (bad >= 0)
    throw new DataError(`${path}, row ${bad}: a label must be a whole number from 0 on, but is ${values[bad]}.`)
  return Uint16Array.from(values)
}

type PictureConfig = Pick<
  ConfigOf<'images'>,
  'path' | 'size' | 'limit' | 'flips' | 'train' | 'validation' | 'test' | 'shuffle'
>

/**
 * Splits pictures. Where the test part has pictures of its own, `test` is how many of these are taken, evenly spaced in
 * their order: the first half of MNIST's, for one, is easier than the second.
 */
function splitPictures(all: Pictures, ownTest: Pictures | null, config: PictureConfig, seed: number): Source {
  const { path, size, limit, flips, shuffle } = config
  const some = limit === undefined ? all : takePictures(all, evenly(all.tensor.shape[0], limit))
  const sized = ({ tensor, labels }: Pictures): Pictures => ({
    tensor: size === undefined ? tensor : shrink(path, tensor, size),
    labels,
  })
  const main = sized(some)
  const [n, ...rowShape] = main.tensor.shape
  const sizes = { ...config, test: ownTest ? 0 : (config.test ?? 0.1) }
  const parts = split(main.tensor, sizes, { seed, shuffle })
  const labels =
    main.labels && split({ values: Float32Array.from(main.labels), shape: [n, 1] }, sizes, { seed, shuffle })
  const classes = (part: Tensor | null | undefined): Uint16Array | null => (part ? Uint16Array.from(part.values) : null)
  let test: Pictures | null = null
  if (ownTest) {
    const whole = ownTest.tensor.shape[0]
    const count = config.test === undefined ? whole : partCount('test', config.test, whole)
    if (count > whole) throw new DataError(`data.test asks for ${count} pictures, but there are ${whole} for testing.`)
    test = sized(takePictures(ownTest, evenly(whole, count)))
    if (test.tensor.shape.slice(1).join() !== rowShape.join()) {
      throw new DataError(
        `The test pictures of ${path} have the shape [${test.tensor.shape.slice(1).join(', ')}], but those to train on ` +
          `[${rowShape.join(', ')}]; give data.size.`,
      )
    }
  }
  return {
    train: parts.train,
    validation: parts.validation,
    test: test ? test.tensor : parts.test,
    density: null,
    columns: null,
    labels: labels && {
      train: classes(labels.train),
      validation: classes(labels.validation),
      test: test ? test.labels : classes(labels.test),
    },
    flips,
    rowKind: kindOfShape(rowShape),
    remarks: [...(all.remarks ?? []), ...(ownTest?.remarks ?? [])],
    description: `${path}, ${describePictures(main)}`,
  }
}

/** An array [n, C, H, W] that was read from a .npy file. */
export async function loadPictures(
  tensor: Tensor,
  config: ConfigOf<'npy'>,
  seed: number,
  baseDir: string,
): Promise<Source> {
  const labels = config.labels ? await readLabels(resolve(baseDir, config.labels), tensor.shape[0]) : null
  return splitPictures({ tensor, labels, remarks: scaleRemark(config.path, tensor) }, null, config, seed)
}

/** Numbers other than bytes are learnt as they are, in [−1, 1]; pixels are some hundreds, or in [0, 1] as many libraries have them. */
function scaleRemark(path: string, { values }: Tensor): string[] {
  if (values instanceof Uint8Array) return []
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const pixels = high > 2 || low < -2
  if (!pixels && (low < 0 || high <= 0)) return []
  const remedy = pixels
    ? "save pixels as bytes (array.astype('uint8')), or scale them."
    : "scale them (2 * array - 1), or save pixels as bytes ((255 * array).astype('uint8'))."
  return [
    `${path} holds pictures of numbers from ${low} to ${high}. They are learnt as they are, and drawn as if they lay in [−1, 1]: ${remedy}`,
  ]
}

export async function loadImageFolder(config: ConfigOf<'images'>, seed: number, baseDir: string): Promise<Source> {
  const { path, testPath, size, channels, limit } = config
  const main = await readImageFolder(resolve(baseDir, path), { size, channels, limit })
  const own =
    testPath && config.test !== 0 ? await readImageFolder(resolve(baseDir, testPath), { size, channels }) : null
  // the folder was thinned before it was read
  return splitPictures(main, own, { ...config, limit: undefined }, seed)
}

export async function loadIdx(config: ConfigOf<'idx'>, seed: number, baseDir: string): Promise<Source> {
  const read = (path: string, labels?: string): Promise<Pictures> =>
    readIdxPictures(resolve(baseDir, path), labels && resolve(baseDir, labels))
  const main = await read(config.path, config.labels)
  const own = config.testPath && config.test !== 0 ? await read(config.testPath, config.testLabels) : null
  return splitPictures(main, own, config, seed)
}

export async function loadCifar10(config: ConfigOf<'cifar10'>, seed: number, baseDir: string): Promise<Source> {
  const folder = resolve(baseDir, config.path)
  const own = config.test === 0 ? null : await readCifar10(folder, 'test')
  return splitPictures(await readCifar10(folder, 'train'), own, config, seed)
}
