/**
 * `npm run page`: build/page/index.html, the page of examples/page/ as one file. The command line trains its models, in about a
 * minute on two idle cores; they stay in build/page/runs/, each under a hash of what it was trained from, and the next build
 * takes them as they are.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { STUDENT_EVALUATIONS } from '../examples/page/source.js'
import { data, LocalFlow } from '../src/index.js'
import { pageFile } from './page-file.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'build/page')
const examples = join(root, 'examples')

/** Rows of the data that the page carries. */
const ROWS = 9000

/** Trains by the command line, unless it was done before from the same words and files. Returns the run folder. */
function trained(name: string, words: readonly string[], files: readonly string[]): string {
  const hash = createHash('sha256').update(words.join(' '))
  for (const file of files) hash.update(readFileSync(file))
  const folder = join(out, 'runs', `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(folder)) return folder
  mkdirSync(join(out, 'runs'), { recursive: true })
  const making = `${folder}-unfinished`
  const command = [join(root, 'dist/cli/main.js'), ...words, '--out', making, '--force']
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(`lfm ${words.join(' ')} has failed; dist/ is made by npm run build.`)
  renameSync(making, folder)
  return folder
}

const rose = join(examples, 'rose.png')
const [chainConfig, plainConfig] = ['chain', 'plain'].map((name) => join(examples, 'page', `${name}.yaml`))
const runs = {
  chain: trained('chain', ['train', 'examples/page/chain.yaml'], [chainConfig, rose]),
  plain: trained('plain', ['train', 'examples/page/plain.yaml'], [plainConfig, rose]),
}
const distillation = ['--into', String(STUDENT_EVALUATIONS), '--kind', 'pairs', '--set', 'train.steps=1500']
const student = trained('student', ['distill', runs.chain, ...distillation], [chainConfig, rose])

const models = {
  chain: await LocalFlow.load(runs.chain),
  plain: await LocalFlow.load(runs.plain),
  student: await LocalFlow.load(student),
}
try {
  const { train } = await data.loadData({ kind: 'image-density', path: rose, train: ROWS }, { seed: 1 })
  const { html, packBytes } = await pageFile(models, Float32Array.from(train.values))
  writeFileSync(join(out, 'index.html'), html)
  const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`
  console.log(`build/page/index.html: ${kib(html.length - packBytes)}, and ${kib(packBytes)} of models and recording`)
} finally {
  for (const flow of Object.values(models)) await flow.dispose()
}
