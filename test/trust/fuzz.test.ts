/**
 * 10⁵ made-up and mutated files (in the short form some hundred) for all loaders, in processes with a limit on memory and a
 * watch over their time: none ends or hangs the process, none takes more than 4 times its size and 64 MiB, and every refusal is
 * an error of the library that a terminal may show.
 */

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { built, lfm, workFolder } from '../cli/lfm.js'
import { patience, tries } from './forms.js'

built()
const child = new URL('./fuzz-child.mjs', import.meta.url).pathname
// @ts-expect-error a file of JavaScript, for the child's sake
const { config, kinds } = (await import('./fuzz-cases.mjs')) as { config: object; kinds: string[] }
const cwd = workFolder({ 'a.yaml': JSON.stringify({ ...config, device: 'reference' }) })
const ALL = tries(600, 100_000)
/** A batch is run by one process. */
const BATCH = 2000
/** No sign of life for so long: hung. Far more than the two seconds that a case has, which it counts itself. */
const HUNG_MS = 60_000
// a JavaScript engine reserves addresses by the gigabyte, and more for the WebAssembly that unpacks Parquet: the limit is on what a
// file could make it take beside
const kibOfAddresses = (kind: string): number => (kind === 'parquet' ? 24 << 20 : 8 << 20)

interface Batch {
  cases: number
  refusals: number
  failures: number
  slowestMs: number
  largestMiB: number
  wrong: string[]
}

function runBatch(kind: string, first: number | 'corpus', count: number): Promise<Batch> {
  const args = [child, kind, String(first), String(count), join(cwd, 'run/manifest.json'), join(cwd, 'exported')]
  const command = `ulimit -v ${kibOfAddresses(kind)}; exec "$0" "$@"`
  return new Promise((resolve, reject) => {
    const process_ = spawn('bash', ['-c', command, process.execPath, '--max-old-space-size=512', ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, UV_THREADPOOL_SIZE: '2', VIPS_CONCURRENCY: '1' },
    })
    let [stdout, stderr, last] = ['', '', '']
    let watch = setTimeout(() => {}, 0)
    const alive = (text: string): void => {
      last = text.trimEnd().split('\n').at(-1) ?? last
      clearTimeout(watch)
      watch = setTimeout(() => process_.kill('SIGKILL'), HUNG_MS)
    }
    alive('start')
    process_.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    process_.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    ;(process_.stdio[3] as NodeJS.ReadableStream).setEncoding('utf8').on('data', alive)
    process_.on('close', (code, signal) => {
      clearTimeout(watch)
      const lines = stdout.trimEnd().split('\n')
      if (code !== 0)
        reject(new Error(`${kind}, case ${last}: the process ended with ${code ?? signal}. ${stderr.slice(-2000)}`))
      else {
        // a library underneath that prints what it thinks of a file quotes it to the terminal
        const printed = stderr === '' ? [] : [`${kind} prints: ${stderr.slice(0, 500)}`]
        resolve({ ...JSON.parse(lines.at(-1) as string), wrong: [...lines.slice(0, -1), ...printed] })
      }
    })
  })
}

describe('files that nobody should have made', () => {
  beforeAll(async () => {
    const { code, stderr } = await lfm(['train', 'a.yaml', '--out', 'run'], { cwd })
    expect(stderr, stderr).not.toMatch(/lfm:/)
    expect(code).toBe(0)
    expect(existsSync(join(cwd, 'run/manifest.json'))).toBe(true)
    expect((await lfm(['export', 'run', '--to', 'pytorch', '--out', 'exported'], { cwd })).code).toBe(0)
    expect(readFileSync(join(cwd, 'run/manifest.json'), 'utf8')).toContain('"done"')
  })

  it('those that were once taken wrongly are refused by an error, or read', async () => {
    const names = readdirSync(new URL('./corpus/', import.meta.url))
    for (const kind of new Set(names.map((name) => name.split('-')[0]))) {
      expect(kinds).toContain(kind)
      const { cases, wrong } = await runBatch(kind, 'corpus', 0)
      expect(cases).toBe(names.filter((name) => name.startsWith(`${kind}-`)).length)
      expect(wrong).toEqual([])
    }
  })

  for (const kind of kinds) {
    it(
      `${kind}: are refused by an error, or read`,
      async () => {
        const total = Math.ceil(ALL / kinds.length)
        const all: Batch = { cases: 0, refusals: 0, failures: 0, slowestMs: 0, largestMiB: 0, wrong: [] }
        for (let first = 0; first < total; first += BATCH) {
          const batch = await runBatch(kind, first, Math.min(BATCH, total - first))
          all.cases += batch.cases
          all.refusals += batch.refusals
          all.failures += batch.failures
          all.slowestMs = Math.max(all.slowestMs, batch.slowestMs)
          all.largestMiB = Math.max(all.largestMiB, batch.largestMiB)
          all.wrong.push(...batch.wrong)
        }
        const { wrong, ...counts } = all
        console.log(JSON.stringify({ kind, ...counts }))
        expect(wrong.slice(0, 5)).toEqual([])
        // most are refused, or nothing was tried
        expect(all.refusals).toBeGreaterThan(all.cases / 10)
      },
      patience(60_000),
    )
  }
})
