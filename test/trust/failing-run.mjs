/**
 * Run by failing.test.ts and failing-memory.test.ts: `failing-run.mjs WHAT HOW TURNS FOLDER`. Does a command (train, evaluate,
 * sample) again and again in this process, and at each turn another call or allocation fails: the n-th, or all from the n-th on.
 * What fails them is a layer that was loaded before: failing.mjs or failing-memory.cc. TURNS is «all», or how many that are
 * spread over the whole. FOLDER holds a.yaml and, for all
 * but train, the run `whole`. After each turn: what was thrown is an error of the library, the folder loads, and going on ends in
 * the bits of a run that nothing happened to, with nothing left over. Prints a line of JSON for each fault and counts in the last.
 */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'
import { readCheckpointFile, readManifest } from '../../dist/checkpoint/index.js'
import { evaluate } from '../../dist/cli/evaluate.js'
import { sample } from '../../dist/cli/sample.js'
import { train } from '../../dist/cli/train.js'
import { loadAddon } from '../../dist/device/native/binding.js'
import { LocalFlowError } from '../../dist/errors.js'

const [what, how, asked, folder] = process.argv.slice(2)
process.chdir(folder)
// what the commands print is nobody's here
const say = process.stdout.write.bind(process.stdout)
process.stdout.write = () => true
process.stderr.write = () => true

// a picture is not drawn twice: that takes most of the time, and touches no file
const resvg = createRequire(import.meta.url)('@resvg/resvg-js')
const { Resvg } = resvg
const drawn = new Map()
resvg.Resvg = class {
  constructor(svg, options) {
    Object.assign(this, { svg, options })
  }

  render() {
    if (!drawn.has(this.svg)) drawn.set(this.svg, new Resvg(this.svg, this.options).render())
    return drawn.get(this.svg)
  }
}

let round = 0
/** The n-th call from now on fails; 0: none. Returns how many there were since the last time. */
function failAt(n) {
  if (globalThis.lfmFailAt) return globalThis.lfmFailAt(n, how)
  Object.assign(process.env, { LFM_FAIL_AT: '0', LFM_FAIL_HOW: how, LFM_FAIL_ROUND: String(++round) })
  // the layer looks when the engine allocates
  const { Stop } = loadAddon()
  new Stop()
  process.env.LFM_FAIL_AT = String(n)
  return Number(readFileSync(process.env.LFM_FAIL_COUNT, 'utf8'))
}

const bitsOf = async (run) => {
  const manifest = await readManifest(run)
  const read = async ({ name }) => Buffer.from(await readCheckpointFile(run, manifest, name)).toString('hex')
  return JSON.stringify(await Promise.all(manifest.files.map(async (file) => [file.name, await read(file)])))
}
async function strays(run) {
  const stored = new Set((await readManifest(run)).files.map(({ file }) => file))
  const known = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png)$/
  return readdirSync(run).filter((name) => !stored.has(name) && !known.test(name))
}
const training = (out, resume) => train('a.yaml', { out, set: [], resume })
const sampling = () => sample('whole', { n: 10, output: 'samples.csv' })

if (what !== 'train' && !existsSync('whole')) await training('whole')
let reference = existsSync('whole') ? await bitsOf('whole') : ''
let right = ''

const commands = {
  train: {
    fresh: () => rmSync('run', { recursive: true, force: true }),
    run: () => training('run', false),
    async check(failed) {
      const there = existsSync('run/manifest.json')
      if (there) {
        await bitsOf('run')
        if (!failed && (await readManifest('run')).progress.phase !== 'done') return 'it did not end'
      } else if (!failed) return 'nothing was written'
      if (failed && there && !/Kept: |cannot be written|cannot be used/.test(failed.message))
        return 'it does not say what is kept'
      await training('run', there)
      if ((await bitsOf('run')) !== reference) return 'it went on to other bits'
      const left = await strays('run')
      return left.length > 0 ? `strays: ${left.join(', ')}` : null
    },
  },
  evaluate: {
    fresh() {
      rmSync('run', { recursive: true, force: true })
      cpSync('whole', 'run', { recursive: true })
    },
    run: () => evaluate('run', {}),
    async check() {
      if ((await bitsOf('run')) !== reference) return 'other bits'
      await evaluate('run', {})
      if ((await readManifest('run')).evaluation === undefined) return 'no evaluation'
      const left = await strays('run')
      return left.length > 0 ? `strays: ${left.join(', ')}` : null
    },
  },
  sample: {
    fresh() {},
    run: sampling,
    async check() {
      if (readFileSync('samples.csv', 'utf8') !== right) return 'another file of samples'
      await sampling()
      if (readFileSync('samples.csv', 'utf8') !== right) return 'other samples'
      const left = readdirSync('.').filter((name) => name.endsWith('.tmp'))
      return left.length > 0 ? `strays: ${left.join(', ')}` : null
    },
  },
}

const { fresh, run, check } = commands[what]
/** What is wrong with what a command threw; null: nothing. */
function wrongWith(error) {
  if (!(error instanceof LocalFlowError)) return `${error?.name}: ${String(error?.stack).slice(0, 800)}`
  const expected = process.env.LFM_FAIL_MESSAGE
  return expected && !new RegExp(expected).test(error.message)
    ? `a message that says something else: ${error.message}`
    : null
}

// once without a fault: loads what is loaded once, and counts
fresh()
await run()
if (what === 'train') reference = await bitsOf('run')
if (what === 'sample') right = readFileSync('samples.csv', 'utf8')
fresh()
failAt(0)
await run()
const calls = failAt(0)
const tried = asked === 'all' ? calls : Number(asked)
const turns = Array.from({ length: tried }, (_, i) => 1 + Math.floor(((i + 0.5) * calls) / tried))
let [refused, faults] = [0, 0]
for (const n of turns) {
  fresh()
  say(`${n}\n`)
  let failed = null
  failAt(n)
  try {
    await run()
  } catch (error) {
    failed = error
    refused++
  }
  failAt(0)
  const wrong = (failed && wrongWith(failed)) ?? (await check(failed).catch((error) => `afterwards: ${error?.stack}`))
  if (wrong === null) continue
  faults++
  say(`${JSON.stringify({ what, how, n, wrong, failed: failed?.message })}\n`)
}
say(`${JSON.stringify({ what, how, calls, turns: turns.length, refused, faults })}\n`)
