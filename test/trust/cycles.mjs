/**
 * Run by leaks.test.ts: `node --expose-gc cycles.mjs DEVICE CYCLES`. Opens a device, trains, samples, scores and disposes of it,
 * again and again; after each cycle prints what the process holds: threads, descriptors, resident MiB, JavaScript's MiB.
 */

import { readdirSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { trimMemory } from '../../dist/device/node/addon.js'
import { LocalFlow } from '../../dist/index.js'

const [device, cycles] = [process.argv[2], Number(process.argv[3])]
const x = { values: Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)), shape: [500, 2] }
const count = (folder) => readdirSync(folder).length
const mib = (bytes) => Math.round((10 * bytes) / 2 ** 20) / 10

for (let cycle = 1; cycle <= cycles; cycle++) {
  const flow = await LocalFlow.train(x, {
    device,
    model: { hidden: [32] },
    flow: { gammas: [null] },
    train: { steps: 5, batch: 100 },
    ode: { sample: { steps: 2 }, evaluate: { steps: 2 } },
  })
  await flow.sample(50)
  await flow.logProb({ values: x.values.subarray(0, 100), shape: [50, 2] })
  await flow.dispose()
  // what Dawn holds is freed when JavaScript's handles to it are collected, which a test cannot wait for
  for (let i = 0; i < 2; i++) {
    globalThis.gc()
    await wait(5)
  }
  // nor is what the allocator keeps of it anybody's
  trimMemory()
  const { rss, heapUsed } = process.memoryUsage()
  const held = { cycle, threads: count('/proc/self/task'), descriptors: count('/proc/self/fd') }
  console.log(JSON.stringify({ ...held, residentMiB: mib(rss), heapMiB: mib(heapUsed) }))
}
