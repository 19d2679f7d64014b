/**
 * What a policy waits for, and what guidance costs: `npm run latency`. Calls for one action chunk [16, 2] under a condition of ten
 * numbers, by networks of several sizes, the least of which shows what a call itself takes; single calls of `flow.sample`, and of the
 * same network in PyTorch from its exported folder (LFM_PYTHON names the Python) on one thread and on all, of which the faster is taken,
 * in turns of 25 calls within one run. Then calls 20 ms apart, as a robot makes them, with cold caches and idle threads, and what
 * garbage collection takes of all of them. Last the guided sampling of a UNet beside the unguided one of as many evaluations, in turns as
 * well. LFM_THREADS bounds the threads of both.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LocalFlow, type TrainArguments } from '../src/index.js'
import { Conversation } from './peers/conversation.js'
import { startPyTorch } from './peers/pytorch.js'
import { normals } from './values.js'

const [TURNS, CALLS] = [24, 25]
const [HORIZON, ACTIONS, TOLD] = [16, 2, 10]
const THREADS = Number(process.env.LFM_THREADS ?? availableParallelism())
/** calls of those apart, and milliseconds between them */
const [APART, EVERY] = [250, 20]
/** milliseconds that a call may take */
const FIT = 2

const networks: Readonly<Record<string, TrainArguments['model']>> = {
  'mlp 8': { kind: 'mlp', hidden: [8], activation: 'silu' },
  'mlp 256 · 256 · 256': { kind: 'mlp', activation: 'silu' },
  'unet1d 16 · 32 · 64': { kind: 'unet1d', width: 16 },
  'unet1d 64 · 128 · 256': { kind: 'unet1d' },
}

const quantile = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(share * times.length))]
const ms = (time: number): string => time.toFixed(3)
/** p50, p99 and the share of calls that take too long for control */
const summary = (times: readonly number[]): string[] => [
  ...[0.5, 0.99].map((share) => ms(quantile(times, share))),
  `${((100 * times.filter((time) => time > FIT).length) / times.length).toFixed(1)} %`,
]

async function timed(call: (i: number) => Promise<unknown>, times: number[]): Promise<void> {
  for (let i = 0; i < CALLS; i++) {
    const start = performance.now()
    await call(times.length + 1)
    times.push(performance.now() - start)
  }
}

/** A model of one sub-flow that hardly learnt: what it computes takes as long as that of a good one. */
async function policy(model: TrainArguments['model']): Promise<LocalFlow> {
  const n = 64
  const actions = { values: normals(n * HORIZON * ACTIONS), shape: [n, HORIZON, ACTIONS] }
  const cond = { values: normals(n * TOLD), shape: [n, TOLD] }
  return LocalFlow.train(actions, {
    ...{ cond, model, device: 'native', flow: { gammas: [null] }, ode: { solver: 'euler' } },
    train: { batch: 16, steps: 2, conditionDropout: 0 },
  })
}

/** The Python that has PyTorch; null, with a line, where there is none. */
async function pytorch(): Promise<string | null> {
  try {
    const { conversation, python, hello } = await startPyTorch(1)
    conversation.end()
    console.log(`PyTorch ${hello.version}; ${THREADS} ${THREADS === 1 ? 'thread' : 'threads'}`)
    return python
  } catch (error) {
    console.log(`without PyTorch: ${(error as Error).message}`)
    return null
  }
}

const python = await pytorch()
const work = mkdtempSync(join(tmpdir(), 'lfm-latency-'))
const script = fileURLToPath(new URL('peers/pytorch_latency.py', import.meta.url))
const pauses: number[] = []
const collections = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) pauses.push(duration)
})
collections.observe({ entryTypes: ['gc'] })

const columns = ['ours, ms: p50', 'p99', `over ${FIT} ms`]
const beside = ['PyTorch, ms: p50', 'p99', `over ${FIT} ms`, 'threads', 'times faster at p50', 'at p99']
const apart = ['20 ms apart, ms: p50', 'p99', `over ${FIT} ms`]
console.log(['network', 'evaluations', ...columns, ...beside, ...apart].join(' | '))
for (const [name, model] of Object.entries(networks)) {
  await using flow = await policy(model)
  const folder = join(work, name.replaceAll(/\W+/g, '-'))
  await flow.export({ to: 'pytorch', out: folder })
  const peers = await Promise.all(
    (python ? [...new Set([1, THREADS])] : []).map(async (threads) => {
      const peer = new Conversation(python!, ['-u', script, folder, String(threads)], {})
      await peer.next()
      return { threads, peer, times: [] as number[] }
    }),
  )
  const cond = [...normals(TOLD)]
  for (const evaluations of [1, 4]) {
    const own: number[] = []
    const call = (first: number): Promise<unknown> => flow.sample(1, { cond, evaluations, first })
    const ask = async ({ peer }: (typeof peers)[number]): Promise<number[]> =>
      ((await peer.ask({ calls: CALLS, evaluations, cond })) as { ms: number[] }).ms
    await timed(call, [])
    for (const peer of peers) {
      peer.times = []
      await ask(peer)
    }
    for (let turn = 0; turn < TURNS; turn++) {
      await timed(call, own)
      for (const peer of peers) peer.times.push(...(await ask(peer)))
    }
    const spread: number[] = []
    for (let i = 0; i < APART; i++) {
      await pause(EVERY)
      const start = performance.now()
      await call(TURNS * CALLS + i + 1)
      spread.push(performance.now() - start)
    }
    const [fastest] = peers.toSorted((a, b) => quantile(a.times, 0.5) - quantile(b.times, 0.5))
    const faster = (share: number): string => (quantile(fastest.times, share) / quantile(own, share)).toFixed(1)
    const theirs = fastest
      ? [...summary(fastest.times), fastest.threads, faster(0.5), faster(0.99)]
      : new Array(6).fill('–')
    console.log([name, evaluations, ...summary(own), ...theirs, ...summary(spread)].join(' | '))
  }
  for (const { peer } of peers) peer.end()
}
collections.disconnect()
const collected = pauses.reduce((sum, time) => sum + time, 0)
console.log(
  `garbage collection in all of this: ${pauses.length} times, ${collected.toFixed(0)} ms, ` +
    `the longest ${ms(Math.max(0, ...pauses))} ms`,
)

console.log('\nguidance of a UNet of 16 × 16 pictures, 64 samples, 4 evaluations: ms without | with | ratio')
{
  const n = 64
  const pictures = { values: normals(n * 256), shape: [n, 1, 16, 16] }
  await using flow = await LocalFlow.train(pictures, {
    labels: Array.from({ length: n }, (_, i) => i % 10),
    model: { kind: 'unet', width: 32, attention: [] },
    device: 'native',
    flow: { gammas: [null] },
    ode: { solver: 'euler' },
    train: { batch: 16, steps: 2 },
  })
  const [plain, guided]: [number[], number[]] = [[], []]
  const call = (guidance: number, times: number[]) => async (): Promise<void> => {
    const start = performance.now()
    await flow.sample(n, { class: 3, guidance, evaluations: 4 })
    times.push(performance.now() - start)
  }
  await call(1, [])()
  await call(2, [])()
  for (let turn = 0; turn < TURNS / 2; turn++) {
    await call(1, plain)()
    await call(2, guided)()
  }
  const [without, with_] = [plain, guided].map((times) => quantile(times, 0.5))
  const ratios = guided.map((time, i) => time / plain[i])
  console.log([without.toFixed(1), with_.toFixed(1), quantile(ratios, 0.5).toFixed(3)].join(' | '))
}
rmSync(work, { recursive: true })
