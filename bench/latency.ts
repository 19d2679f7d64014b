/**
 * What a policy waits for, and what guidance costs: `npm run latency`. Calls for one action chunk [16, 2] under a condition of ten
 * numbers, by networks of several sizes; p50 and p99 of single calls of `flow.sample`, and of the same network in PyTorch from its
 * exported folder (LFM_PYTHON names the Python), in turns of 25 calls within one run. Then the guided sampling of a UNet beside the
 * unguided one of as many evaluations, in turns as well.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LocalFlow, type TrainArguments } from '../src/index.js'
import { Conversation } from './peers/conversation.js'
import { startPyTorch } from './peers/pytorch.js'
import { normals } from './values.js'

const [TURNS, CALLS] = [24, 25]
const [HORIZON, ACTIONS, TOLD] = [16, 2, 10]
const THREADS = Number(process.env.LFM_THREADS ?? 1)

const networks: Readonly<Record<string, TrainArguments['model']>> = {
  'mlp 256 · 256 · 256': { kind: 'mlp', activation: 'silu' },
  'unet1d 16 · 32 · 64': { kind: 'unet1d', width: 16 },
  'unet1d 64 · 128 · 256': { kind: 'unet1d' },
}

const quantile = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(share * times.length))]
const ms = (time: number): string => time.toFixed(3)

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
    const { conversation, python, hello } = await startPyTorch(THREADS)
    conversation.end()
    console.log(`PyTorch ${hello.version}, ${THREADS} ${THREADS === 1 ? 'thread' : 'threads'}`)
    return python
  } catch (error) {
    console.log(`without PyTorch: ${(error as Error).message}`)
    return null
  }
}

const python = await pytorch()
const work = mkdtempSync(join(tmpdir(), 'lfm-latency-'))
const script = fileURLToPath(new URL('peers/pytorch_latency.py', import.meta.url))

console.log('network | evaluations | ours, ms: p50 | p99 | PyTorch, ms: p50 | p99 | times faster at p50')
for (const [name, model] of Object.entries(networks)) {
  await using flow = await policy(model)
  const folder = join(work, name.replaceAll(/\W+/g, '-'))
  await flow.export({ to: 'pytorch', out: folder })
  const peer = python ? new Conversation(python, ['-u', script, folder, String(THREADS)], {}) : null
  await peer?.next()
  const cond = [...normals(TOLD)]
  for (const evaluations of [1, 4]) {
    const [own, others]: [number[], number[]] = [[], []]
    const call = (first: number): Promise<unknown> => flow.sample(1, { cond, evaluations, first })
    await timed(call, [])
    await peer?.ask({ calls: CALLS, evaluations, cond })
    for (let turn = 0; turn < TURNS; turn++) {
      await timed(call, own)
      if (peer) others.push(...((await peer.ask({ calls: CALLS, evaluations, cond })) as { ms: number[] }).ms)
    }
    const [p50, p99] = [0.5, 0.99].map((share) => quantile(own, share))
    const theirs = peer ? [0.5, 0.99].map((share) => quantile(others, share)) : null
    const beside = theirs ? [...theirs.map(ms), (theirs[0] / p50).toFixed(1)] : ['–', '–', '–']
    console.log([name, evaluations, ms(p50), ms(p99), ...beside].join(' | '))
  }
  peer?.end()
}

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
