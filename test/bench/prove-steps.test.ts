/** The steps of `run.sh prove` ask the bench for cases that there are, and each says its limit and its files. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { selectCases } from '../../bench/cases.js'
import { parseOptions } from '../../bench/options.js'

interface Step {
  readonly name: string
  readonly limit: { readonly full: number; readonly small: number }
  readonly command: readonly string[] | (() => readonly string[])
  readonly files: readonly string[]
}
type Steps = (context: { node: string; app: string; out: string; small: boolean }) => Step[]

const module = '../../scripts/gpu-host/prove/steps.mjs'
const { steps, slowest } = (await import(module)) as { steps: Steps; slowest: Steps }

const folder = mkdtempSync(join(tmpdir(), 'lfm-prove-'))
afterAll(() => rmSync(folder, { recursive: true }))
const row = (shape: string, peakShare: number | null, peer: string | null = null) => ({
  suite: 'step',
  shape,
  peer,
  peakShare,
})

describe.each([true, false])('prove, small: %s', (small) => {
  const context = { node: 'node', app: '.', out: folder, small }
  const all = steps(context)

  test('bench steps name cases and peers', () => {
    const benches = all.filter(({ name }) => name.startsWith('bench-'))
    expect(benches.length).toBeGreaterThan(3)
    for (const { command, files } of benches) {
      const given = command as readonly string[]
      const { filters, json } = parseOptions(given.slice(given.indexOf('bench/main.ts') + 1))
      expect(selectCases(filters).length).toBeGreaterThan(0)
      expect(json).toBe(join(folder, files[0]))
    }
  })

  test('what is right comes first, and all of it, profiles and choices included, has its time', () => {
    const names = [...all, ...slowest(context)].map(({ name }) => name)
    expect(names.slice(0, 4)).toEqual(['devices', 'parity', 'learning', 'unet'])
    expect(names.slice(-2)).toEqual(['profiles', 'tuner'])
    for (const { limit } of all) expect(limit[small ? 'small' : 'full']).toBeLessThanOrEqual(180)
  })
})

test('profiles are of the rows that are furthest from the peak, once each', () => {
  const files = {
    a: [row('x', 0.5), row('y', 0.1), row('z', null)],
    b: [row('w', 0.3), row('v', 0.2), row('y', 0.2), row('u', 0.01, 'tfjs')],
  }
  for (const [name, rows] of Object.entries(files))
    writeFileSync(join(folder, `bench-${name}.json`), JSON.stringify({ rows }))
  const [profiles] = slowest({ node: 'node', app: '.', out: folder, small: false })
  const command = (profiles.command as () => readonly string[])()
  expect(command.filter((_, i) => command[i - 1] === '--filter')).toEqual(['step/y', 'step/v', 'step/w'])
})
