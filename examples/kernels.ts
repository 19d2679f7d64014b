/**
 * Kernels called by themselves, and timed: a product of two matrices on this library's devices, beside TensorFlow.js where it
 * is installed (npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu).
 *
 *     npx tsx kernels.ts 256
 */

import { type Device, kernels, matMul, openDevice, prepare, softplus, tensor, zeros } from 'local-flow-matching/kernels'

const n = Number(process.argv[2] ?? 256)
const repeats = 20
const values = (seed: number) => Float32Array.from({ length: n * n }, (_, i) => Math.sin(seed * (i + 1)))
const milliseconds = (ms: number) => `${ms.toFixed(3)} ms, ${((2 * n ** 3) / ms / 1e6).toFixed(1)} GFLOP/s`

console.log(`${kernels.size} kernels, among them mat_mul; matrices of ${n} × ${n}`)

/** The least time of a launch: compiled once, then repeated without JavaScript in between. */
async function timed(device: Device): Promise<{ ms: number; y: Float32Array }> {
  using a = tensor(device, values(1), [n, n])
  using b = tensor(device, values(2), [n, n])
  using y = zeros(device, [n, n])
  const product = await prepare(device, 'mat_mul', { a, b, y }, { transposeA: false, transposeB: false })
  await product.run() // the first run warms up
  let ms = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    await product.run(repeats)
    ms = Math.min(ms, (performance.now() - began) / repeats)
  }
  product.dispose()
  return { ms, y: (await y.read()) as Float32Array }
}

const device = await openDevice('auto')
const ours = await timed(device)
console.log(`${device.kind} (${device.info.name}): ${milliseconds(ours.ms)}`)

// or one launch at a time, as functions
using x = tensor(device, [-1, 0, 1])
using soft = await softplus(x, 20)
console.log(`softplus20 of -1, 0, 1: ${[...(await soft.read())].map((value) => value.toFixed(4)).join(', ')}`)
using square = tensor(device, [1, 2, 3, 4], [2, 2])
using squared = await matMul(square, square)
console.log(`a product by matMul: ${[...(await squared.read())].join(', ')}`)

await besideTfjs()
await device.dispose()

async function besideTfjs(): Promise<void> {
  const tf = await import('@tensorflow/tfjs-core').catch(() => null)
  if (!tf) return console.log('TensorFlow.js is not installed: nothing to compare with')
  await import('@tensorflow/tfjs-backend-cpu')
  await tf.setBackend('cpu')
  const [a, b] = [tf.tensor2d(values(1), [n, n]), tf.tensor2d(values(2), [n, n])]
  let ms = Number.POSITIVE_INFINITY
  let theirs: ArrayLike<number> = []
  for (let round = 0; round < 2; round++) {
    const began = performance.now()
    theirs = await tf.matMul(a, b).data()
    ms = Math.min(ms, performance.now() - began)
  }
  const apart = ours.y.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0)
  console.log(
    `tfjs cpu: ${milliseconds(ms)}; ${(ms / ours.ms).toFixed(0)} times as long; largest difference ${apart.toExponential(1)}`,
  )
}
