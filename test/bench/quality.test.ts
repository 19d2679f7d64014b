/** The tool of the quality tables: what it plans, what it keeps, and that every setting and example is a config. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { assignmentsOf, baseConfig, makeRun } from '../../bench/quality/make-run.js'
import { hashOfPicture, type PictureResults, pictureResults, pictureTable } from '../../bench/quality/pictures.js'
import { missingRuns, planRuns, selectGroups } from '../../bench/quality/plan.js'
import { findRow, keyOf, type Row, readRows, withRow, writeRows } from '../../bench/quality/results.js'
import { comparisons, type Group, groups } from '../../bench/quality/settings.js'
import { likelihoodTable, searchTable, sizesTable, spreadOf } from '../../bench/quality/tables.js'
import { octaves, setFor } from '../../bench/quality/words.js'
import { applyOverrides, type MlpModel, readConfig, resolveConfig } from '../../src/config/index.js'
import { openReference } from '../../src/device/reference/device.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-quality-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const group: Group = {
  title: 'two',
  parts: ['test'],
  seeds: [5, 6],
  settings: [
    { name: 'a', label: 'first', set: ['train.lr=0.1'] },
    { name: 'b', label: 'second', set: [], pictures: ['tree'] },
  ],
}
const both = { two: group }

const row = (run: string, seed: number, kl: number, more: Partial<Row> = {}): Row => ({
  run,
  picture: 'rose',
  seed,
  set: ['train.lr=0.1'],
  parts: { test: { rows: 10, nll: 2 + kl, entropy: 2, kl, solverChange: 0 } },
  subFlows: 2,
  parameters: 100,
  steps: 10,
  batch: 5,
  evaluations: { sample: 64, likelihood: 160 },
  teraflop: { training: 1.25, push: 0.5 },
  seconds: { training: 10, push: 2 },
  machine: 'a machine',
  date: '2026-01-01T00:00:00.000Z',
  ...more,
})

describe('settings', () => {
  it.each(Object.entries(groups))(
    'of %s resolve, spend 12 000 steps of 2000 rows, and have names of their own',
    async (_, group) => {
      const base = await readConfig(baseConfig)
      const names = group.settings.map(({ name }) => name)
      expect(new Set(names).size).toBe(names.length)
      for (const [setting, picture] of group.settings.flatMap((s) => [[s, 'rose'] as const, [s, 'tree'] as const])) {
        const { name } = setting
        const { train, data } = resolveConfig(applyOverrides(base, setFor(setting, picture)), name)
        expect(train.batch * train.steps.reduce((sum, steps) => sum + steps, 0), name).toBe(12_000 * 2000)
        for (const part of group.parts) expect(data[part], name).toBeGreaterThan(0)
      }
    },
  )

  it('have octaves from the period of the whole picture on', () => {
    const base = resolveConfig(applyOverrides({ data: { kind: 'toy', name: 'moons' } }, [octaves(3)]))
    const { fourier } = base.model as MlpModel
    expect(fourier).toHaveLength(3)
    fourier.forEach((frequency, k) => {
      expect(frequency * 8).toBeCloseTo(2 * Math.PI * 2 ** k, 4)
    })
  })
})

it.each([
  ['rose', 'four-256', 'rose'],
  ['tree', 'four-256', 'tree'],
  ['demo', 'four-100', 'rose'],
] as const)('examples/%s.yaml has the settings of %s', async (example, name, picture) => {
  const chosen = groups.best.settings.find((setting) => setting.name === name)!
  const best = resolveConfig(applyOverrides(await readConfig(baseConfig), setFor(chosen, picture)))
  const path = fileURLToPath(new URL(`../../examples/${example}.yaml`, import.meta.url))
  const { data, model, flow, train, ode, seed } = resolveConfig(await readConfig(path))
  const { checkpointEvery } = train
  expect({ model, flow, ode, seed }).toEqual({ model: best.model, flow: best.flow, ode: best.ode, seed: best.seed })
  expect(train).toEqual({ ...best.train, checkpointEvery })
  expect(data).toEqual({ ...best.data, path: `${picture}.png` })
})

it("README's table is that of the repository's own picture", () => {
  const { sha256, rows }: PictureResults = JSON.parse(readFileSync(pictureResults, 'utf8'))
  expect(sha256).toBe(hashOfPicture())
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
  const [, table] = /<!-- quality table -->\n(.*?)\n<!-- \/quality table -->/s.exec(readme)!
  expect(table).toBe(pictureTable(rows))
})

describe('planning', () => {
  it('makes the first seed of everything before the second of anything', () => {
    const runs = planRuns({ ...both, more: { ...group, settings: [group.settings[1]] } }, { groups: [], filters: [] })
    expect(runs.map(({ group, run, picture, seed }) => `${group} ${run} ${picture} ${seed}`)).toEqual([
      'two a rose 5',
      'two a tree 5',
      'two b tree 5',
      'more b tree 5',
      'two a rose 6',
      'two a tree 6',
      'two b tree 6',
      'more b tree 6',
    ])
  })

  it('takes the runs that each kind of filter names', () => {
    const names = (...filters: string[]): string[] =>
      planRuns(both, { groups: ['two'], filters }).map(({ run, picture, seed }) => `${run} ${picture} ${seed}`)
    expect(names('tree', '6')).toEqual(['a tree 6', 'b tree 6'])
    expect(names('a', 'rose')).toEqual(['a rose 5', 'a rose 6'])
    expect(() => names('c')).toThrow(
      /--filter 'c' names no setting, picture or seed\. There are\n {2}a, b\n {2}rose, tree\n {2}5, 6$/,
    )
    expect(() => selectGroups(both, ['three'])).toThrow("'three' is not a group of settings. The groups are two.")
  })

  it('leaves out what is there, and not what was made with other settings or lacks a part', () => {
    const runs = planRuns(both, { groups: [], filters: ['a', 'rose'] })
    const missing = (...rows: Row[]): number[] => missingRuns(runs, () => rows).map(({ seed }) => seed)
    expect(missing()).toEqual([5, 6])
    expect(missing(row('a', 6, 0.1))).toEqual([5])
    expect(missing(row('a', 6, 0.1, { set: ['train.lr=0.2'] }))).toEqual([5, 6])
    expect(missing(row('a', 6, 0.1, { parts: {} }))).toEqual([5, 6])
  })

  it('says pictures and seeds as lfm train takes them', () => {
    const [{ group: _, parts: __, ...wanted }] = planRuns(both, { groups: [], filters: [] })
    expect(assignmentsOf(wanted, '/pictures')).toEqual(['data.path=/pictures/img_rose.png', 'seed=5', 'train.lr=0.1'])
  })
})

describe('results', () => {
  it('come back as they were written, a row in place of an earlier one of the same run', () => {
    expect(readRows(folder, 'none')).toEqual([])
    const rows = withRow(withRow(withRow([], row('a', 5, 0.3)), row('a', 6, 0.2)), row('a', 5, 0.1))
    writeRows(folder, 'two', rows)
    expect(readRows(folder, 'two')).toEqual([row('a', 6, 0.2), row('a', 5, 0.1)])
    expect(findRow(rows, { run: 'a', picture: 'rose', seed: 5, set: ['train.lr=0.1'] }, ['test'])).toEqual(
      row('a', 5, 0.1),
    )
    expect(readdirSync(folder)).toEqual(['two.json'])
  })

  it('of another kind are refused', () => {
    writeFileSync(join(folder, 'broken.json'), '{ "rows": [')
    expect(() => readRows(folder, 'broken')).toThrow(/broken\.json is no JSON/)
    writeFileSync(join(folder, 'other.json'), '{ "rows": [{ "suite": "step" }] }')
    expect(() => readRows(folder, 'other')).toThrow(/other\.json is not a result of this tool/)
  })

  it('in the repository are of settings that are still there', () => {
    const kept = fileURLToPath(new URL('../../bench/results/quality/', import.meta.url))
    for (const name of Object.keys(groups)) {
      const planned = planRuns(groups, { groups: [name], filters: [] })
      for (const row of readRows(kept, name)) {
        const run = planned.find((run) => keyOf(run) === keyOf(row))
        expect(run?.set, `${name}: ${keyOf(row)}`).toEqual(row.set)
      }
    }
  })
})

describe('tables', () => {
  it('give mean and standard deviation over the seeds', () => {
    expect(spreadOf([1, 2, 3])).toEqual({ mean: 2, deviation: 1 })
    expect(spreadOf([4])).toEqual({ mean: 4, deviation: null })
    const rows = [row('a', 5, 0.1), row('a', 6, 0.2), row('a', 5, 0.4, { picture: 'tree' })]
    const [head, rule, line, ...rest] = likelihoodTable(group, rows, 'test').split('\n')
    expect(head.split('|')).toHaveLength(rule.split('|').length)
    expect(line).toBe('| first | 100 | 2.150 ± .071 | .150 ± .071 | 2.400 | .400 | 2 / 1 | 64 | 1.3, 0.5 | 10, 2 |')
    expect(rest).toEqual([])
  })

  it('put plain, equal width and equal parameters side by side', () => {
    const names = { label: 'pair', group: 'two', plain: 'a', equalWidth: 'b', equalParameters: 'a' }
    const rows = [row('a', 5, 0.3), row('a', 6, 0.1), row('a', 5, 0.3, { picture: 'tree' })]
    const lines = sizesTable([names], both, () => rows).split('\n')
    expect(lines.slice(2)).toEqual([
      '| pair | rose | .200 ± .141 (100) |  | .200 ± .141 (100) |',
      '| pair | tree | .300 (100) |  | .300 (100) |',
    ])
    for (const { group, plain, equalWidth, equalParameters } of comparisons) {
      const known = groups[group].settings.map(({ name }) => name)
      expect(known).toEqual(expect.arrayContaining([plain, equalWidth, equalParameters]))
    }
  })

  it('leave out rows of other settings', () => {
    const rows = [row('a', 5, 0.1), row('b', 5, 0.2, { picture: 'tree', set: ['train.lr=3'] })]
    expect(searchTable(group, rows, 'test').split('\n').slice(2)).toEqual(['| first | `a` | .100 |  |'])
  })
})

it('a run is trained, pushed and evaluated by the settings that it is asked for', async () => {
  const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
  for (const name of ['rose', 'tree'])
    writeFileSync(join(folder, `img_${name}.png`), readFileSync(`${examples}${name}.png`))
  const set = [
    'model.hidden=[8, 8]',
    'flow.gammas=[0.1, null]',
    'train.steps=[3, 4]',
    'train.batch=16',
    'data.train=64',
    'data.validation=20',
    'data.test=30',
    'ode.steps=2',
    'ode.evaluate.steps=3',
  ]
  const device = openReference()
  const wanted = { run: 'small', picture: 'tree' as const, seed: 3, set }
  const made = await makeRun(wanted, ['validation', 'test'], { device, pictures: folder, onProgress: () => {} })
  await device.dispose()
  expect(made).toMatchObject({
    ...wanted,
    subFlows: 2,
    steps: 7,
    batch: 16,
    evaluations: { sample: 16, likelihood: 24 },
  })
  // (3·8 + 8) + (8·8 + 8) + (8·2 + 2) in each
  expect(made.parameters).toBe(2 * 122)
  // products of a row: 2·(2·8 + 8·8 + 8·2); a step has three of each layer, but two of the first
  expect(made.teraflop.training).toBeCloseTo((7 * 16 * (3 * 192 - 2 * 2 * 8)) / 1e12, 18)
  // 64 rows through the first of both sub-flows, 4 · 2 evaluations each
  expect(made.teraflop.push).toBeCloseTo((64 * 8 * 192) / 1e12, 18)
  expect(made.parts.validation).toMatchObject({ rows: 20 })
  const { rows, nll, entropy, kl } = made.parts.test!
  expect(rows).toBe(30)
  expect(kl).toBeCloseTo(nll - entropy, 12)
  expect(Number.isFinite(nll)).toBe(true)
})
