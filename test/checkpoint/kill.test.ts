import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCheckpointTensors, readManifest } from '../../src/checkpoint/index.js'
import { RandomStream } from '../../src/random/stream.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-kill-'))
const program = join(dir, 'writer.mjs')

beforeAll(async () => {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: new URL('writer.ts', import.meta.url).pathname,
      outDir: dir,
      emptyOutDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'writer.mjs' } },
    },
    ssr: { noExternal: true },
  })
})
afterAll(() => rmSync(dir, { recursive: true }))

/** Starts the writer, kills it `delay` ms after its first checkpoint of this life, and tells the last one it reported. */
async function killedWriter(run: string, delay: number): Promise<number> {
  const child = spawn(process.execPath, [program, run], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_, signal) => resolve(signal)))
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text) => {
      output += text
      resolve()
    })
    child.on('close', (code) => reject(new Error(`the writer ended by itself with ${code}`)))
  })
  await wait(delay)
  child.kill('SIGKILL')
  expect(await ended).toBe('SIGKILL')
  return Number(output.trimEnd().split('\n').at(-1))
}

describe('a run folder whose writer is killed', () => {
  it('always loads, and is of one checkpoint in all its files', async () => {
    const run = join(dir, 'run')
    const random = new RandomStream(2026)
    let between = 0
    for (let life = 0; life < 15; life++) {
      const reported = await killedWriter(run, 40 * random.row(life).uniform())
      const manifest = await readManifest(run)
      const g = manifest.progress.step
      // What was reported is durable; at most one more had become true.
      expect(g).toBeGreaterThanOrEqual(reported)
      expect(g).toBeLessThanOrEqual(reported + 1)
      const frozen = g < 4 ? 1 : g - (g % 4)
      for (const [name, length, value] of [
        ['a.safetensors', 60_000, g],
        ['b.safetensors', 30_000, g],
        ['frozen.safetensors', 10_000, frozen],
      ] as const) {
        const { tensors } = await readCheckpointTensors(run, manifest, name)
        const values = tensors.get('values')?.values as Float32Array
        expect(values.length).toBe(length)
        expect(values.every((v) => v === value)).toBe(true)
      }
      if (readdirSync(run).length > 1 + manifest.files.length) between++
    }
    // The kills met the writer between the first new file and the last removal at least once, or they showed nothing.
    expect(between).toBeGreaterThan(0)
  })
})
