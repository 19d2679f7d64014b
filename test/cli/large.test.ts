/** Tables that are larger, as numbers, than the memory that a training may take. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import {
  built,
  engine,
  json,
  jsonError,
  lfm,
  start,
  startProcess,
  tensorBits,
  untilCheckpoint,
  workFolder,
} from './lfm.js'

const levels = (count: number, i: number): string => `level ${(i * 7919 + Math.floor(i / count)) % count}`
const tableOf = (rows: number, columns: number, count: number): string => {
  const names = Array.from({ length: columns }, (_, j) => `c${j}`).join()
  const line = (i: number) =>
    [...Array.from({ length: columns }, (_, j) => levels(count, i * (j + 3) + j)), i % 97].join()
  return `${names},x\n${Array.from({ length: rows }, (_, i) => line(i)).join('\n')}\n`
}
const work = workFolder({
  'small.csv': tableOf(3000, 2, 40),
  'wide.csv': tableOf(90_000, 4, 128),
  'small.yaml': `
data:  { kind: table, path: small.csv, test: 50, validation: 50, memory: 1 MB }
model: { hidden: [16] }
flow:  { gammas: [0.3, null] }
train: { batch: 40, steps: [60, 60], checkpointEvery: 25 }
ode:   { steps: 2 }
device: ${engine}
`,
})
const command = (out: string, ...more: string[]): string[] => ['train', 'small.yaml', '--out', out, '--json', ...more]
const run = (args: readonly string[], fileLimit?: number) => lfm(args, { cwd: work, fileLimit })
const extraOf = async (out: string) =>
  (await readManifest(join(work, out))).extra as { window?: number; dataSha256: string; encoding: object }

beforeAll(async () => {
  built()
  json(await run(command('whole')))
}, 60_000)

describe('lfm train with data.memory', () => {
  it('learns in windows from the rows that it would have in memory, and leaves no file of them', async () => {
    json(await run(command('memory', '--set', 'data.memory=1 GB')))
    const [large, small] = [await extraOf('whole'), await extraOf('memory')]
    expect(large.window).toBeGreaterThan(40)
    expect(large.window).toBeLessThan(2900)
    expect(small.window).toBeUndefined()
    expect(large.dataSha256).toBe(small.dataSha256)
    expect(large.encoding).toEqual(small.encoding)
    expect(readdirSync(join(work, 'whole')).filter((name) => name.includes('rows'))).toEqual([])
    // the learned push is taken again by the one that goes on, and not kept
    expect(readdirSync(join(work, 'whole')).filter((name) => name.startsWith('pool'))).toEqual([])
  })

  it('goes on after a kill to the same bits', async () => {
    const session = start(command('killed'), { cwd: work })
    await untilCheckpoint(session, join(work, 'killed'), (at) => at.subFlow === 2 && at.step > 0)
    session.child.kill('SIGKILL')
    await session.ended
    expect(readdirSync(join(work, 'killed')).filter((name) => name.startsWith('.rows'))).toEqual([])
    json(await run(command('killed', '--resume')))
    expect(await tensorBits(join(work, 'killed'))).toEqual(await tensorBits(join(work, 'whole')))
  })

  it('names what needs all rows, parts that are too large, and a disk that takes no more', async () => {
    const failed = async (more: string[], fileLimit?: number): Promise<string> => {
      const ended = await run(command('failed', ...more), fileLimit)
      expect(ended.code).not.toBe(0)
      return jsonError(ended)!.message
    }
    expect(await failed(['--set', 'flow.coupling=optimal'])).toMatch(/^flow.coupling: optimal needs all training rows/)
    expect(await failed(['--set', 'data.test=2000'])).toMatch(
      /^Validation and test rows stay in memory: 2050 of 81 numbers take/,
    )
    expect(await failed(['--set', 'train.batch=2000'])).toMatch(
      /^train.batch asks for 2000 pairs, but a window has 385 rows of the 2900/,
    )
    const full = await failed([], 64)
    expect(full).toMatch(
      /^The rows, 1 MB while they are learnt from, cannot be written to \S*\.rows\S*: a file may not be that large/,
    )
    expect(full).not.toContain('\n')
  })

  it('takes the memory that it is given, and not that of the rows', async () => {
    const script = `
      import { run } from ${JSON.stringify(join(built(), 'index.js'))}
      const before = process.resourceUsage().maxRSS
      const flow = await run({
        data: { kind: 'table', path: 'wide.csv', test: 100, memory: process.argv[1] },
        model: { hidden: [8] }, flow: { plain: true }, train: { batch: 50, steps: 500 }, device: '${engine}',
      })
      console.log(JSON.stringify([90_000 * 4 * flow.rowShape[0], 1024 * (process.resourceUsage().maxRSS - before)]))
      await flow.dispose()`
    const bytes = async (memory: string): Promise<[rows: number, taken: number]> => {
      const node = [process.execPath, '--max-old-space-size=128', '--input-type=module', '-e', script, memory]
      return json<[number, number]>(await startProcess(node, { cwd: work }).ended)
    }
    const [[rows, little], [, much]] = [await bytes('60 MB'), await bytes('4 GB')]
    expect(rows).toBeGreaterThan(150e6)
    expect(much).toBeGreaterThan(1.5 * rows)
    expect(little).toBeLessThan(0.9 * rows)
  }, 120_000)
})
