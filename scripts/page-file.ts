/** The page of examples/page/ as one file: its program, its style, its models and a recording of them. */

import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateRawSync } from 'node:zlib'
import { transform } from 'esbuild'
import { liveSource } from '../examples/page/live.js'
import { pack } from '../examples/page/pack.js'
import { RECORDED_POINTS, record } from '../examples/page/recorded.js'
import type { LocalFlow } from '../src/index.js'
import { bundleForBrowser } from './build-browser.mjs'
import { bundledLicences } from './bundled-licences.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = join(root, 'examples/page')

/** What the page shows. */
export interface PageModels {
  readonly chain: LocalFlow
  readonly plain: LocalFlow
  /** a student of the chain with four maps */
  readonly student: LocalFlow
}

export interface PageFile {
  readonly html: string
  /** bytes of it that are the models and the recording */
  readonly packBytes: number
}

/**
 * Makes the page.
 * @param rows of the data, [n, 2]: the page shows the first and measures samples against the others
 */
export async function pageFile(models: PageModels, rows: Float32Array): Promise<PageFile> {
  const { script, licences } = await program()
  const [style, packed] = [await styleText(), await packText(models, rows)]
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const parts: Readonly<Record<string, string>> = { policy, style, script, licences, pack: packed }
  const template = readFileSync(join(page, 'index.html'), 'utf8')
  return { html: template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name]), packBytes: packed.length }
}

/** Shaders of UNets alone: the page's networks are MLPs. */
const OF_PICTURES =
  /(^|\/)(attention|conv2d|group_norm|loads_patches|loads_taps|product_patches|product_taps|time_embedding)/

/** The program, and the licences of what is in it. */
async function program(): Promise<{ script: string; licences: string }> {
  const { outputFiles, metafile } = await bundleForBrowser(
    join(page, 'page.ts'),
    { absWorkingDir: root, write: false },
    (shader) => !OF_PICTURES.test(shader),
  )
  const licences = [readFileSync(join(root, 'LICENSE'), 'utf8').trim(), bundledLicences(Object.keys(metafile!.inputs))]
  // two hyphens would end the comment that they stand in
  return { script: outputFiles![0].text.trim(), licences: licences.join('\n\n').replace(/-{2,}/g, '') }
}

async function styleText(): Promise<string> {
  const { code } = await transform(readFileSync(join(page, 'page.css'), 'utf8'), { loader: 'css', minify: true })
  return code.trim()
}

/** The files that the page carries, deflated, in base64. */
async function packText(models: PageModels, rows: Float32Array): Promise<string> {
  const { chain } = models
  const score = async (points: Float32Array): Promise<Float32Array> =>
    chain.logProb({ values: points, shape: [points.length / 2, 2] })
  const gammas = chain.stages.map(({ gamma }) => gamma)
  const files = new Map([
    ['about.json', Buffer.from(JSON.stringify({ gammas }))],
    ...(await record(liveSource(models, RECORDED_POINTS), rows, score)),
  ])
  const work = mkdtempSync(join(tmpdir(), 'lfm-page-'))
  try {
    for (const [name, flow] of Object.entries(models)) {
      const folder = join(work, name)
      // what is saved anew has no paths of the machine that trained it
      await flow.save(folder)
      for (const file of readdirSync(folder).filter((file) => /^(manifest|subflow)/.test(file)))
        files.set(`${name}/${file}`, readFileSync(join(folder, file)))
    }
  } finally {
    rmSync(work, { recursive: true })
  }
  return deflateRawSync(pack(files), { level: 9 }).toString('base64')
}
