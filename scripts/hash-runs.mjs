/**
 * Trains small runs through the command line and prints the SHA-256 of their parameters, samples and scores: what a change
 * that must not change any result is held against, before and after. An MLP with every kind of path and pairing, one that is
 * killed and resumed, and a UNet on mirrored pixels, on each engine.
 *
 *     node scripts/hash-runs.mjs [--root another checkout] [--device native] [--device webgpu]
 */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: given } = parseArgs({
  options: { root: { type: 'string' }, device: { type: 'string', multiple: true, default: ['native', 'webgpu'] } },
})
const root = resolve(given.root ?? dirname(dirname(fileURLToPath(import.meta.url))))
const work = mkdtempSync(join(tmpdir(), 'lfm-hashes-'))
const env = { ...process.env, LFM_AUTOTUNE: 'off', LFM_THREADS: '2' }
const program = join(root, 'dist/cli/main.js')

const mlp = (flow, more = '') => `
data:  { kind: toy, name: moons, train: 3000, test: 50 }
model: { hidden: [31, 24], activation: softplus20, fourier: [0.8] }
flow:  ${flow}
train: { batch: 500, steps: 60, lr: 0.004, warmup: 5, ema: 0.99, clip: 1, checkpointEvery: 20 }
ode:   { steps: 3 ${more} }
seed:  5
`
const configs = {
  'mlp linear dependent': mlp('{ gammas: [0.1, 0.3, null] }'),
  'mlp trig shuffled': mlp('{ gammas: [0.1, null], interpolant: trig, coupling: shuffled, timesPerPair: 2 }'),
  'mlp mixed independent, beta times': mlp(
    '{ gammas: [0.1, null], interpolant: [linear, trig], coupling: independent, time: { beta: [1, 0.5] }, outputScale: true }',
  ),
  'mlp plain, dopri5': mlp('{ plain: true, interpolant: trig }', ', sample: { solver: dopri5 }'),
  'unet pixels, mirrored': `
data:  { kind: npy, path: pixels.npy, train: 60, test: 4, flips: true }
model: { kind: unet, width: 8, groups: 4, multipliers: [1, 2], attention: [4], headChannels: 8, dropout: 0.1 }
flow:  { gammas: [0.2, null] }
train: { batch: 12, steps: 6, sampling: replacement }
ode:   { solver: midpoint, steps: 2, evaluate: { trace: hutchinson, probes: 2 } }
seed:  5
`,
}

/** Pictures [64, 1, 8, 8] of bytes that are no noise, in NumPy's format. */
function pixels() {
  const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (64, 1, 8, 8), }"
  const padded = `${header}${' '.repeat(117 - header.length)}\n`
  const bytes = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i * i * 7 + (i >> 6) * 31) % 251)
  const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0)
  return Buffer.concat([magic, Buffer.from(padded), bytes])
}

const lfm = (...words) => {
  const { status, stderr } = spawnSync(process.execPath, [program, ...words], { cwd: work, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`lfm ${words.join(' ')}: ${stderr}`)
}
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16)

/** Starts a training, interrupts it once its second checkpoint is there, and goes on with it. */
async function interrupted(words, folder) {
  const child = spawn(process.execPath, [program, ...words], { cwd: work, env, stdio: 'ignore' })
  const ended = new Promise((done) => {
    child.on('exit', done)
  })
  for (;;) {
    await new Promise((done) => {
      setTimeout(done, 20)
    })
    const manifest = join(work, folder, 'manifest.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).progress.step >= 20) break
  }
  child.kill('SIGINT')
  await ended
  lfm(...words, '--resume')
}

try {
  writeFileSync(join(work, 'pixels.npy'), pixels())
  for (const device of given.device) {
    for (const [name, config] of Object.entries(configs)) {
      writeFileSync(join(work, 'config.yaml'), config)
      const folders = name === 'mlp linear dependent' ? ['run', 'resumed'] : ['run']
      for (const folder of folders) {
        const words = ['train', 'config.yaml', '--out', folder, '--device', device]
        if (folder === 'resumed') await interrupted(words, folder)
        else lfm(...words, '--force')
        lfm('sample', folder, '-n', '70', '-o', 'samples.npy')
        const { files } = JSON.parse(readFileSync(join(work, folder, 'manifest.json'), 'utf8'))
        const parameters = files.filter((file) => /^(stage|subflow)-/.test(file.name)).map((file) => file.sha256)
        lfm('score', folder, 'samples.npy', '-o', 'scores.npy')
        const hashes = [
          sha(parameters.join()),
          ...['samples.npy', 'scores.npy'].map((file) => sha(readFileSync(join(work, file)))),
        ]
        process.stdout.write(
          `${device.padEnd(7)} ${hashes.join(' ')} ${name}${folder === 'resumed' ? ', resumed' : ''}\n`,
        )
        if (folder === 'resumed') rmSync(join(work, folder), { recursive: true })
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
