/** What a bench has measured is in its file at once: whoever ends it, at a limit of time say, keeps the rows until then. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { readResult } from '../../bench/result.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'lfm-kept-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a bench that is killed leaves the rows that it had', { timeout: 120_000 }, async () => {
  const file = join(folder, 'bench.json')
  // the second case would take far longer than the test
  const options =
    '--device reference --peer none --filter kernels/time_embedding --filter kernels/conv2d/64x64x3x3'.split(' ')
  const bench = spawn(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...options, '--quick', '--json', file], {
    cwd: root,
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => bench.once('exit', resolve))
  const rows = (): number => (readdirSync(folder).includes('bench.json') ? readResult(file).rows.length : 0)
  while (bench.exitCode === null && rows() === 0) await rest(50)
  bench.kill('SIGKILL')
  await ended
  const result = readResult(file)
  expect(result.rows.map(({ suite, shape }) => `${suite}/${shape}`)).toEqual(['kernels/time_embedding'])
  expect(result.unfinished).toBe(true)
  expect(readdirSync(folder)).toEqual(['bench.json'])
})
