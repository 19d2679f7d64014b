/**
 * The page (examples/page/) in headless Chromium, opened as a file: what it weighs, that it asks nobody for anything, that it shows
 * what Node computes, and what it does for a keyboard, a dark room, somebody who wants no motion, and a browser without a GPU.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findChromium } from '../../bench/chromium.js'
import { Tab } from '../../bench/tab.js'
import { type PageFile, type PageModels, pageFile } from '../../scripts/page-file.js'
import { data, LocalFlow, type TrainArguments } from '../../src/index.js'
import { engine } from '../cli/lfm.js'

const TIMEOUT = 10 * 60_000
const chromium = findChromium('the page')
const work = mkdtempSync(join(tmpdir(), 'lfm-page-'))
afterAll(() => rmSync(work, { recursive: true }))

const rows = Float32Array.from(data.toy('moons').sample(3500, 1))
const settings = {
  model: { hidden: [16], activation: 'silu' },
  train: { batch: 128, steps: 60, lr: 0.01 },
  seed: 5,
  device: engine,
} satisfies TrainArguments

let models: PageModels
let page: PageFile
const address = pathToFileURL(join(work, 'index.html')).href
beforeAll(async () => {
  const x = { values: rows, shape: [rows.length / 2, 2] }
  const own = { ...settings, standardise: false }
  const chain = await LocalFlow.train(x, { ...own, flow: { gammas: [0.2, null] } })
  const plain = await LocalFlow.train(x, { ...own, flow: { recipe: 'plain', gammas: [null] } })
  const student = await chain.distill({ kind: 'pairs', into: 4, train: { steps: 10 } })
  models = { chain, plain, student }
  page = await pageFile(models, rows)
  writeFileSync(join(work, 'index.html'), page.html)
}, TIMEOUT)
afterAll(async () => {
  for (const flow of Object.values(models ?? {})) await flow.dispose()
})

it('has the licences of what is in it', () => {
  const comment = /<!--\n([\s\S]*)\n-->\n<\/body>/.exec(page.html)![1]
  expect(comment).toMatch(/^MIT License[\s\S]*local-flow-matching[\s\S]*\bzod \d[\s\S]*MIT License/)
})

it('weighs at most 500 KiB beside its models, and names no address but that of the paper', () => {
  expect(Buffer.byteLength(page.html) - page.packBytes).toBeLessThan(500 * 1024)
  expect(page.html).toMatch(
    /<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-/,
  )
  const named = new Set(page.html.match(/(?:src|href|action|import)\s*[=(]\s*["'](?!data:)[^"']+/g))
  expect([...named]).toEqual(['href="https://arxiv.org/abs/2410.02548'])
})

describe.skipIf(!chromium)('in Chromium', { timeout: TIMEOUT }, () => {
  let tab: Tab
  afterEach(() => tab.close())

  const text = (id: string): Promise<string> => tab.value(`document.getElementById('${id}').textContent`)
  /** Shares of the canvas that are painted on, and the colours of what is, mean over those. */
  const painted = (id: string): Promise<{ share: number; red: number; blue: number }> =>
    tab.value(`(() => {
      const canvas = document.getElementById('${id}')
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      let [n, red, blue] = [0, 0, 0]
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) { n++; red += data[i]; blue += data[i + 2] }
      return { share: (4 * n) / data.length, red: red / n, blue: blue / n }
    })()`)
  const shown = (what: string): Promise<void> => tab.until(`document.body.dataset.shown === '${what}'`, 300)
  const quiet = (): void =>
    expect({ console: tab.console, requests: tab.requests }).toEqual({ console: [], requests: [] })

  it('plays a recording at once, then the models; all by clicks, keys and its address', async () => {
    tab = await Tab.open(chromium!)
    await tab.look({})
    await tab.visit(`${address}#seed=9&evaluations=8`)
    await tab.until("document.body.dataset.shown === 'recorded 7 8' && document.body.dataset.state === 'recorded'")
    expect((await painted('chain-plane')).share).toBeGreaterThan(0.001)
    expect(await text('play')).toBe('Pause')
    await shown('live 9 8')
    expect(await text('status')).toMatch(/^Live, on /)
    expect(await text('borders')).toBe('freeγ 0.2')

    const options = { solver: 'ab2', clock: 'angle', evaluations: 8, seed: 9 } as const
    const found = await tab.value<{ values: number[]; score: number }>(`(async () => {
      const { chain } = localFlow
      const { values } = await chain.sample(50, ${JSON.stringify(options)})
      return { values: [...values], score: (await chain.logProb({ values: Float32Array.of(0.5, 0.25), shape: [1, 2] }))[0] }
    })()`)
    const { values } = await models.chain.sample(50, options)
    expect(found.values.length).toBe(100)
    found.values.forEach((x, i) => {
      expect(x).toBeCloseTo(values[i], 3)
    })
    const [score] = await models.chain.logProb({ values: Float32Array.of(0.5, 0.25), shape: [1, 2] })
    expect(found.score).toBeCloseTo(score, 3)

    // the evaluations' slider, by a key: the address follows
    await tab.value("document.getElementById('evaluations').focus()")
    await tab.press('ArrowRight')
    await shown('live 9 12')
    expect(await tab.value('location.hash')).toBe('#seed=9&evaluations=12')
    expect(await text('student-caption')).toMatch(/^\d\.\d{4} off, 4 evaluations always$/)

    // a place of the data where no point is: its likelihood is that of Node
    await tab.value("document.getElementById('time').focus()")
    await tab.press('End')
    await tab.until("document.getElementById('place-in-chain').textContent === 'data'")
    const middle = await tab.value<[number, number]>(`(() => {
      const box = document.getElementById('chain-plane').getBoundingClientRect()
      return [box.left + 0.97 * box.width, box.top + 0.03 * box.height]
    })()`)
    await tab.drag([middle])
    await tab.until("/nats/.test(document.getElementById('reading').textContent)")
    const reading = /^The place \((.+), (.+)\)\. Its log-likelihood under the chain is (.+) nats\.$/.exec(
      await text('reading'),
    )!
    const [x, y, nats] = reading.slice(1).map((number) => Number(number.replace('−', '-')))
    const [own] = await models.chain.logProb({ values: Float32Array.of(x, y), shape: [1, 2] })
    expect(Math.abs(nats - own) / Math.abs(own)).toBeLessThan(0.02)
    quiet()
  })

  it('a density that is drawn is trained on, and training can be stopped', async () => {
    tab = await Tab.open(chromium!)
    await tab.look({ reducedMotion: true, dark: true, width: 390, height: 800 })
    await tab.visit(address)
    await tab.until("document.body.dataset.state === 'live'", 300)
    // nothing moves unasked, and the end of the chain is what is shown
    expect([await text('play'), await text('place-in-chain')]).toEqual(['Play', 'data'])
    const { red, blue } = await painted('brush-plane')
    expect(Math.min(red, blue)).toBeGreaterThan(130)
    expect(await tab.value('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)

    await tab.value("document.getElementById('brush-plane').scrollIntoView({ block: 'center' })")
    const [left, top, side] = await tab.value<number[]>(`(() => {
      const { left, top, width } = document.getElementById('brush-plane').getBoundingClientRect()
      return [left, top, width]
    })()`)
    expect(await text('brush-caption')).toBe('Draw here.')
    await tab.drag([0.2, 0.4, 0.6].map((share) => [left + share * side, top + 0.5 * side]))
    expect(await text('brush-caption')).toBe('')
    await tab.value("document.getElementById('train').click()")
    await tab.until(
      "/^Sub-flow 1 of 3: step \\d+ of \\d+, \\d+ steps\\/s, loss/.test(document.getElementById('training-status').textContent)",
      300,
    )
    expect(await text('train')).toBe('Stop')
    await tab.value("document.getElementById('train').click()")
    await tab.until("document.getElementById('training-status').textContent === 'Stopped.'", 300)
    quiet()
  })

  it('without WebGPU it says so, and the recording answers', async () => {
    tab = await Tab.open(chromium!, { gpu: false })
    await tab.look({})
    await tab.visit(address)
    await tab.until("document.body.dataset.state === 'unsupported'")
    expect(await text('notice')).toMatch(/^This browser has .*WebGPU.* What plays here was recorded with the seed 7\.$/)
    expect(await text('training-status')).toBe('Training needs WebGPU.')
    expect(await tab.value("['seed', 'another', 'train'].map((id) => document.getElementById(id).disabled)")).toEqual([
      true,
      true,
      true,
    ])
    const time = "Number(document.getElementById('time').value)"
    await tab.until(`${time} > 0.2`)
    await tab.value("document.getElementById('chain-plane').focus()")
    await tab.press('ArrowUp')
    await tab.press('Enter')
    await tab.until(
      "/^Sample \\d+ ends at .* −?\\d+\\.\\d\\d nats\\.$/.test(document.getElementById('reading').textContent)",
    )
    await tab.value("document.getElementById('evaluations').focus()")
    await tab.press('ArrowLeft')
    await shown('recorded 7 12')
    // Chromium's own word for it, and nothing else
    expect(tab.console.filter((line) => line !== 'warning: No available adapters.')).toEqual([])
    expect(tab.requests).toEqual([])
    // the policy lets nothing out
    expect(await tab.value("fetch('https://example.org/').then(() => 'sent', (error) => error.name)")).toBe('TypeError')
    expect(tab.console.join()).toMatch(/Content Security Policy/)
  })
})
