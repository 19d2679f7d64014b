/**
 * What several processes cost and gain in training one model: milliseconds of a step by one process with all threads and by W
 * processes that share them, of the same parts, in turns. `node bench/workers.mjs [workers] [rounds]`, after `npm run build:ts`.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const [workers = 2, rounds = 3] = process.argv.slice(2).map(Number)
const cases = [
  { hidden: [64, 64], batch: 512, steps: 600 },
  { hidden: [256, 256, 256], batch: 1024, steps: 120 },
  { hidden: [512, 512, 512], batch: 2048, steps: 30 },
]

/** One training in a process of its own: its engine counts threads once. */
async function train({ hidden, batch, steps }, count, parts) {
  const { data, LocalFlow } = await import(new URL('../dist/index.js', import.meta.url).href)
  const flow = await LocalFlow.train(data.toy('moons').sample(8192, 1), {
    columns: 2,
    model: { hidden },
    flow: { gammas: [null] },
    train: { batch, steps, parts, checkpointEvery: 'off' },
    device: { kind: 'native', ...(count > 1 && { workers: count }) },
  })
  process.stdout.write(JSON.stringify({ ms: (1000 * flow.training.seconds) / steps, parameters: flow.parameterCount }))
  await flow.dispose()
}

const asked = process.env.LFM_BENCH_WORKERS
if (asked) {
  await train(...JSON.parse(asked))
} else {
  const run = (...what) => {
    const env = { ...process.env, LFM_BENCH_WORKERS: JSON.stringify(what) }
    if (what[1] > 1) env.LFM_THREADS = '1'
    const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], { env })
    if (status !== 0) throw new Error(String(stderr))
    return JSON.parse(String(stdout)).ms
  }
  for (const one of cases) {
    const ways = {
      'whole batch': [1, 1],
      [`${workers} parts`]: [1, workers],
      [`${workers} processes`]: [workers, workers],
    }
    const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const [name, [count, parts]] of Object.entries(ways)) times[name].push(run(one, count, parts))
    }
    const least = Object.entries(times).map(([name, ms]) => `${name} ${Math.min(...ms).toFixed(2)} ms`)
    console.log(`${one.hidden.join(' · ')}, batch ${one.batch}: ${least.join(', ')}`)
  }
}
