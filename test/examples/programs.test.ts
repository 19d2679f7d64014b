/** The example programs run, with few steps, and say what they promise. They are typed against src/ like everything else. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { built, workFolder } from '../cli/lfm.js'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const tsx = fileURLToPath(new URL('../../node_modules/tsx/dist/cli.mjs', import.meta.url))
// without a process of tsx around it, which would end at once when it is told to
const loader = String(new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url))
const work = workFolder()
const options = { cwd: work, env: { ...process.env, TMPDIR: work, STEPS: '10', PORT: '0' } }

beforeAll(() => {
  // a worker imports the package as it is built
  built()
})

const run = (name: string, ...args: string[]): string =>
  execFileSync(process.execPath, [tsx, join(examples, `${name}.ts`), ...args], {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** Programs, and a part of what each prints. */
const said: Readonly<Record<string, RegExp[]>> = {
  'own-csv': [
    /4500 rows to learn from, 500 to test with; columns height, weight, income/,
    /mean log-likelihood of the test rows: -\d+\.\d+ nats/,
    /the same samples after loading: true/,
  ],
  'abort-and-resume': [
    /session 2\n {2}checkpoint/,
    /20 steps in all; the report is .*report\.html/,
    /the same samples as after one session: true/,
  ],
  bayes: [/classes told right: \d+\.\d %/, /from the truth: \d\.\d+/],
  outliers: [/threshold -?\d+\.\d+ nats/, /of 100 outliers found, \d+ false alarms of 900/],
  kernels: [
    /softplus20 of -1, 0, 1: 0\.0000, 0\.0347, 1\.0000/,
    /a product by matMul: 7, 10, 15, 22/,
    /tfjs cpu: .* times as long/,
  ],
  worker: [/answer 1: samples \[10000, 2\], all finite: true/, /answer 3: samples \[1, 2\]/, /free meanwhile: true/],
}

test('fork: a flow passes the post on either side, where regression goes into it', () => {
  // its own number of steps
  const env = { ...options.env, STEPS: undefined }
  const args = [tsx, join(examples, 'fork.ts')]
  const printed = execFileSync(process.execPath, args, { ...options, env, encoding: 'utf8' })
  const shares = (name: string): number[] =>
    (new RegExp(`${name}: (.*)`).exec(printed)?.[1].match(/[\d.]+(?= %)/g) ?? []).map(Number)
  const [clear, below, above] = shares('flow')
  expect(clear).toBeGreaterThanOrEqual(98)
  expect(Math.min(below, above)).toBeGreaterThanOrEqual(35)
  expect(shares('regression')[0]).toBeLessThanOrEqual(60)
})

test('push-t: from demonstrations to an episode as a picture', () => {
  const env = { ...options.env, EPISODES: '10', STARTS: '2', FOLDER: work }
  const args = [tsx, join(examples, 'push-t/main.ts')]
  const printed = execFileSync(process.execPath, args, { ...options, env, encoding: 'utf8' })
  expect(printed).toMatch(/\d+ steps of 10 demonstrations\nsuccess \d\.\d+, largest reward \d\.\d+ in the mean/)
  const [, picture] = /an episode is in (.*)/.exec(printed)!
  expect(readFileSync(picture).subarray(1, 4).toString()).toBe('PNG')
})

test.each(Object.keys(said))('%s', (name) => {
  const printed = run(name, ...(name === 'kernels' ? ['64'] : []))
  for (const words of said[name]) expect(printed).toMatch(words)
  const [, folder] = /are in (\S+)/.exec(printed) ?? []
  if (name === 'own-csv') {
    expect(readFileSync(join(folder, 'samples.csv'), 'utf8').split('\n')[0]).toBe('height,weight,income')
    expect(existsSync(join(folder, 'run', 'manifest.json'))).toBe(true)
  }
})

test('pictures-folder', () => {
  const [, folder] = /16 samples are in (\S+)/.exec(run('pictures-folder')) ?? []
  expect(readdirSync(folder).filter((name) => name.endsWith('.png'))).toHaveLength(16)
})

test('stream-samples', () => {
  const lines = run('stream-samples', '9000').trimEnd().split('\n')
  expect(lines).toHaveLength(9001)
  expect(lines[0]).toBe('x,y')
  expect(lines.slice(1).every((line) => line.split(',').map(Number).every(Number.isFinite))).toBe(true)
  // no block is another's
  expect(lines[1]).not.toBe(lines[4097])
})

test('service: requests that meet are answered by one call, and it ends when it is told to', async () => {
  const service: ChildProcess = spawn(process.execPath, ['--import', loader, join(examples, 'service.ts')], options)
  const ended = once(service, 'exit')
  const printed: string[] = []
  try {
    const lines = createInterface({ input: service.stdout! })
    lines.on('line', (line) => printed.push(line))
    const [first] = await once(lines, 'line')
    const [url] = /http:\/\/localhost:\d+/.exec(first)!
    const ask = async (query: string) => {
      const response = await fetch(`${url}${query}`)
      return { status: response.status, body: (await response.json()) as { samples?: number[][]; error?: string } }
    }
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`/samples?n=${i + 1}`)))
    answers.forEach(({ status, body }, i) => {
      expect(status).toBe(200)
      expect(body.samples).toHaveLength(i + 1)
      expect(body.samples!.flat().every(Number.isFinite)).toBe(true)
    })
    const rows = new Set(answers.flatMap(({ body }) => body.samples!.map((row) => row.join())))
    expect(rows.size).toBe((20 * 21) / 2)
    const calls = printed.filter((line) => line.startsWith('one call'))
    expect(calls.length).toBeLessThan(20)
    expect((await ask('/samples?n=0')).status).toBe(400)
    expect((await ask('/')).status).toBe(404)
  } finally {
    service.kill('SIGTERM')
  }
  expect((await ended)[0]).toBe(0)
})

test('every program is tried here', () => {
  const programs = readdirSync(examples).flatMap((name) => (name.endsWith('.ts') ? [name.slice(0, -3)] : []))
  expect(programs.sort()).toEqual([...Object.keys(said), 'fork', 'pictures-folder', 'service', 'stream-samples'].sort())
})
