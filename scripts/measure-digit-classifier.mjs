/**
 * What the digit classifier that ships is worth: `npm run build:ts && node scripts/measure-digit-classifier.mjs [FOLDER]` with
 * MNIST in FOLDER (default data/mnist) prints its accuracy on the test set, and the FIDs of data against data in its features.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { data, metrics } from '../dist/index.js'
import { digitForward, digitInput, readDigitLayers } from '../dist/metrics/digit-classifier.js'

const folder = process.argv[2] ?? fileURLToPath(new URL('../data/mnist', import.meta.url))
const read = (part) =>
  data.readIdxPictures(join(folder, `${part}-images-idx3-ubyte`), join(folder, `${part}-labels-idx1-ubyte`))
const [train, test] = [await read('train'), await read('t10k')]

const layers = await readDigitLayers(new URL('../assets/digit-classifier.safetensors', import.meta.url))
const n = test.labels.length
const logits = digitForward(layers, digitInput(test.tensor)).outputs.at(-1)
let right = 0
for (let i = 0; i < n; i++) {
  const row = logits.subarray(10 * i, 10 * i + 10)
  if (row.indexOf(Math.max(...row)) === test.labels[i]) right++
}
console.log(`Accuracy on the ${n} test digits: ${((100 * right) / n).toFixed(2)} %`)

const features = await metrics.openDigitFeatures()
const found = await features.extract(metrics.quantise(test.tensor))
const d = found.dimension
const some = { values: train.tensor.values.subarray(0, 5000 * 28 * 28), shape: [5000, 1, 28, 28] }
const trained = await features.extract(some)
const half = (n / 2) * d
const show = (a, b) => metrics.fid(a, b, d).toFixed(2)
console.log(`FID of 5000 training digits against the test digits: ${show(trained.values, found.values)}`)
console.log(
  `FID of the first half of the test digits against the second: ${show(found.values.subarray(0, half), found.values.subarray(half))}`,
)
