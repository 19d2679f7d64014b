/**
 * CIFAR-10 in its binary version (cs.toronto.edu/~kriz/cifar.html, Krizhevsky 2009): records of one byte of class and
 * 3 × 32 × 32 bytes of red, green and blue, in data_batch_1.bin … data_batch_5.bin and test_batch.bin.
 */

import { join } from 'node:path'
import { DataError } from '../errors.js'
import { readData } from '../files/reading.js'
import { joinPictures, type Pictures } from './pictures.js'

const PIXELS = 3 * 32 * 32
const RECORD = 1 + PIXELS
const CLASSES = 10

/**
 * Decodes records of CIFAR-10.
 *
 * @throws DataError where the bytes are no whole number of records, or a class is none of the ten
 */
export function decodeCifar10(bytes: Uint8Array, name = 'the file'): Pictures {
  const n = bytes.length / RECORD
  if (n === 0 || !Number.isInteger(n)) {
    throw new DataError(
      `${name} has ${bytes.length} bytes, which is no whole number of records of ${RECORD}: it must be a file of the ` +
        'binary version of CIFAR-10.',
    )
  }
  const values = new Uint8Array(n * PIXELS)
  const labels = new Uint16Array(n)
  for (let i = 0; i < n; i++) {
    labels[i] = bytes[i * RECORD]
    if (labels[i] >= CLASSES) {
      throw new DataError(`${name}, record ${i} (from 0): the class is ${labels[i]}, but must be from 0 to 9.`)
    }
    values.set(bytes.subarray(i * RECORD + 1, (i + 1) * RECORD), i * PIXELS)
  }
  return { tensor: { values, shape: [n, 3, 32, 32] }, labels }
}

const files = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: ['test_batch.bin'],
}

/** Reads the training or the test pictures from the folder of the files. Throws DataError as decodeCifar10 does. */
export async function readCifar10(folder: string, part: 'train' | 'test'): Promise<Pictures> {
  const parts: Pictures[] = []
  for (const name of files[part]) {
    const path = join(folder, name)
    parts.push(decodeCifar10(await readData(path), path))
  }
  return joinPictures(parts)
}
