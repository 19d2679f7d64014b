/**
 * A soak: `node test/trust/soak.mjs MINUTES [FOLDER]`. Trains run after run on a small disk (a tmpfs where it can be mounted),
 * kills a session with SIGKILL at a random moment, ends another by a signal, fills the disk for a while under a third; each is
 * gone on with from its last checkpoint. A run that has come to its end must hold the same bits, file by file, as the one that
 * was never disturbed, and nothing but what its manifest and its report name. Prints a line for each run and a summary as JSON.
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const minutes = Number(process.argv[2] ?? 60)
const work = process.argv[3] ?? join(tmpdir(), `lfm-soak-${process.pid}`)
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const { readCheckpointFile, readManifest } = await import('../../dist/checkpoint/index.js')
const disk = join(work, 'disk')
const DISK_MIB = 4

const config = (seed) => `
data: { kind: toy, name: moons, train: 4000, test: 100 }
model: { hidden: [64, 64] }
flow: { gammas: [0.1, 0.2, null] }
train: { steps: ${process.env.LFM_SOAK_STEPS ?? 12000}, batch: 200, checkpointEvery: 100 }
ode: { sample: { steps: 2 }, evaluate: { steps: 2 }, push: { steps: 4 } }
seed: ${seed}
device: native
`

let state = Number(process.env.LFM_SOAK_SEED ?? 1)
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

mkdirSync(disk, { recursive: true })
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk]).status === 0
const ballast = join(disk, 'ballast')

function begin(args) {
  const child = spawn(process.execPath, [main, ...args], { cwd: work, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(-4000)
  })
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stderr })))
  return { child, ended }
}

async function bitsOf(run) {
  const manifest = await readManifest(run)
  const bits = {}
  for (const { name } of manifest.files)
    bits[name] = Buffer.from(await readCheckpointFile(run, manifest, name)).toString('hex')
  return bits
}

const counts = { runs: 0, sessions: 0, kills: 0, signals: 0, fullDisks: 0, refusedForSpace: 0, checkpointsLoaded: 0 }
const failures = []
const fail = (what) => {
  failures.push(what)
  console.log(`FAILED: ${what}`)
}

/** What a run folder may hold beside the files of its manifest. */
const named = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png)$/

async function disturbedRun(seed, end) {
  const run = join(disk, `run-${seed}`)
  for (;;) {
    const there = readdirSync(run).length > 0 && (await readManifest(run).catch(() => null))
    const args = ['train', `${seed}.yaml`, '--out', run, ...(there ? ['--resume'] : [])]
    const { child, ended } = begin(args)
    counts.sessions++
    const draw = random()
    const delay = 500 + 12_000 * random() ** 2
    const timer = new AbortController()
    const moment = wait(delay, null, { signal: timer.signal }).then(async () => {
      if (draw < 0.6) {
        counts.kills++
        child.kill('SIGKILL')
      } else if (draw < 0.75) {
        counts.signals++
        child.kill(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'][Math.floor(4 * random())])
      } else if (mounted) {
        counts.fullDisks++
        try {
          writeFileSync(ballast, Buffer.alloc(DISK_MIB << 20))
        } catch {
          // full, as it should be
        }
        await wait(500 + 3000 * random())
        rmSync(ballast, { force: true })
      }
    })
    const { code, signal, stderr } = await ended
    timer.abort()
    await moment.catch(() => {})
    rmSync(ballast, { force: true })
    // a signal may come before anything has begun, and then ends the process as it ends any
    const stopped = signal !== null || [129, 130, 140, 143].includes(code)
    if (code === 1 && /no space is left/.test(stderr)) counts.refusedForSpace++
    else if (code !== 0 && !stopped) fail(`run ${seed}: a session ended with ${code ?? signal}: ${stderr.slice(-500)}`)
    const manifest = await readManifest(run).catch(() => null)
    if (manifest) {
      await bitsOf(run).catch((error) => fail(`run ${seed}: its checkpoint does not load: ${error.message}`))
      counts.checkpointsLoaded++
    }
    if (code === 0) return run
    if (Date.now() > end + 600_000) throw new Error('a run does not come to its end')
  }
}

const began = Date.now()
const end = began + 60_000 * minutes
try {
  for (let seed = 1; Date.now() < end; seed++) {
    writeFileSync(join(work, `${seed}.yaml`), config(seed))
    const whole = join(work, `whole-${seed}`)
    const { code, stderr } = await begin(['train', `${seed}.yaml`, '--out', whole]).ended
    if (code !== 0) throw new Error(`the undisturbed run ended with ${code}: ${stderr}`)
    mkdirSync(join(disk, `run-${seed}`))
    const run = await disturbedRun(seed, end)
    const [expected, got] = [await bitsOf(whole), await bitsOf(run)]
    const other = Object.keys(expected).filter((name) => expected[name] !== got[name])
    if (other.length > 0) fail(`run ${seed}: other bits in ${other.join(', ')}`)
    const files = new Set((await readManifest(run)).files.map(({ file }) => file))
    const strays = readdirSync(run).filter((name) => !named.test(name) && !files.has(name))
    if (strays.length > 0) fail(`run ${seed}: strays ${strays.join(', ')}`)
    counts.runs++
    console.log(
      `${Math.round((Date.now() - began) / 1000)} s: run ${seed} has the same bits; ${JSON.stringify(counts)}`,
    )
    rmSync(run, { recursive: true })
    rmSync(whole, { recursive: true })
  }
} finally {
  if (mounted) spawnSync('umount', [disk])
  rmSync(work, { recursive: true, force: true })
}
const hours = (Date.now() - began) / 3_600_000
console.log(JSON.stringify({ minutes: Math.round(60 * hours), mounted, ...counts, failures: failures.length }))
process.exitCode = failures.length > 0 ? 1 : 0
