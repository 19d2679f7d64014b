/** Packages with native parts that npm left out are named before any work, and only what needs them is left out. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { built, type Ended, engine, json, lfm, readText, workFolder } from './lfm.js'

const config = `
data:  { kind: toy, name: moons, train: 500, test: 50 }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 20 }
ode:   { steps: 2 }
device: ${engine}
`
const work = workFolder({
  'toy.yaml': config,
  'compare.yaml': `${config.replace('test: 50', 'validation: 50, test: 50')}
compare: { seeds: [1], evaluations: [4], samples: 40, blocks: [width] }
methods: { one: {}, other: { flow: { recipe: plain } } }
`,
})
const without = (missing: string, args: string[]): Promise<Ended> =>
  lfm(args, {
    cwd: work,
    env: {
      LFM_TEST_MISSING: missing,
      NODE_OPTIONS: `--import ${join(import.meta.dirname, 'without-native-parts.mjs')}`,
    },
  })

beforeAll(() => {
  built()
})

describe.each(['sharp', '@resvg/resvg-js'])('without %s', (missing) => {
  const run = missing.slice(1, 4)

  it('training says so first, trains, and writes a report without pictures', async () => {
    const ended = await without(missing, ['train', 'toy.yaml', '--out', run, '--json'])
    const { finalLosses } = json<{ finalLosses: number[] }>(ended)
    expect(finalLosses.every(Number.isFinite)).toBe(true)
    const said = ended.stderr.indexOf(`The report will have no pictures. The package ${missing}`)
    expect(said).toBeGreaterThanOrEqual(0)
    expect(said).toBeLessThan(ended.stderr.indexOf('sub-flow 1/2'))
    expect(ended.stderr).toContain(`npm install --include=optional ${missing} brings it`)
    expect(ended.stderr).not.toMatch(/^\s+at /m)
    const page = readText(work, run, 'report.html')
    expect(page).toContain('There are no pictures: The package')
    expect(page).not.toContain('<img')
    expect(page).toMatch(/16 function evaluations/)
    expect(existsSync(join(work, run, 'samples.png'))).toBe(false)
  }, 60_000)

  it('samples go into a table, and a picture of them is refused before they are drawn', async () => {
    expect((await without(missing, ['sample', run, '-n', '5', '-o', `${run}.csv`])).code).toBe(0)
    expect(readText(work, `${run}.csv`).trimEnd().split('\n')).toHaveLength(6)
    const { code, stderr } = await without(missing, ['sample', run, '-n', '5', '-o', `${run}.png`])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      new RegExp(`^lfm: The package ${missing}, which .*cannot be loaded for .*brings it\\.$`, 'm'),
    )
    expect(existsSync(join(work, `${run}.png`))).toBe(false)
  }, 60_000)

  it('evaluating and comparing say so first, and write their figures without curves', async () => {
    const evaluated = await without(missing, ['evaluate', run, '--samples', '40'])
    expect(evaluated.code, evaluated.stderr).toBe(0)
    expect(evaluated.stdout).toContain('Negative log-likelihood of 50 test rows')
    expect(evaluated.stderr).toContain(`The report will have no curve. The package ${missing}`)
    expect(readText(work, run, 'report.html')).toContain('nats a point')
    const compared = await without(missing, ['compare', 'compare.yaml', '--out', `${run}-compared`])
    expect(compared.code, compared.stderr).toBe(0)
    const said = compared.stderr.indexOf(`The page will have no curves. The package ${missing}`)
    expect(said).toBeGreaterThanOrEqual(0)
    expect(said).toBeLessThan(compared.stderr.indexOf('Row 1 of'))
    expect(readText(work, `${run}-compared`, 'compare.md')).toContain('one')
    const page = readText(work, `${run}-compared`, 'compare.html')
    expect(page).toContain('There are no curves: The package')
    expect(page).not.toContain('<img')
  }, 120_000)

  it('and where it is there again, the pictures are made by --resume', async () => {
    const ended = await lfm(['train', 'toy.yaml', '--out', run, '--resume'], { cwd: work })
    expect(ended.code).toBe(0)
    expect(existsSync(join(work, run, 'samples.png'))).toBe(true)
    expect(readText(work, run, 'report.html')).not.toContain('There are no pictures')
  }, 60_000)
})
