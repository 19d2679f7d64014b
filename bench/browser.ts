/**
 * Training steps in headless Chromium, ours beside tfjs's WebGPU backend in the same page, in turns:
 * `npm run bench:browser [-- WIDTH ROWS]`, of the rose's network with three layers of so many units. Prints the median of each and
 * of their ratios; on a machine that does something else only the ratios mean anything.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleForBrowser } from '../scripts/build-browser.mjs'
import type { Measured } from './browser-page.js'
import { findChromium, inPage } from './chromium.js'
import { type MlpShape, shapes } from './shapes.js'

const [width = 64, rows = 256] = process.argv.slice(2).map(Number)
const ROUNDS = 5
const STEPS = 10

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]

const chromium = findChromium('training in a browser')
const net = { ...shapes.find(({ name }) => name === 'rose'), width } as MlpShape
if (chromium) {
  const folder = mkdtempSync(join(tmpdir(), 'lfm-bench-browser-'))
  try {
    await bundleForBrowser(fileURLToPath(new URL('browser-page.ts', import.meta.url)), {
      outfile: join(folder, 'page.js'),
      minify: false,
    })
    const work = { kind: 'step', net, rows }
    const page = `import { measure } from '/page/page.js'\ndone(await measure(${JSON.stringify(work)}, ${ROUNDS}, ${STEPS}))`
    const { adapter, ours, tfjs } = await inPage<Measured>(chromium, page, { page: folder })
    const ratios = tfjs.map((ms, i) => ms / ours[i])
    console.log(
      `2-D, ${net.layers} layers of ${width}, ${rows} rows, ${adapter}, ${ROUNDS} rounds of ${STEPS} steps in turns`,
    )
    console.log(`ours ${median(ours).toFixed(2)} ms a step (${(1000 / median(ours)).toFixed(1)} steps/s)`)
    console.log(`tfjs-webgpu ${median(tfjs).toFixed(2)} ms a step (${(1000 / median(tfjs)).toFixed(1)} steps/s)`)
    console.log(
      `ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
