/**
 * A model in a worker thread (worker-thread.mjs): the main thread stays free while it samples, and results come over without
 * being copied.
 *
 *     npx tsx worker.ts
 *
 * The native engine computes on threads of its own anyway; a worker takes the rest from the main thread: reading files,
 * compiling programs, making text. Each thread that opens a device has one of its own.
 */

import { Worker } from 'node:worker_threads'

interface Answer {
  id: number
  values: Float32Array
  shape: number[]
}

// JavaScript, which a worker runs whatever runs this file
const worker = new Worker(new URL('worker-thread.mjs', import.meta.url), {
  workerData: { steps: Number(process.env.STEPS ?? 500) },
})
const waiting = new Map<number, (answer: Answer) => void>()
worker.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer))
worker.on('error', (error) => {
  throw error
})

function sample(id: number, n: number): Promise<Answer> {
  return new Promise((resolve) => {
    waiting.set(id, resolve)
    worker.postMessage({ id, n, seed: id })
  })
}

let turns = 0
const free = setInterval(() => turns++, 5)
const answers = await Promise.all([sample(1, 10_000), sample(2, 5000), sample(3, 1)])
clearInterval(free)
for (const { id, values, shape } of answers) {
  console.log(`answer ${id}: samples [${shape.join(', ')}], all finite: ${values.every(Number.isFinite)}`)
}
console.log(`the main thread was free meanwhile: ${turns > 0}`)
worker.postMessage(null)
