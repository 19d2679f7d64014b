/** What `lfm compare` plans and concludes, without training: rows and widths, bad input, the choice on the validation part. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type ComparedMethods, readComparison } from '../../src/config/index.js'
import { distanceNames } from '../../src/metrics/registry.js'
import { networkFor } from '../../src/networks/registry.js'
import { gather, pairedDifference } from '../../src/run/compare/gather.js'
import { planComparison, rowsOfJob } from '../../src/run/compare/plan.js'
import { type RowResult, trainedWith } from '../../src/run/compare/row.js'
import { markdown, spreadText } from '../../src/run/compare/tables.js'

const root = mkdtempSync(join(tmpdir(), 'lfm-compare-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'))
})

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const DATA = 'data: { kind: toy, name: moons, train: 500, validation: 100, test: 100 }\n'
const METHODS = `${DATA}
model: { hidden: [40, 20], activation: silu }
train: { batch: 100, steps: 10 }
compare: { seeds: [1, 2], evaluations: [4, 8], aa: plain }
methods:
  local: { label: Local Flow, flow: { gammas: [0.2, null] }, train: { steps: 5 } }
  plain: { flow: { recipe: plain } }
`

describe('reading', () => {
  it('puts what a method says over the sections of the file, key by key', async () => {
    const { methods, settings } = await readComparison([file('a.yaml', METHODS)])
    expect(settings).toMatchObject({ seeds: [1, 2], samples: 10_000, blocks: ['width', 'parameters'], aa: 'plain' })
    expect(methods.map(({ name, label }) => [name, label])).toEqual([
      ['local', 'Local Flow'],
      ['plain', 'plain'],
    ])
    expect(methods[0].raw).toMatchObject({ train: { batch: 100, steps: 5 }, flow: { gammas: [0.2, null] } })
    expect(methods[1].raw).toMatchObject({ train: { batch: 100, steps: 10 } })
  })

  it('takes configs of the same data as methods named after their files, whatever their seeds', async () => {
    const paths = ['one', 'two'].map((name, i) => file(`${name}.yaml`, `${DATA}seed: ${i}\n`))
    const { methods, settings } = await readComparison(paths, { seeds: [7] })
    expect(methods.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(settings.seeds).toEqual([7])
  })

  it('takes every distance by its name', async () => {
    for (const distance of distanceNames) {
      const text = METHODS.replace('compare: {', `compare: { distance: ${distance},`)
      const { settings } = await readComparison([file('a.yaml', text)])
      expect(settings.distance).toBe(distance)
    }
  })

  it.each([
    [
      'a distance that there is not',
      [METHODS.replace('compare: {', 'compare: { distance: w2,')],
      "compare.distance must be sliced, energy, classifier or fid, but is 'w2'",
    ],
    ['different data', [DATA, DATA.replace('moons', 'rings')], 'different data, and methods are compared on the same'],
    ['a file of methods beside another', [METHODS, DATA], 'compare it alone'],
    ['an A/A method that there is not', [METHODS.replace('aa: plain', 'aa: plane')], 'local, plain'],
    ['a seed beside compare.seeds', [`${METHODS}seed: 3\n`], 'the seeds are compare.seeds'],
    ['a seed twice', [METHODS.replace('[1, 2]', '[1, 1]')], 'twice'],
    [
      'a solver that chooses its own steps',
      [METHODS.replace('recipe: plain }', 'recipe: plain }, solvers: [dopri5]')],
      'must be euler',
    ],
    ['a misspelt key', [METHODS.replace('evaluations:', 'evalutions:')], 'did you mean compare.evaluations?'],
    [
      "a method's config that is wrong",
      [METHODS.replace('recipe: plain', 'recipe: plane')],
      'a0.yaml, plain: flow.recipe',
    ],
    ['a name that is no folder', [METHODS.replace('  plain:', '  a/b:')], 'methods.a/b must be a name'],
  ])('refuses %s', async (_, texts, message) => {
    const paths = texts.map((text, i) => file(`a${i}.yaml`, text))
    await expect(readComparison(paths)).rejects.toThrow(message)
  })
})

describe('the plan', () => {
  const plan = async (text = METHODS) => planComparison(await readComparison([file('a.yaml', text)]), [2])

  it('has a row for each method, block and seed, one for both blocks where the network is the same, and other seeds for A/A', async () => {
    const { rows, parameters } = await plan()
    expect(rows.map(({ id, blocks, aa }) => [id, blocks.join(), aa])).toEqual([
      ['local-seed-1', 'width', false],
      ['local-fitted-seed-1', 'parameters', false],
      ['plain-seed-1', 'width,parameters', false],
      ['local-seed-2', 'width', false],
      ['local-fitted-seed-2', 'parameters', false],
      ['plain-seed-2', 'width,parameters', false],
      ['plain-aa-seed-3', 'width', true],
      ['plain-aa-seed-4', 'width', true],
    ])
    expect(parameters).toBe(networkFor(rows[2].config.model, [2]).parameterCount)
  })

  it('finds the widest networks whose parameters fit together, in the same proportions', async () => {
    const { rows, parameters } = await plan()
    const { model } = rows[1].config
    if (model.kind !== 'mlp') throw new Error('not an mlp')
    const [wide, narrow] = model.hidden
    expect(narrow).toBe(Math.round(wide / 2))
    const count = (first: number): number =>
      networkFor({ ...model, hidden: [first, Math.round(first / 2)] }, [2]).parameterCount
    expect(2 * count(wide)).toBeLessThanOrEqual(parameters!)
    expect(2 * count(wide + 1)).toBeGreaterThan(parameters!)
  })

  it('passes over widths that a UNet cannot have, and says where nothing fits', async () => {
    const unet = METHODS.replace(
      'hidden: [40, 20], activation: silu',
      'kind: unet, width: 16, multipliers: [1, 2], groups: 8, headChannels: 8, attention: [4]',
    )
    const { rows, parameters } = planComparison(await readComparison([file('u.yaml', unet)]), [1, 8, 8])
    const { model } = rows[1].config
    expect(model).toMatchObject({ kind: 'unet', width: 8 })
    expect(2 * networkFor(model, [1, 8, 8]).parameterCount).toBeLessThanOrEqual(parameters!)
    await expect(plan(METHODS.replace('aa: plain', 'parameters: 10'))).rejects.toThrow(
      /2 networks .* more than 10 in all/,
    )
  })

  const STUDENTS = `${METHODS}
  maps: { distill: { from: local, kind: terminal, into: 2 }, train: { steps: 3 } }
  flows: { label: Straight, distill: { from: plain, kind: reflow, into: 2, evaluations: 8 } }
  again: { distill: { from: flows, kind: pairs, into: 1 } }
`

  it('has students of each row of their teacher, with what a method says of their training', async () => {
    const { rows, parameters } = await plan(STUDENTS)
    const found = rows.filter(({ teacher }) => teacher)
    expect(found.map(({ id, blocks, teacher }) => [id, blocks.join(), teacher!.id])).toEqual(
      [1, 2].flatMap((seed) => [
        [`maps-seed-${seed}`, 'width', `local-seed-${seed}`],
        [`maps-fitted-seed-${seed}`, 'parameters', `local-fitted-seed-${seed}`],
        [`flows-seed-${seed}`, 'width,parameters', `plain-seed-${seed}`],
        [`again-seed-${seed}`, 'width,parameters', `flows-seed-${seed}`],
      ]),
    )
    const [maps, fitted, flows, again] = found.map(({ config }) => config)
    expect(maps.train).toMatchObject({ steps: [3, 3], batch: 100 })
    expect(fitted.model).toEqual(rows.find(({ id }) => id === 'local-fitted-seed-1')!.config.model)
    expect(flows.distill).toMatchObject({ kind: 'reflow', solver: { evaluations: 8 } })
    expect(again.distill).toMatchObject({ kind: 'pairs', teacher: { kind: 'reflow', into: 2 } })
    expect(found.map(({ config: { seed } }) => seed)).toEqual([1, 1, 1, 1, 2, 2, 2, 2])
    // students have no say in how wide networks may be
    expect(parameters).toBe((await plan()).parameters)
    const other = await plan(STUDENTS.replace('steps: 5', 'steps: 6'))
    const same = other.rows.map((row, i) => trainedWith(row) === trainedWith(rows[i]))
    expect(rows.filter((_, i) => !same[i]).map(({ method }) => method.name)).toEqual(
      [1, 2].flatMap(() => ['local', 'local', 'maps', 'maps']),
    )
  })

  it('leaves students to the job of their teacher', async () => {
    const { rows } = await plan(STUDENTS)
    const jobs = [1, 2, 3].map((job) => rowsOfJob(rows, [job, 3]))
    expect(jobs.flat().length).toBe(rows.length)
    for (const job of jobs) {
      for (const row of job) if (row.teacher) expect(job.indexOf(row.teacher)).toBeLessThan(job.indexOf(row))
    }
  })

  it.each([
    [
      'from: local',
      'from: again',
      /methods\.maps\.distill\.from must be one of the methods above it \(local, plain\), but is 'again'\./,
    ],
    [
      'train: { steps: 3 } }',
      'flow: { gammas: [null] } }',
      /methods\.maps\.flow is not for students, who have their teacher's; only train is theirs\./,
    ],
    ['into: 2 }, train', 'into: 0 }, train', /methods\.maps\.distill\.into must be a whole number from 1/],
    ['kind: terminal', 'kind: lagrange', /methods\.maps\.distill\.kind must be/],
    ['aa: plain', 'aa: maps', /compare\.aa must be a method that is trained on the data, but maps has a teacher\./],
    [
      'from: flows, kind: pairs',
      'from: maps, kind: pairs',
      /again: distill\.kind pairs learns from states inside a flow, but the teacher is a student of the kind terminal/,
    ],
  ])('refuses students with %s changed to %s', async (from, to, message) => {
    await expect(plan(STUDENTS.replace(from, to))).rejects.toThrow(message)
  })

  it('parts rows among jobs, each in one', async () => {
    const { rows } = await plan()
    const parts = [1, 2, 3].map((job) => rowsOfJob(rows, [job, 3]).map(({ id }) => id))
    expect(parts.flat().sort()).toEqual(rows.map(({ id }) => id).sort())
    expect(parts.map(({ length }) => length)).toEqual([3, 3, 2])
  })
})

describe('gathering', () => {
  const results = async (change: (id: string, result: RowResult) => object | null = () => ({})) => {
    const compared = await readComparison([file('a.yaml', METHODS)])
    const plan = planComparison(compared, [2])
    for (const row of plan.rows) {
      const base = row.seed / 100
      const sample = (way: string, validation: number | null, test: number | null) =>
        [4, 8].map((allowed) => ({ way, allowed, evaluations: allowed, validation, test }))
      const result: RowResult = {
        trainedWith: trainedWith(row),
        measuredWith: '',
        dataSha256: `data ${row.seed}`,
        failed: null,
        parameters: { each: 100, networks: 2 },
        steps: 10,
        batch: 100,
        teraflop: { training: 1, push: 0.5 },
        seconds: { training: 1, push: 1 },
        quality: { name: 'sliced W2', samples: 50, rows: { validation: 100, test: 100 } },
        floor: { mean: 0.05, std: 0.01 },
        likelihood: { rows: 100, nll: 1 + base, kl: null, evaluations: 64, solverChange: 0 },
        samples: [...sample('euler', 0.3 + base, 0.1 + base), ...sample('midpoint', 0.2 + base, 0.4 + base)],
        machine: 'here',
        date: '',
      }
      const changed = change(row.id, result)
      if (!changed) continue
      mkdirSync(join(folder, row.id), { recursive: true })
      writeFileSync(join(folder, row.id, 'row.json'), JSON.stringify({ ...result, ...changed }))
    }
    return { compared, plan }
  }
  const gathered = async (change?: Parameters<typeof results>[0]) => {
    const { compared, plan } = await results(change)
    return gather(folder, compared, plan)
  }
  const method = ({ blocks }: Awaited<ReturnType<typeof gathered>>, name: string) =>
    blocks[0].methods.find((one) => one.name === name)!

  it('chooses the way on the validation part and reports its distance from the test part, over seeds', async () => {
    const local = method(await gathered(), 'local')
    const { way, distance } = local.points[0].best!
    expect(way).toBe('midpoint')
    expect(distance.mean).toBeCloseTo(0.415, 12)
    expect(distance.std).toBeCloseTo(Math.hypot(0.005, 0.005), 12)
    expect(local.nll?.mean).toBeCloseTo(1.015, 12)
  })

  it('takes differences between methods seed by seed, so that what is common to a seed falls out', async () => {
    // the seed moves both methods by up to 1, the plain one by .1 to .12 more
    const comparison = await gathered((id, { samples }) => {
      const seed = Number(id.at(-1))
      const more = seed + (id.startsWith('plain') ? 0.08 + 0.02 * seed : 0)
      return { samples: samples.map((one) => ({ ...one, test: more })) }
    })
    const [a, b] = ['plain', 'local'].map((name) => method(comparison, name).points[0])
    const { difference, standardError } = pairedDifference(a, b)!
    expect(difference).toBeCloseTo(0.11, 12)
    expect(standardError).toBeCloseTo(0.01, 12)
    expect(method(comparison, 'plain').points[0].best!.distance.std).toBeGreaterThan(0.5)
    expect(markdown(comparison)).toContain('| plain | 0.110 ± 0.010 | 0.110 ± 0.010 |')
    expect(pairedDifference(a, { allowed: 4, best: null })).toBeNull()
  })

  it('does not choose a way whose samples are not finite under one of the seeds', async () => {
    const comparison = await gathered((id, { samples }) =>
      id === 'local-seed-2'
        ? { samples: samples.map((one) => (one.way === 'midpoint' ? { ...one, validation: null, test: null } : one)) }
        : {},
    )
    expect(method(comparison, 'local').points[0].best?.way).toBe('euler')
    expect(method(comparison, 'plain').points[0].best?.way).toBe('midpoint')
  })

  it('keeps the others where a method has diverged, says so, and names what is not there', async () => {
    const comparison = await gathered((id) =>
      id.startsWith('local-seed')
        ? { failed: 'The loss became NaN.', samples: [], likelihood: null }
        : id === 'plain-seed-2'
          ? null
          : {},
    )
    expect(method(comparison, 'local')).toMatchObject({ nll: null, points: [{ best: null }, { best: null }] })
    expect(method(comparison, 'plain').nll).toMatchObject({ n: 1, std: null })
    const text = markdown(comparison)
    expect(text).toContain('Local Flow (local-seed-1): The loss became NaN.')
    expect(text).toContain('1 rows are not there yet: plain-seed-2.')
  })

  it('holds a method against itself: the difference of means, and its error from the spread', async () => {
    const { aa } = await gathered()
    const { difference, standardError } = aa!.differences.find(({ what }) => what === 'NLL')!
    expect(difference).toBeCloseTo(0.02, 12)
    expect(standardError).toBeCloseTo(Math.sqrt(2 * (0.00005 / 2)), 12)
    expect(aa!.differences.map(({ what }) => what)).toContain('sliced W2 at 8')
  })

  it('refuses rows of one seed on different data, and rows that were made with other settings', async () => {
    await expect(gathered((id) => (id === 'plain-seed-1' ? { dataSha256: 'other' } : {}))).rejects.toThrow(
      'were trained on different data',
    )
    await expect(gathered((id) => (id === 'plain-seed-1' ? { trainedWith: 'other' } : {}))).rejects.toThrow(
      'was made with other settings of plain',
    )
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    const compared: ComparedMethods = await readComparison([file('a.yaml', METHODS)])
    await expect(gather(folder, compared, planComparison(compared, [2]))).rejects.toThrow(
      'no row of this comparison yet',
    )
  })
})

it.each([
  [{ mean: 0.12345, std: 0.0123, n: 3 }, '0.123 ± 0.012'],
  [{ mean: 12.345, std: 1.5, n: 3 }, '12.3 ± 1.5'],
  [{ mean: 0.0456, std: null, n: 1 }, '0.0456'],
  [null, '–'],
])('%o is written %s', (value, text) => {
  expect(spreadText(value)).toBe(text)
})
