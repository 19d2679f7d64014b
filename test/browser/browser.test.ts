/**
 * The package in a browser: what a page computes in headless Chromium, on SwiftShader, is what Node computes: samples, scores,
 * and the losses of training.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findChromium, inPage } from '../../bench/chromium.js'
import { bundleForBrowser } from '../../scripts/build-browser.mjs'
import { LocalFlow, type TrainArguments } from '../../src/index.js'
import { engine } from '../cli/lfm.js'

const TIMEOUT = 10 * 60_000
const chromium = findChromium('the package in a browser')
const work = mkdtempSync(join(tmpdir(), 'lfm-browser-'))
afterAll(() => rmSync(work, { recursive: true }))

const x = {
  values: Float32Array.from({ length: 600 }, (_, i) => 10 + Math.sin(0.37 * i * i) + (i % 2)),
  shape: [300, 2],
}
const settings = {
  model: { hidden: [16], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { batch: 32, steps: 30, lr: 0.01 },
  ode: { steps: 2 },
  seed: 5,
} satisfies TrainArguments

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)
}

describe.skipIf(!chromium)('in Chromium', { timeout: TIMEOUT }, () => {
  let flow: LocalFlow
  const losses: number[] = []
  beforeAll(async () => {
    await bundleForBrowser(new URL('../../src/browser/index.ts', import.meta.url).pathname, {
      outfile: join(work, 'package/index.js'),
    })
    flow = await LocalFlow.train(x, {
      ...settings,
      device: engine,
      onProgress: (p) => void (p.phase === 'train' && losses.push(p.loss)),
    })
    await flow.save(join(work, 'run'))
    await flow.export({ to: 'pytorch', out: join(work, 'exported') })
  }, TIMEOUT)
  afterAll(() => flow.dispose())

  const start = "import { LocalFlow, openDevice } from '/package/index.js'\n"
  const folders = {
    package: join(work, 'package'),
    run: join(work, 'run'),
    exported: join(work, 'exported'),
  }

  it('a run and an exported folder sample and score as in Node', async () => {
    const found = await inPage<{ run: number[]; exported: number[]; scores: number[]; back: number[]; device: string }>(
      chromium!,
      `${start}
      const on = await openDevice()
      const flow = await LocalFlow.load('/run', { on })
      const exported = await LocalFlow.load('/exported/', { on })
      const samples = await flow.sample(50)
      const z = await flow.encode(samples)
      done({
        run: [...samples.values],
        exported: [...(await exported.sample(50)).values],
        scores: [...(await flow.logProb(samples))],
        back: [...(await flow.decode(z)).values],
        device: on.info.kind,
      })`,
      folders,
    )
    const samples = await flow.sample(50)
    expect(found.device).toBe('webgpu')
    expect(farthest(found.run, samples.values)).toBeLessThan(1e-3)
    expect(farthest(found.exported, samples.values)).toBeLessThan(1e-3)
    expect(farthest(found.scores, await flow.logProb(samples))).toBeLessThan(1e-3)
    expect(farthest(found.back, samples.values)).toBeLessThan(0.05)
  })

  it('models that are told columns or classes sample and score as in Node, from a run and from a folder', async () => {
    const label = Array.from({ length: 300 }, (_, i) => [2, 7][i % 2])
    const [columns, classes] = await Promise.all([
      LocalFlow.train(x, { ...settings, cond: label.map((value) => [value]), device: engine }),
      LocalFlow.train(x, { ...settings, labels: label, device: engine }),
    ])
    await columns.save(join(work, 'columns'))
    await classes.export({ to: 'hf', out: join(work, 'classes') })
    const found = await inPage<{ columns: number[]; scores: number[]; classes: number[]; refused: string }>(
      chromium!,
      `${start}
      const on = await openDevice()
      const columns = await LocalFlow.load('/columns', { on })
      const classes = await LocalFlow.load('/classes', { on })
      const samples = await columns.sample(50, { cond: [2.5] })
      done({
        columns: [...samples.values],
        scores: [...(await columns.logProb(samples, { cond: [2.5] }))],
        classes: [...(await classes.sample(50, { class: 7, guidance: 2 })).values],
        refused: await classes.sample(1, { class: 3 }).catch((error) => error.message),
      })`,
      { ...folders, columns: join(work, 'columns'), classes: join(work, 'classes') },
    )
    const samples = await columns.sample(50, { cond: [2.5] })
    expect(farthest(found.columns, samples.values)).toBeLessThan(1e-3)
    expect(farthest(found.scores, await columns.logProb(samples, { cond: [2.5] }))).toBeLessThan(1e-3)
    expect(farthest(found.classes, (await classes.sample(50, { class: 7, guidance: 2 })).values)).toBeLessThan(1e-3)
    expect(found.refused).toMatch(/^class must be one that the training rows have/)
    await Promise.all([columns.dispose(), classes.dispose()])
  })

  it('training goes through the same steps as in Node', async () => {
    const found = await inPage<{ samples: number[]; losses: number[] }>(
      chromium!,
      `${start}
      const losses = []
      const values = Float32Array.from(${JSON.stringify([...x.values])})
      const flow = await LocalFlow.train({ values, shape: [300, 2] }, {
        ...${JSON.stringify(settings)},
        onProgress: (p) => p.phase === 'train' && losses.push(p.loss),
      })
      done({ samples: [...(await flow.sample(50)).values], losses })`,
      folders,
    )
    expect(found.losses.at(-1)).toBeCloseTo(losses.at(-1)!, 4)
    expect(farthest(found.samples, (await flow.sample(50)).values)).toBeLessThan(5e-3)
  })

  it('files that somebody chose are a model, and a changed one is named', async () => {
    const found = await inPage<{ samples: number[]; refused: string; empty: string }>(
      chromium!,
      `${start}
      const { files } = await (await fetch('/exported/config.json')).json()
      const chosen = await Promise.all(['config.json', ...files.map(({ path }) => path)].map(async (path) => {
        const file = new File([await (await fetch('/exported/' + path)).blob()], path)
        Object.defineProperty(file, 'webkitRelativePath', { value: 'model/' + path })
        return file
      }))
      const flow = await LocalFlow.load(chosen)
      const message = (error) => error.name + ': ' + error.message
      const bytes = new Map(await Promise.all(chosen.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())])))
      bytes.get('subflow-2.safetensors')[600] ^= 1
      done({
        samples: [...(await flow.sample(50)).values],
        refused: await LocalFlow.load(bytes).catch(message),
        empty: await LocalFlow.load('/package').catch(message),
      })`,
      folders,
    )
    expect(farthest(found.samples, (await flow.sample(50)).values)).toBeLessThan(1e-3)
    expect(found.refused).toMatch(
      /^CheckpointError: the files\/subflow-2\.safetensors is damaged: its content is not what was written/,
    )
    expect(found.empty).toMatch(
      /^CheckpointError: \/package holds no model: there is neither manifest\.json nor config\.json in it\./,
    )
  })

  it('without WebGPU it says so', async () => {
    const found = await inPage<string>(
      chromium!,
      `${start}
      done(await openDevice().then(() => 'opened', (error) => error.name + ': ' + error.message))`,
      folders,
      { gpu: false },
    )
    expect(found).toMatch(/^DeviceError: This browser has (?:no WebGPU|WebGPU, but found no adapter)/)
  })
})
