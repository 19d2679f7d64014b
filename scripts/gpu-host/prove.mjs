/**
 * sh run.sh prove: everything that is claimed of the WebGPU device, on this machine, within minutes. Steps run one after the
 * other, each in a process of its own with a time limit and files of its own in the results' folder; prove.json says after
 * every step what is done. What is ended at any moment leaves the files until then. Called again it goes on with what is
 * not done yet.
 *
 *     node prove.mjs --out FOLDER [--only NAME …] [--again] [--small] [--seconds N]
 *
 *   --only NAME   steps of this name, or whose name begins with it: parity, bench, bench-rose; may be repeated
 *   --again       also those that are done
 *   --small       sizes for a software adapter: a rehearsal
 *   --seconds N   time for all steps (default 540); what it leaves no time for is left out
 */

import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { slowest, steps } from './prove/steps.mjs'

const app = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'results' },
    only: { type: 'string', multiple: true, default: [] },
    again: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '540' },
  },
})
const out = resolve(values.out)
mkdirSync(out, { recursive: true })
const summary = join(out, 'prove.json')
const end = Date.now() + 1000 * Number(values.seconds)
/** Of a process that was told to end, before it is killed. */
const GRACE_MS = 2000
/** A step is not begun with less. */
const LEAST_S = 3

const commit = process.env.LFM_COMMIT ?? null
const known = (() => {
  try {
    const earlier = JSON.parse(readFileSync(summary, 'utf8'))
    // of other sources, or of other sizes, nothing is done
    if (earlier.commit === commit && earlier.small === values.small) return earlier
  } catch {
    // there is none yet
  }
  return { commit, small: values.small, steps: {} }
})()

function write() {
  writeFileSync(`${summary}.part`, `${JSON.stringify(known, null, 2)}\n`)
  renameSync(`${summary}.part`, summary)
}

const wanted = (name) =>
  values.only.length === 0 || values.only.some((only) => name === only || name.startsWith(`${only}-`))

// a software adapter compiles for minutes what the tuner would like to compare
const env = { ...process.env, ...(values.small && { LFM_AUTOTUNE: 'off' }) }

/** Runs a step's process within its time; resolves to its exit status, null where its time was up. */
function run(name, [command, ...args], seconds) {
  const log = createWriteStream(join(out, `${name}.log`))
  const child = spawn(command, args, { cwd: app, detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] })
  current = child
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  return new Promise((done) => {
    let late = false
    const timer = setTimeout(() => {
      late = true
      stop(child, 'SIGTERM')
      setTimeout(() => stop(child, 'SIGKILL'), GRACE_MS).unref()
    }, 1000 * seconds)
    child.on('error', (error) => {
      clearTimeout(timer)
      log.end(`${error.message}\n`)
      done(1)
    })
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      log.end(signal ? `ended by ${signal}\n` : '')
      done(late ? null : (status ?? 1))
    })
  })
}

/** The process, and those that it started. */
function stop(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch {
    // gone already
  }
}

let current
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    if (current) stop(current, 'SIGKILL')
    process.exit(143)
  })
}

write()
const context = { node: process.execPath, app, out, small: values.small }
/** What is worth saying of a step that is done: its last line. */
const lastLine = (name) =>
  readFileSync(join(out, `${name}.log`), 'utf8')
    .trim()
    .split('\n')
    .at(-1)
    .slice(0, 200)
for (const step of [...steps(context), ...slowest(context)]) {
  const { name, limit } = step
  if (!wanted(name)) continue
  if (known.steps[name]?.status === 'passed' && !values.again) {
    console.log(`${name}: done before`)
    continue
  }
  const left = (end - Date.now() - GRACE_MS) / 1000
  if (left < LEAST_S) {
    known.steps[name] = { status: 'no time' }
    console.log(`${name}: left out, there is no time`)
    write()
    continue
  }
  const seconds = Math.min(values.small ? limit.small : limit.full, left)
  known.steps[name] = { status: 'running', limit: Math.round(seconds), began: new Date().toISOString() }
  write()
  const began = Date.now()
  const status = await run(name, typeof step.command === 'function' ? step.command() : step.command, seconds)
  const verdict = status === 0 ? 'passed' : status === null ? 'cut' : 'failed'
  known.steps[name] = {
    status: verdict,
    seconds: (Date.now() - began) / 1000,
    limit: Math.round(seconds),
    files: [`${name}.log`, ...step.files].filter((file) => existsSync(join(out, file))),
  }
  write()
  console.log(`${name}: ${verdict} after ${known.steps[name].seconds.toFixed(1)} s; ${lastLine(name)}`)
}
const verdicts = Object.values(known.steps).map(({ status }) => status)
const number = (status) => verdicts.filter((one) => one === status).length
console.log(
  `prove: ${number('passed')} steps passed, ${number('failed')} failed, ${number('cut')} cut at their limit, ` +
    `${number('no time')} left out; ${summary}`,
)
// what an earlier call left unfinished is not this one's failure where it was not asked for
const asked = Object.entries(known.steps).filter(([name]) => wanted(name))
process.exitCode = asked.every(([, { status }]) => status === 'passed') ? 0 : 1
