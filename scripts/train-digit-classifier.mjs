/**
 * Trains the digit classifier whose features FID takes: `npm run build:ts && node scripts/train-digit-classifier.mjs [FOLDER]`
 * with MNIST in FOLDER (scripts/fetch-mnist.mjs brings it; default data/mnist). Softmax cross-entropy, Adam with a cosine rate;
 * every picture is shifted by up to one pixel each time. Writes assets/digit-classifier.safetensors, the same bytes each time on
 * one machine, and prints the accuracy on the test set.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeSafetensors } from '../dist/checkpoint/safetensors.js'
import { readIdxPictures } from '../dist/data/idx.js'
import { writeFileAtomic } from '../dist/files/atomic.js'
import { DIGIT_SIDE, digitForward, digitInput, digitLayers } from '../dist/metrics/digit-classifier.js'
import { permutation, RandomStream } from '../dist/random/stream.js'

const folder = process.argv[2] ?? fileURLToPath(new URL('../data/mnist', import.meta.url))
const output = fileURLToPath(new URL('../assets/digit-classifier.safetensors', import.meta.url))
const [EPOCHS, BATCH, RATE, SEED] = [8, 100, 2e-3, 1]
const PIXELS = DIGIT_SIDE ** 2

const load = async (part) => {
  const { tensor, labels } = await readIdxPictures(
    join(folder, `${part}-images-idx3-ubyte`),
    join(folder, `${part}-labels-idx1-ubyte`),
  )
  return { x: digitInput(tensor), labels }
}
const [train, test] = [await load('train'), await load('t10k')]

const random = new RandomStream(SEED)
const layers = digitLayers.map(({ K, N }, i) => {
  random.row(i)
  const weight = Float32Array.from({ length: N * K }, () => Math.sqrt(2 / K) * random.normal())
  return { weight, bias: new Float32Array(N) }
})

/** dweight += dyᵀ x, dbias += Σ dy; returns dx = dy W where it is wanted. Most of dy is zero, behind relu. */
function productGradient(x, dy, { weight }, gradient, K, N, wanted) {
  const rows = x.length / K
  const dx = wanted ? new Float32Array(x.length) : null
  for (let row = 0; row < rows; row++) {
    const at = row * K
    for (let j = 0; j < N; j++) {
      const g = dy[row * N + j]
      if (g === 0) continue
      gradient.bias[j] += g
      const from = j * K
      for (let k = 0; k < K; k++) gradient.weight[from + k] += g * x[at + k]
      if (dx) for (let k = 0; k < K; k++) dx[at + k] += g * weight[from + k]
    }
  }
  return dx
}

/** The adjoint of `patches`. */
function gather(dpatches, n, side, C) {
  const half = side / 2
  const dx = new Float32Array(n * side * side * C)
  let at = 0
  for (let place = 0; place < n * half * half; place++) {
    const [r, c] = [Math.floor(place / half) % half, place % half]
    const i = Math.floor(place / (half * half))
    for (let k = 0; k < 9; k++, at += C) {
      const row = 2 * r + Math.floor(k / 3) - 1
      const column = 2 * c + (k % 3) - 1
      if (row < 0 || row >= side || column < 0 || column >= side) continue
      const to = ((i * side + row) * side + column) * C
      for (let channel = 0; channel < C; channel++) dx[to + channel] += dpatches[at + channel]
    }
  }
  return dx
}

/** Gradient of the mean cross-entropy of a batch, and the loss. */
function gradientOf(x, labels) {
  const n = labels.length
  const { inputs, outputs } = digitForward(layers, x)
  const logits = outputs.at(-1)
  let dy = new Float32Array(logits.length)
  let loss = 0
  for (let i = 0; i < n; i++) {
    const row = logits.subarray(10 * i, 10 * i + 10)
    const top = Math.max(...row)
    const sum = row.reduce((total, value) => total + Math.exp(value - top), 0)
    loss += (Math.log(sum) + top - row[labels[i]]) / n
    for (let j = 0; j < 10; j++) dy[10 * i + j] = (Math.exp(row[j] - top) / sum - (j === labels[i] ? 1 : 0)) / n
  }
  const gradients = layers.map(({ weight, bias }) => ({
    weight: new Float32Array(weight.length),
    bias: new Float32Array(bias.length),
  }))
  for (let i = layers.length - 1; i >= 0; i--) {
    const { K, N, side } = digitLayers[i]
    const dx = productGradient(inputs[i], dy, layers[i], gradients[i], K, N, i > 0)
    if (i === 0) break
    dy = side === null ? dx : gather(dx, n, side, digitLayers[i - 1].N)
    for (let k = 0; k < dy.length; k++) if (outputs[i - 1][k] === 0) dy[k] = 0
  }
  return { gradients, loss }
}

const moments = layers.map(({ weight, bias }) =>
  [weight, bias].map((values) => ({ m: new Float32Array(values.length), v: new Float32Array(values.length) })),
)
function adam(gradients, step, rate) {
  layers.forEach((layer, i) => {
    ;['weight', 'bias'].forEach((name, part) => {
      const { m, v } = moments[i][part]
      const [values, gradient] = [layer[name], gradients[i][name]]
      const scale = rate * (Math.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step))
      for (let k = 0; k < values.length; k++) {
        m[k] += 0.1 * (gradient[k] - m[k])
        v[k] += 0.001 * (gradient[k] ** 2 - v[k])
        values[k] -= (scale * m[k]) / (Math.sqrt(v[k]) + 1e-8)
      }
    })
  })
}

function accuracy({ x, labels }) {
  let right = 0
  for (let first = 0; first < labels.length; first += 500) {
    const logits = digitForward(layers, x.subarray(first * PIXELS, (first + 500) * PIXELS)).outputs.at(-1)
    for (let i = 0; i < logits.length / 10; i++) {
      const row = logits.subarray(10 * i, 10 * i + 10)
      if (row.indexOf(Math.max(...row)) === labels[first + i]) right++
    }
  }
  return right / labels.length
}

const batches = Math.floor(train.labels.length / BATCH)
for (let epoch = 0; epoch < EPOCHS; epoch++) {
  const order = permutation(train.labels.length, SEED + epoch)
  let loss = 0
  for (let b = 0; b < batches; b++) {
    const step = epoch * batches + b + 1
    const x = new Float32Array(BATCH * PIXELS)
    const labels = new Uint16Array(BATCH)
    random.row(1000 + step)
    for (let i = 0; i < BATCH; i++) {
      const source = order[b * BATCH + i]
      labels[i] = train.labels[source]
      const [down, right] = [random.below(3) - 1, random.below(3) - 1]
      for (let r = 0; r < DIGIT_SIDE; r++) {
        for (let c = 0; c < DIGIT_SIDE; c++) {
          const [from, beside] = [r - down, c - right]
          if (from < 0 || from >= DIGIT_SIDE || beside < 0 || beside >= DIGIT_SIDE) continue
          x[i * PIXELS + r * DIGIT_SIDE + c] = train.x[source * PIXELS + from * DIGIT_SIDE + beside]
        }
      }
    }
    const { gradients, loss: now } = gradientOf(x, labels)
    adam(gradients, step, (RATE * (1 + Math.cos((Math.PI * step) / (EPOCHS * batches)))) / 2)
    loss += now / batches
  }
  console.log(`epoch ${epoch + 1} of ${EPOCHS}: loss ${loss.toFixed(4)}`)
}
const reached = accuracy(test)
console.log(`Accuracy on the ${test.labels.length} test digits: ${(100 * reached).toFixed(2)} %`)
const tensors = Object.fromEntries(
  layers.flatMap(({ weight, bias }, i) => {
    const { name, K, N } = digitLayers[i]
    return [
      [`${name}.weight`, { values: weight, shape: [N, K] }],
      [`${name}.bias`, { values: bias, shape: [N] }],
    ]
  }),
)
await writeFileAtomic(
  output,
  encodeSafetensors(tensors, { testAccuracy: reached.toFixed(4), side: String(DIGIT_SIDE) }),
)
console.log(output)
