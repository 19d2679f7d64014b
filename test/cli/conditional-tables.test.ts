/** Tables of mixed columns of which some are told: trained, sampled, scored, filled and evaluated under them, and what is refused. */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readMixedTable } from '../../src/data/tables/read.js'
import { type CategoryColumn, type NumberColumn, type Table, takeTableRows } from '../../src/data/tables/table.js'
import { LocalFlow } from '../../src/index.js'
import { built, type Ended, engine, json, lfm, workFolder } from './lfm.js'

const colours = ['red', 'green', 'blue']
/** The colour decides the mean of the price (5, 20, 35) and the share of sales (1, 5 or 9 of 10); the size is missing at times. */
const lines = Array.from({ length: 1200 }, (_, i) => {
  const k = i % 3
  const price = (5 + 15 * k + 2 * Math.sin(5.3 * i)).toFixed(1)
  const sold = (7 * Math.floor(i / 3)) % 10 < 1 + 4 * k ? 'sold' : 'left'
  const size = i % 7 === 0 ? '' : 1 + (i % 5)
  return [price, colours[k], size, sold, `2020-0${1 + (i % 9)}-1${i % 9}`].join()
})
const header = 'price,colour,size,state,day'
const work = workFolder({
  'table.csv': `${header}\n${lines.join('\n')}\n`,
  'run.yaml': `
data:  { kind: table, path: table.csv, test: 200, validation: 50, condition: [colour, size, day] }
model: { hidden: [48, 48], activation: silu }
flow:  { gammas: [null], interpolant: linear }
train: { batch: 256, steps: 500, lr: 0.01, checkpointEvery: 200 }
ode:   { solver: midpoint, steps: 6 }
device: ${engine}
`,
  // columns in another order, beside one that nobody asked for
  'red.csv': 'day,other,size,colour\n2020-01-10,1,3,red\n',
  'each.csv': `size,colour,day\n${Array.from({ length: 600 }, (_, i) => `${1 + (i % 5)},${colours[i % 3]},2020-03-12`).join('\n')}\n`,
  'lacks.csv': 'size,day\n3,2020-01-10\n',
  'unseen.csv': 'size,colour,day\n3,pink,2020-01-10\n',
  'hole.csv': 'size,colour,day\n3,,2020-01-10\n',
  'noSize.csv': 'size,colour,day\nNA,blue,2020-01-10\n',
  'text.csv': 'size,colour,day\nlarge,blue,2020-01-10\n',
  'two.csv': 'size,colour,day\n3,red,2020-01-10\n3,red,2020-01-10\n',
})
const at = (name: string): string => join(work, name)
const run = (...args: string[]): Promise<Ended> => lfm(args, { cwd: work })
const trained = async (out: string, ...set: string[]): Promise<Ended> => {
  const ended = await run('train', 'run.yaml', '--out', out, ...set.flatMap((word) => ['--set', word]))
  if (ended.code !== 0) throw new Error(ended.stderr)
  return ended
}
const columnOf = <T>(table: Table, name: string): T => table.columns.find((column) => column.name === name) as T
/** Mean price, and the share of what is sold, of every `step`-th row. */
function pricesIn(table: Table, first = 0, step = 1): { price: number; sold: number } {
  const rows = Array.from({ length: Math.ceil((table.rows - first) / step) }, (_, i) => first + i * step)
  const own = takeTableRows(table, rows)
  const [price, state] = [columnOf<NumberColumn>(own, 'price'), columnOf<CategoryColumn>(own, 'state')]
  const mean = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((sum, value) => sum + value, 0) / own.rows
  return { price: mean(price.values), sold: mean(state.codes.map((code) => (state.levels[code] === 'sold' ? 1 : 0))) }
}
function expectOf(k: number, { price, sold }: { price: number; sold: number }): void {
  expect(Math.abs(price - (5 + 15 * k)), `price of ${colours[k]}`).toBeLessThan(1.5)
  expect(Math.abs(sold - (0.1 + 0.4 * k)), `share of ${colours[k]}`).toBeLessThan(0.12)
}

let ended: Ended
beforeAll(async () => {
  built()
  ended = await trained('run')
  await trained('levels', 'train.objective=variational')
}, 300_000)

describe('columns of a table that a model is told', () => {
  it('are named before training, and are none of the samples', async () => {
    expect(ended.stderr).toMatch(/colour +category .*→ told, as 3 columns, one a level/)
    expect(ended.stderr).toMatch(/size .*→ told, as 5 ordered values.*missing apart/)
    await run('sample', 'run', '-n', '3', '--cond', 'red.csv', '-o', 'a.csv')
    expect(readFileSync(at('a.csv'), 'utf8').split('\n')[0]).toBe('price,state')
    const { stdout } = await run('columns', 'run.yaml')
    expect(stdout).toContain('given 3 that are told')
  })

  it.each(['run', 'levels'])('decide what samples are: one row for all, or a row for each (%s)', async (folder) => {
    json(await run('sample', folder, '-n', '400', '--cond', 'red.csv', '-o', 'red-drawn.csv', '--json'))
    expectOf(0, pricesIn((await readMixedTable(at('red-drawn.csv'))).table))
    json(await run('sample', folder, '-n', '600', '--cond', 'each.csv', '-o', 'drawn.csv', '--json'))
    const { table } = await readMixedTable(at('drawn.csv'))
    for (let k = 0; k < 3; k++) expectOf(k, pricesIn(table, k, 3))
    const guided = await run(
      'sample',
      folder,
      '-n',
      '600',
      '--cond',
      'each.csv',
      '--guidance',
      '2',
      '-o',
      'g.csv',
      '--json',
    )
    // two passes of each evaluation
    expect(json<{ nfe: number }>(guided).nfe).toBe(24)
    expect(readFileSync(at('g.csv'), 'utf8')).not.toBe(readFileSync(at('drawn.csv'), 'utf8'))
  })

  it('are drawn by from standard input, and by a folder of parts that is resumed', async () => {
    const words = [
      join(built(), 'cli/main.js'),
      'sample',
      'run',
      '-n',
      '20',
      '--cond',
      '-',
      '-o',
      'piped.csv',
      '--seed',
      '4',
    ]
    const piped = spawnSync(process.execPath, words, { cwd: work, input: readFileSync(at('red.csv')) })
    expect(piped.status, String(piped.stderr)).toBe(0)
    await run('sample', 'run', '-n', '20', '--cond', 'red.csv', '-o', 'file.csv', '--seed', '4')
    expect(readFileSync(at('piped.csv'), 'utf8')).toBe(readFileSync(at('file.csv'), 'utf8'))
    const parts = ['sample', 'run', '-n', '600', '-o', 'parts', '--part-rows', '256', '--format', 'parquet']
    json(await run(...parts, '--cond', 'each.csv', '--json'))
    const other = await run(...parts, '--cond', 'red.csv', '--resume')
    expect(other.stderr).toContain('the condition')
    expect((await run('join', 'run', 'parts', '-o', 'joined.csv')).code).toBe(0)
    await run('sample', 'run', '-n', '600', '--cond', 'each.csv', '-o', 'whole.csv')
    expect(readFileSync(at('joined.csv'), 'utf8')).toBe(readFileSync(at('whole.csv'), 'utf8'))
  })

  it.each([
    ['run', 'logProb'],
    ['levels', 'logProbBound'],
  ])('are found in the scored file, or in another (%s)', async (folder, key) => {
    const score = async (...words: string[]): Promise<number> =>
      json<Record<string, number>>(await run('score', folder, ...words, '--evaluations', '16', '--json'))[key]
    const beside = await score('table.csv')
    // the same rows without what is told, which another file has; each row with the next one's colour fits worse
    writeFileSync(
      at('made.csv'),
      `price,state\n${lines.map((line) => [0, 3].map((j) => line.split(',')[j]).join()).join('\n')}\n`,
    )
    const told = (turn: number): string =>
      `colour,size,day\n${lines.map((_, i) => [1, 2, 4].map((j) => lines[(i + turn) % lines.length].split(',')[j]).join()).join('\n')}\n`
    writeFileSync(at('told.csv'), told(0))
    writeFileSync(at('turned.csv'), told(1))
    expect(await score('made.csv', '--cond', 'told.csv')).toBe(beside)
    expect(await score('made.csv', '--cond', 'turned.csv')).toBeLessThan(beside - 1)
    const { stderr } = await run('score', folder, 'table.csv', '--evaluations', '16')
    expect(stderr).not.toContain('left out')
    expect((await run('score', folder, 'made.csv')).stderr).toContain(
      "does not have the column that the model is told 'colour', 'size', 'day'",
    )
  })

  it('are given to samples that are held against the test rows', async () => {
    const { table } = json<{
      table: {
        figures: { name: string; synthetic: number; independent: number }[]
        trends: { pairs: { first: string; second: string; score: number }[] }
      }
    }>(await run('evaluate', 'levels', '--json'))
    const pairs = table.trends.pairs.map(({ first, second }) => [first, second].sort().join())
    // what is told goes with what is made, and not with itself
    expect(pairs.sort()).toEqual(
      ['price,state', 'colour,price', 'price,size', 'day,price', 'colour,state', 'size,state', 'day,state'].sort(),
    )
    const shapes = table.figures.find(({ name }) => name === 'pair trends')!
    expect(shapes.synthetic).toBeGreaterThan(0.9)
    const colour = table.trends.pairs.find(
      ({ first, second }) => [first, second].includes('colour') && [first, second].includes('price'),
    )!
    expect(colour.score).toBeGreaterThan(0.7)
  })

  it('stay as they are where holes are filled', async () => {
    await trained('masked', 'train.objective=variational', 'train.masks=true')
    writeFileSync(
      at('holes.csv'),
      `colour,size,day,price,state\n${Array.from({ length: 300 }, (_, i) => `${colours[i % 3]},2,2020-02-11,,${i < 150 ? '' : 'sold'}`).join('\n')}\n`,
    )
    const filled = await run('impute', 'masked', 'holes.csv', '-o', 'filled.csv')
    expect(filled.stdout).toContain('300 rows, 450 holes filled')
    const { table } = await readMixedTable(at('filled.csv'))
    expect(table.columns.map(({ name }) => name)).toEqual(['price', 'state', 'colour', 'size', 'day'])
    for (let k = 0; k < 3; k++) expect(Math.abs(pricesIn(table, k, 3).price - (5 + 15 * k))).toBeLessThan(2)
    const untold = await run('impute', 'masked', 'made.csv', '-o', 'never.csv')
    expect(untold.stderr).toContain("does not have the column that the model is told 'colour'")
    const drawn = json<{ nfe: number }>(
      await run('sample', 'masked', '-n', '600', '--cond', 'each.csv', '-o', 'm.csv', '--json'),
    )
    expect(drawn.nfe).toBe(12)
    const { table: whole } = await readMixedTable(at('m.csv'))
    for (let k = 0; k < 3; k++) expect(Math.abs(pricesIn(whole, k, 3).price - (5 + 15 * k))).toBeLessThan(2)
    const guided = await run('sample', 'masked', '-n', '6', '--cond', 'red.csv', '--guidance', '2', '-o', 'm.csv')
    expect(guided.stderr).toContain('guidance is not for a model that fills in rows')
    const alone = await run('score', 'masked', 'made.csv', '--cond', 'told.csv', '--evaluations', '16', '--json')
    const turned = await run('score', 'masked', 'made.csv', '--cond', 'turned.csv', '--evaluations', '16', '--json')
    expect(json<{ logProbBound: number }>(turned).logProbBound).toBeLessThan(
      json<{ logProbBound: number }>(alone).logProbBound - 1,
    )
  }, 120_000)

  it.each([
    [['sample', '--cond', 'lacks.csv'], "lacks.csv does not have the column that the model is told 'colour'"],
    [
      ['sample', '--cond', 'unseen.csv'],
      "column 'colour' has 'pink' in row 1, a level that the rows that it learnt from never had",
    ],
    [
      ['sample', '--cond', 'hole.csv'],
      "column 'colour' has a missing value in row 1, which the rows that it learnt from never had",
    ],
    [['sample', '--cond', 'text.csv'], "'large'"],
    [['sample', '--cond', 'two.csv'], 'cond has 2 rows, but there are 5'],
    [['sample'], 'none was given: give cond, a table or rows by name with colour, size, day'],
    [['sample', '--class', '1'], 'class was given, but this model was trained with other conditions'],
    [['sample', '--cond', 'red.csv', '--guidance=-1'], 'guidance must be a finite number from 0'],
  ])('refuse %j', async ([command, ...rest], message) => {
    const { code, stderr } = await run(command, 'run', '-n', '5', '-o', '-', ...rest)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  it('may be missing where they were in training', async () => {
    expect((await run('sample', 'run', '-n', '5', '-o', '-', '--cond', 'noSize.csv')).code).toBe(0)
  })

  it.each([
    [['data.condition=[colour,weight]'], "has no column 'weight', which condition names"],
    [['data.condition=[colour,colour]'], "condition names the column 'colour' of table.csv twice"],
    [['data.condition=[price,colour,size,state,day]'], 'none is left to make'],
    [['data.condition=[colour]', 'data.columns.colour=ignore'], "Column 'colour' of table.csv is left out"],
    [['model.classes=true'], 'leave one of them out'],
  ])('refuse a training with %j', async (set, message) => {
    const words = set.flatMap((word) => ['--set', word])
    const { code, stderr } = await run('train', 'run.yaml', '--out', 'never', ...words)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })

  it('are in no form of export, which says so', async () => {
    for (const to of ['onnx', 'pytorch', 'hf']) {
      const { code, stderr } = await run('export', 'run', '--to', to, '--out', 'exported')
      expect(code).not.toBe(0)
      expect(stderr).toContain(
        'This model is told columns of a table (colour, size, day), which no form of export encodes yet',
      )
    }
  })
})

describe('a program', () => {
  it('names them, tells rows by name, and saves and loads what it is told', async () => {
    const { table } = await readMixedTable(at('table.csv'))
    const settings = {
      model: { hidden: [48, 48], activation: 'silu' },
      flow: { gammas: [null], interpolant: 'linear' },
      train: { batch: 256, steps: 400, lr: 0.01 },
      ode: { solver: 'midpoint', steps: 6 },
      device: 'native',
    } as const
    await using flow = await LocalFlow.train(table, { ...settings, condition: ['colour', 'size', 'day'] })
    const day = new Date('2020-03-12')
    const drawn = await flow.sampleTable(400, { cond: { colour: 'blue', size: 2, day } })
    expect(drawn.columns.map(({ name }) => name)).toEqual(['price', 'state'])
    expectOf(2, pricesIn(drawn))
    const each = await flow.sampleTable(600, {
      cond: Array.from({ length: 600 }, (_, i) => ({ colour: colours[i % 3], size: null, day })),
    })
    for (let k = 0; k < 3; k++) expectOf(k, pricesIn(each, k, 3))
    const cond = takeTableRows(table, [0, 1, 2, 3])
    const told = await flow.sampleTable(4, { cond })
    await flow.save(at('saved'))
    await using again = await LocalFlow.load(at('saved'))
    expect(await again.sampleTable(4, { cond })).toEqual(told)
    await expect(flow.sample(2, { cond: { colour: 'pink', size: 2, day } })).rejects.toThrow(
      "cond: column 'colour' has 'pink' in row 1",
    )
    await expect(flow.sample(2, { cond: { size: 2, day } })).rejects.toThrow(
      "row 1 does not have the column that the model is told 'colour'",
    )
    await expect(flow.sample(2, { cond: { colour: 'red', size: Number.NaN, day } })).rejects.toThrow(
      'a finite number, or null',
    )
    await expect(flow.sample(2, { cond: [1, 2, 3] })).rejects.toThrow('cond must be of the columns of a table')
    await expect(LocalFlow.train([[1, 2]], { condition: ['colour'] })).rejects.toThrow('it names columns of a table')
    await expect(
      LocalFlow.train(table, {
        ...settings,
        condition: ['colour'],
        validation: {
          rows: 1,
          columns: [cond.columns[0]].map((c) => takeTableRows({ rows: 4, columns: [c] }, [0]).columns[0]),
        },
      }),
    ).rejects.toThrow("validation has no column 'colour'")
    // stopped and gone on with, it is the same; told another column, it is another training
    const short = { ...settings, train: { ...settings.train, steps: 40, checkpointEvery: 15 }, condition: ['colour'] }
    await using whole = await LocalFlow.train(table, short)
    const stop = new AbortController()
    const stopped = {
      ...short,
      out: at('stopped'),
      signal: stop.signal,
      onCheckpoint: () => stop.abort(new Error('stop')),
    }
    await expect(LocalFlow.train(table, stopped)).rejects.toThrow('stop')
    const resumed = { out: at('stopped'), resume: true }
    await expect(LocalFlow.train(table, { ...short, condition: ['size'], ...resumed })).rejects.toThrow()
    await using gone = await LocalFlow.train(table, { ...short, ...resumed })
    expect(gone.subFlows[0].parameters).toEqual(whole.subFlows[0].parameters)
    // rows of numbers may be told columns of a table too
    const colour = { rows: table.rows, columns: [columnOf<CategoryColumn>(table, 'colour')] }
    const prices = Array.from(columnOf<NumberColumn>(table, 'price').values, (price) => [price])
    await using numbers = await LocalFlow.train(prices, { ...settings, cond: colour })
    const { values } = await numbers.sample(400, { cond: { colour: 'green' } })
    expect(Math.abs(Array.from(values).reduce((sum, value) => sum + value / 400, 0) - 20)).toBeLessThan(1.5)
    await expect(LocalFlow.train(prices.slice(1), { ...settings, cond: colour })).rejects.toThrow(
      'cond has 1200 rows, but there are 1199 rows',
    )
  }, 120_000)
})
