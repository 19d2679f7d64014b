/**
 * Run by failing.test.ts and failing-memory.test.ts: `failing-run.mjs WHAT HOW TURNS FOLDER`. Does a command (train; sub-flow and
 * join, which train a chain in parts; evaluate; sample into .csv, and npy into .npy) again and again, and at each turn another call or allocation fails: the n-th, or all from the n-th on. What fails them
 * is a layer that was loaded before: failing.mjs or failing-memory.cc. The commands run in this process, which must live through
 * all of it; where HOW is `kill`, each in a process of its own that is killed before its n-th call, and what comes afterwards here.
 * TURNS is «all», or how many that are spread over the whole. FOLDER holds a.yaml. After each turn: what was thrown is an error of
 * the library, the folder loads, and going on ends in the bits of a run that nothing happened to, with nothing left over. Prints
 * the number of each turn, a line of JSON for each fault, and counts in the last.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import './blank-pictures.mjs'
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
  const known = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png|sub-flow-\d)$/
  return readdirSync(run).filter((name) => !stored.has(name) && !known.test(name))
}
const training = (out, resume) => train('a.yaml', { out, set: [], resume })
const set = ['flow.push=simulated', 'flow.warmStart=false']
/** Trains one of the two sub-flows alone. */
const part = (number, resume) => train('a.yaml', { out: 'run', set, subFlow: number, resume })
/** A run that was joined is one like any other: it is gone on with. */
const joining = (resume) => train('a.yaml', { out: 'run', set, ...(resume ? { resume } : { join: true }) })
const npy = what === 'npy'
const samples = npy ? 'samples.npy' : 'samples.csv'
const sampling = () => sample('whole', { n: 10, output: samples })

if (!['train', 'sub-flow', 'join'].includes(what) && !existsSync('whole')) await training('whole')
let reference = existsSync('whole') ? await bitsOf('whole') : ''
let right = ''

const anew = () => rmSync('run', { recursive: true, force: true })
/** What is wrong with a training's folder, which is gone on with. */
const trained = (run, goOn) => async (failed) => {
  const there = existsSync(join(run, 'manifest.json'))
  if (there) {
    await bitsOf(run)
    if (!failed && (await readManifest(run)).progress.phase !== 'done') return 'it did not end'
  } else if (!failed) return 'nothing was written'
  if (failed instanceof Error && there && !/Kept: |cannot be written|cannot be used/.test(failed.message))
    return 'it does not say what is kept'
  await goOn(there)
  if ((await bitsOf(run)) !== reference) return 'it went on to other bits'
  const left = await strays(run)
  return left.length > 0 ? `strays: ${left.join(', ')}` : null
}
const sampled = {
  fresh() {},
  run: sampling,
  async check() {
    if (readFileSync(samples, 'latin1') !== right) return 'another file of samples'
    await sampling()
    if (readFileSync(samples, 'latin1') !== right) return 'other samples'
    const left = readdirSync('.').filter((name) => name.endsWith('.tmp'))
    return left.length > 0 ? `strays: ${left.join(', ')}` : null
  },
}

const commands = {
  train: {
    folder: 'run',
    fresh: anew,
    run: () => training('run', false),
    check: trained('run', (there) => training('run', there)),
  },
  'sub-flow': {
    folder: 'run/sub-flow-2',
    fresh: anew,
    run: () => part(2, false),
    check: trained('run/sub-flow-2', (there) => part(2, there)),
  },
  join: {
    folder: 'run',
    fresh() {
      anew()
      cpSync('parts', 'run', { recursive: true })
    },
    run: () => joining(false),
    check: trained('run', joining),
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
  sample: sampled,
  npy: sampled,
}

if (what === 'join') {
  for (const number of [1, 2]) await part(number, false)
  cpSync('run', 'parts', { recursive: true })
}
const { fresh, run, check, folder: made } = commands[what]

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const commandLine = {
  train: ['train', 'a.yaml', '--out', 'run'],
  'sub-flow': ['train', 'a.yaml', '--out', 'run', '--sub-flow', '2', ...set.flatMap((one) => ['--set', one])],
  join: ['train', 'a.yaml', '--out', 'run', '--join', ...set.flatMap((one) => ['--set', one])],
  evaluate: ['evaluate', 'run'],
  sample: ['sample', 'whole', '-n', '10', '-o', samples],
  npy: ['sample', 'whole', '-n', '10', '-o', samples],
}[what]
/** The command in a process of its own, killed before its n-th call; 0: not. Returns how many there were, null when it was. */
function runAndKill(n) {
  const layers = ['failing.mjs', 'blank-pictures.mjs'].flatMap((name) => ['--import', here(name)])
  const counted = join(folder, 'calls')
  const env = { LFM_FAIL_UNDER: `${folder}/`, LFM_FAIL_AT: String(n), LFM_FAIL_HOW: how, LFM_FAIL_COUNT: counted }
  const args = [...layers, here('../../dist/cli/main.js'), ...commandLine]
  const { status, signal, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...env } })
  if (signal === 'SIGKILL') return null
  if (status !== 0) throw new Error(`it ended with ${status ?? signal}: ${stderr}`)
  return Number(readFileSync(counted, 'utf8'))
}

/** What is wrong with what a command threw; null: nothing. */
function wrongWith(error) {
  if (!(error instanceof LocalFlowError)) return `${error?.name}: ${String(error?.stack).slice(0, 800)}`
  const expected = process.env.LFM_FAIL_MESSAGE
  return expected && !new RegExp(expected).test(error.message)
    ? `a message that says something else: ${error.message}`
    : null
}

/** Runs the command, whose n-th call fails. Returns what it threw, or «killed»; null: it ended well. */
async function attempt(n) {
  if (how === 'kill') return runAndKill(n) === null ? 'killed' : null
  failAt(n)
  try {
    await run()
    return null
  } catch (error) {
    return error
  } finally {
    failAt(0)
  }
}

async function countCalls() {
  fresh()
  if (how === 'kill') return runAndKill(0)
  failAt(0)
  await run()
  return failAt(0)
}

// once without a fault: loads what is loaded once
fresh()
await run()
if (made) reference = await bitsOf(made)
if (what === 'sample' || npy) right = readFileSync(samples, 'latin1')
const calls = await countCalls()
const tried = asked === 'all' ? calls : Number(asked)
const turns = Array.from({ length: tried }, (_, i) => 1 + Math.floor(((i + 0.5) * calls) / tried))
let [refused, faults] = [0, 0]
for (const n of turns) {
  fresh()
  say(`${n}\n`)
  const failed = await attempt(n)
  if (failed !== null) refused++
  const bad = how === 'kill' ? (failed === null ? 'it was not killed' : null) : failed && wrongWith(failed)
  const wrong = bad ?? (await check(failed).catch((error) => `afterwards: ${error?.stack}`))
  if (wrong === null) continue
  faults++
  say(`${JSON.stringify({ what, how, n, wrong, failed: failed?.message })}\n`)
}
say(`${JSON.stringify({ what, how, calls, turns: turns.length, refused, faults })}\n`)
