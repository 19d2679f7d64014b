/** A table of mixed columns from the file to a file of the same columns, on the command line and in a program. */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { openEncoding } from '../../src/data/tables/encoding.js'
import { readMixedTable } from '../../src/data/tables/read.js'
import { isCategory, type Table } from '../../src/data/tables/table.js'
import { writeMixedTable } from '../../src/data/tables/write.js'
import { loadData } from '../../src/run/data.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { noise } from '../export/models.js'
import { built, engine, json, lfm, workFolder } from './lfm.js'

const colours = ['red', 'green', 'blue']
/** Two of the three colours cost nothing; ages are missing where the colour is blue. */
const lines = Array.from({ length: 400 }, (_, i) => {
  const colour = colours[i % 3]
  const age = colour === 'blue' ? '' : 20 + ((7 * i) % 50)
  const cost = colour === 'red' ? (10 + ((13 * i) % 90) / 4).toFixed(2) : '0.00'
  const day = String(1 + (i % 28)).padStart(2, '0')
  return [`row ${i}`, colour, age, cost, `${day}/0${1 + (i % 9)}/2020`, i % 2 ? 'yes' : 'no'].join()
})
const header = 'id,colour,age,cost,when,member'
const work = workFolder({
  'table.csv': `${header}\n${lines.join('\n')}\n`,
  'run.yaml': `
data:  { kind: table, path: table.csv, test: 100, validation: 50, columns: { when: { date: '%d/%m/%Y' } } }
model: { hidden: [32], activation: silu }
flow:  { gammas: [0.2, null] }
train: { batch: 64, steps: 60 }
ode:   { steps: 2 }
device: ${engine}
`,
})
const at = (name: string): string => join(work, name)
const run = (args: readonly string[]) => lfm(args, { cwd: work })

let stderr = ''
beforeAll(async () => {
  built()
  const ended = await run(['train', 'run.yaml', '--out', 'run'])
  stderr = ended.stderr
  if (ended.code !== 0) throw new Error(stderr)
}, 120_000)

describe('lfm export', () => {
  it('writes a folder that makes the same table, and is a run again', async () => {
    json(await run(['export', 'run', '--to', 'hf', '--out', 'hub', '--json']))
    json(await run(['import', 'hub', '--out', 'again', '--json']))
    for (const [folder, file] of [
      ['run', 'own.csv'],
      ['again', 'again.csv'],
    ]) {
      expect((await run(['sample', folder, '-n', '30', '-o', file])).code).toBe(0)
    }
    expect(readFileSync(at('again.csv'), 'utf8')).toBe(readFileSync(at('own.csv'), 'utf8'))
    await using loaded = await LocalFlow.load(at('hub'))
    await using own = await LocalFlow.load(at('run'))
    expect(await loaded.sampleTable(30)).toEqual(await own.sampleTable(30))
    const card = readFileSync(at('hub/README.md'), 'utf8')
    expect(card).toContain(
      'A generative model of a table (columns colour, age, cost, when, member), as rows of numbers [',
    )
    expect(card).toContain('const table = await flow.sampleTable(100)')
  })

  it('gives the columns of a table from noise in onnxruntime', async () => {
    await using flow = await LocalFlow.load(at('run'))
    const D = flow.field.dimension
    const z = noise(40 * D)
    const { values } = await flow.decode({ values: z, shape: [40, D] }, { solver: flow.options.ode.sample })
    const { columns } = openEncoding(flow.encoding!).decode(values, 1)
    const session = await InferenceSession.create(at('hub/onnx/sampler.onnx'))
    const got = await session.run({ noise: new Tensor('float32', z, [40, D]) })
    await session.release()
    expect(Object.keys(got).sort()).toEqual([...columns.map((_, i) => `column_${i + 1}`), 'samples'])
    columns.forEach((column, i) => {
      const wanted = isCategory(column) ? column.codes : column.values
      expect(Array.from(got[`column_${i + 1}`].data as ArrayLike<number>, Number), column.name).toEqual([...wanted])
    })
  })

  it('names a folder whose encoding is not of its rows', async () => {
    const path = at('hub/config.json')
    const text = readFileSync(path, 'utf8')
    const config = JSON.parse(text)
    config.encoding.columns.pop()
    writeFileSync(path, JSON.stringify(config))
    await expect(LocalFlow.load(at('hub'))).rejects.toThrow(
      /config\.json is damaged: the encoding of its table is not one of rows of \d+ values/,
    )
    writeFileSync(path, text)
  })
})

describe('lfm impute', () => {
  beforeAll(async () => {
    const learnt = ['train.objective=variational', 'train.masks=true', 'flow.plain=true'].flatMap((word) => [
      '--set',
      word,
    ])
    const ended = await run(['train', 'run.yaml', '--out', 'masked', ...learnt])
    if (ended.code !== 0) throw new Error(ended.stderr)
  }, 120_000)

  it('fills holes, keeps the rest as it was written, and numbers several draws', async () => {
    writeFileSync(at('holes.csv'), 'member,cost,when,age,colour\nyes,,03/02/2020,41,\nno,12.50,,,red\n')
    const { code, stdout } = await run(['impute', 'masked', 'holes.csv', '-o', 'filled.csv', '-n', '3'])
    expect(stdout).toContain('2 rows, 4 holes filled 3 times: filled.csv')
    expect(code).toBe(0)
    const [first, ...filled] = readFileSync(at('filled.csv'), 'utf8').trimEnd().split('\n')
    expect(first).toBe('draw,colour,age,cost,when,member')
    expect(filled).toHaveLength(6)
    filled.forEach((line, i) => {
      expect(line).toMatch(
        i % 2 === 0
          ? /^\d,(red|green|blue),41,\d+\.\d\d,03\/02\/2020,yes$/
          : /^\d,red,[2-6]\d,12\.50,\d\d\/0[1-9]\/2020,no$/,
      )
      expect(line[0]).toBe(String(1 + Math.floor(i / 2)))
    })
  })

  it('scores rows by the variational bound, named as such', async () => {
    const words = ['score', 'masked', 'table.csv', '--evaluations', '16']
    const ended = await run([...words, '-o', 'bounds.csv'])
    expect(ended.stdout).toMatch(
      /^400 rows: mean variational bound on the log-likelihood -\d+\.\d+ nats; each row's in bounds\.csv/,
    )
    expect(ended.stderr).toContain('The scores are variational bounds')
    const [first, ...bounds] = readFileSync(at('bounds.csv'), 'utf8').trimEnd().split('\n')
    expect([first, bounds.length]).toEqual(['log_prob_bound', 400])
    // columns in another order are the same rows
    const turned = `${lines.map((line) => line.split(',').toReversed().join()).join('\n')}\n`
    writeFileSync(at('turned.csv'), `${header.split(',').toReversed().join()}\n${turned}`)
    const { logProbBound, logProb, nfe } = json<{ logProbBound: number; logProb?: number; nfe: number }>(
      await run(['score', 'masked', 'turned.csv', '--evaluations', '16', '--json']),
    )
    expect(logProbBound).toBeCloseTo(
      bounds.reduce((sum, value) => sum + Number(value) / 400, 0),
      3,
    )
    expect([logProb, nfe]).toEqual([undefined, 16])
    // what the table never had is named, and a bound is no integration
    writeFileSync(at('mauve.csv'), `${header}\n${lines[0].replace('red', 'mauve')}\n`)
    expect((await run(['score', 'masked', 'mauve.csv'])).stderr).toContain("column 'colour' has 'mauve' in row 1")
    expect((await run([...words, '--solver', 'rk4'])).stderr).toContain('--solver is of likelihoods')
    expect((await run(['score', 'masked', 'table.csv', '--evaluations', '3'])).stderr).toContain('at least 8')
  })

  it.each([
    ['masked', 'colour,size\nred,\n', /holes\.csv has the column 'size', which the model does not make/],
    ['masked', 'colour,age,cost,when,member\nred,30,1.00,03/02/2020,yes\n', /holes\.csv has no holes/],
    ['masked', 'colour,age\nmauve,\n', /'mauve' in row 1/],
    ['run', 'colour,age\nred,\n', /train\.masks: true/],
  ])('%s of %j is refused', async (folder, text, message) => {
    writeFileSync(at('holes.csv'), text)
    const { code, stderr: said } = await run(['impute', folder, 'holes.csv', '-o', 'out.csv'])
    expect(said).toMatch(message)
    expect(code).toBe(1)
  })
})

describe('ranges of a table', () => {
  it('are pieces of one sequence', async () => {
    for (const words of ['-n 30 -o all.csv', '-n 12 -o a.csv', '-n 18 --first 12 -o b.csv']) {
      expect((await run(['sample', 'run', ...words.split(' ')])).code).toBe(0)
    }
    const linesOf = (name: string): string[] => readFileSync(at(name), 'utf8').trimEnd().split('\n')
    expect([...linesOf('a.csv'), ...linesOf('b.csv').slice(1)]).toEqual(linesOf('all.csv'))
  })
})

describe('lfm columns of Parquet that is larger than memory', () => {
  it('reads some of its rows, and has the levels and ranges of all', async () => {
    const rows = 30_000
    await writeMixedTable(at('large.parquet'), {
      rows,
      columns: [
        {
          name: 'size',
          kind: 'integer',
          values: Float64Array.from({ length: rows }, (_, i) => (i === 17 ? -5 : i % 900)),
        },
        {
          name: 'town',
          kind: 'category',
          levels: ['Oslo', 'Rome', 'Ur'],
          codes: Int32Array.from({ length: rows }, (_, i) => (i === 29_999 ? 2 : i % 2)),
        },
      ],
    })
    writeFileSync(at('large.yaml'), 'data: { kind: table, path: large.parquet, memory: 1 MB }\n')
    const { stdout, stderr: said } = await run(['columns', 'large.yaml'])
    expect(said).toMatch(/how they are learnt is told from \d+ of the 30000 training rows/)
    expect(stdout).toMatch(/^size\s+integer .* from -5 to 899/m)
    expect(stdout).toMatch(/^town\s+category\s+3 texts/m)
    expect(stdout).toMatch(/30000 rows of 2 columns, learnt as \d+ numbers; shares and counts are of \d+ rows\.$/m)
    // in memory where there is room
    const whole = await run(['columns', 'large.parquet'])
    expect(whole.stderr).toBe('')
    expect(whole.stdout).toMatch(/30000 rows of 2 columns, learnt as \d+ numbers\.$/m)
  })
})

describe('lfm train and lfm columns', () => {
  it('say what each column is before anything is learnt', async () => {
    const facts = [
      /^id\s+ignore\s+400 texts in 400 rows name the rows; left out$/m,
      /^colour\s+category\s+3 texts → 3 columns, one a level$/m,
      /^age\s+integer\s+whole numbers; 33\.\d % missing; 50 distinct from 20 to 69 → .* missing apart$/m,
      /^cost\s+number\s+numbers with 2 decimals; 31 distinct from 0\.00 to \d\d\.\d\d; atoms '0\.00' in 66\.\d % → .*1 atom apart$/m,
      /^when\s+date\s+as data\.columns says; .* from 01\/01\/2020 to 28\/09\/2020/m,
      /^member\s+boolean\s+only 'no' and 'yes' → 2 columns, one a level$/m,
    ]
    const { stdout } = await run(['columns', 'run.yaml'])
    for (const fact of facts) {
      expect(stdout).toMatch(fact)
      expect(stderr).toMatch(fact)
    }
    expect(stderr.indexOf('→')).toBeLessThan(stderr.indexOf('sub-flow'))
    const found = json<{ rows: number; columns: { name: string; atoms: object[] }[] }>(
      await run(['columns', 'table.csv', '--json']),
    )
    expect(found.rows).toBe(400)
    expect(found.columns[3]).toMatchObject({ name: 'cost', atoms: [{ value: '0.00' }] })
  })
})

it('a table on standard input', () => {
  const input = readFileSync(at('table.csv'))
  const { stdout } = spawnSync(process.execPath, [join(built(), 'cli/main.js'), 'columns', '-'], {
    input,
    encoding: 'utf8',
  })
  expect(stdout).toContain('standard input: 400 rows of 5 columns')
})

describe('lfm sample', () => {
  it('makes the same columns, kinds and formats, in text and Parquet', async () => {
    for (const name of ['out.csv', 'out.parquet']) {
      const { code, stderr: said } = await run(['sample', 'run', '-n', '200', '-o', name])
      expect(said.includes('lfm:'), said).toBe(false)
      expect(code).toBe(0)
    }
    const text = readFileSync(at('out.csv'), 'utf8').trimEnd().split('\n')
    expect(text[0]).toBe('colour,age,cost,when,member')
    expect(text).toHaveLength(201)
    for (const line of text.slice(1)) {
      expect(line).toMatch(/^(red|green|blue),([2-6]\d)?,(0\.00|\d\d\.\d\d),\d\d\/0[1-9]\/2020,(yes|no)$/)
    }
    const { table } = await readMixedTable(at('out.parquet'))
    expect(table.columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'colour category',
      'age integer',
      'cost number',
      'when date',
      'member boolean',
    ])
    await writeMixedTable(at('again.csv'), {
      ...table,
      columns: (await readMixedTable(at('out.csv'), { columns: { when: { date: '%d/%m/%Y' } } })).table.columns,
    })
    expect(readFileSync(at('again.csv'), 'utf8').trimEnd().split('\n')).toEqual(text)
    const { stdout } = await run(['sample', 'run', '-n', '200', '-o', '-'])
    expect(stdout.trimEnd().split('\n')).toEqual(text)
    const refused = await run(['sample', 'run', '-n', '2', '-o', 'out.npy'])
    expect(refused.stderr).toContain('ends in .csv or .parquet')
  })

  it('keeps what hangs together: costs and holes go with colours', async () => {
    const flow = await LocalFlow.load(at('run'))
    const { columns } = await flow.sampleTable(2000, { seed: 3 })
    await flow.dispose()
    const [colour, age, cost] = columns
    if (!isCategory(colour) || isCategory(age) || isCategory(cost)) throw new Error('they are of other kinds')
    const rows = Array.from(colour.codes, (code, i) => ({
      colour: colour.levels[code],
      hole: Number.isNaN(age.values[i]),
      free: cost.values[i] === 0,
    }))
    const share = (of: string, what: 'hole' | 'free'): number => {
      const own = rows.filter((row) => row.colour === of)
      return own.filter((row) => row[what]).length / own.length
    }
    expect(share('blue', 'hole') - share('green', 'hole')).toBeGreaterThan(0.4)
    expect(share('green', 'free') - share('red', 'free')).toBeGreaterThan(0.4)
  })
})

describe('lfm score and lfm evaluate', () => {
  const score = async (name: string) => run(['score', 'run', name, '--json'])

  it('takes columns in any order and beside others; what is absent or new is named', async () => {
    const expected = json<{ logProb: number; n: number }>(await score('table.csv'))
    expect(expected.n).toBe(400)
    const turned = `${lines.map((line) => line.split(',').toReversed().join()).join('\n')}\n`
    writeFileSync(at('turned.csv'), `${header.split(',').toReversed().join()}\n${turned}`)
    const ended = await score('turned.csv')
    expect(json<{ logProb: number }>(ended).logProb).toBe(expected.logProb)
    writeFileSync(at('without.csv'), 'colour,age\nred,30\n')
    expect((await score('without.csv')).stderr).toContain("does not have the model's column 'cost', 'when', 'member'")
    writeFileSync(at('pink.csv'), `${header}\n${lines[0]}\n${lines[1].replace('green', 'pink')}\n`)
    expect((await score('pink.csv')).stderr).toContain(
      "column 'colour' has 'pink' in row 2, a level that the model's table never had",
    )
    writeFileSync(at('word.csv'), `${header}\n${lines[0]}\n${lines[1].replace(/,\d+,/, ',old,')}\n`)
    expect((await score('word.csv')).stderr).toContain("column 'age' is said to be an integer")
  })

  it('an evaluation has no likelihood, and says how alike samples and rows are', async () => {
    const ended = await run(['evaluate', 'run', '--target', 'colour', '--json'])
    expect(ended.stderr).toContain('No likelihood: categories and whole numbers of a table have no density.')
    const { nll, table } = json<{
      nll?: number
      table: { figures: { name: string; synthetic: number; real: number }[]; rows: object }
    }>(ended)
    expect(nll).toBeUndefined()
    expect(table.rows).toEqual({ training: 250, heldOut: 100, synthetic: 100 })
    expect(table.figures[0]).toMatchObject({ name: 'column shapes' })
    expect(table.figures[0].synthetic).toBeGreaterThan(0.8)
    expect(table.figures.some(({ name }) => name.startsWith('colour: accuracy'))).toBe(true)
    const page = readFileSync(at('run/report.html'), 'utf8')
    expect(page).toContain('<td>column shapes</td>')
    expect(page).not.toContain('<h2>Likelihood</h2>')
    expect((await run(['evaluate', 'run', '--samples', '0'])).code).toBe(0)
  })
})

describe('a program', () => {
  it('trains on a table, saves it and reads it again', async () => {
    const { table } = await readMixedTable(at('table.csv'))
    const flow = await LocalFlow.train(table, {
      model: { hidden: [16] },
      flow: { plain: true },
      train: { batch: 64, steps: 20 },
      test: table,
      device: engine,
    })
    const made = await flow.sampleTable(50, { seed: 1 })
    await flow.save(at('saved'))
    await flow.dispose()
    const again = await LocalFlow.load(at('saved'))
    expect(await again.sampleTable(50, { seed: 1 })).toEqual(made)
    const student = await again.distill({ kind: 'pairs', into: 1, train: { batch: 16, steps: 1 } })
    expect((await student.sampleTable(5)).columns.map(({ name }) => name)).toEqual(made.columns.map(({ name }) => name))
    await student.dispose()
    await again.dispose()
    expect(made.columns.map(({ name }) => name)).toEqual(['colour', 'age', 'cost', 'when', 'member'])
  })

  it('refuses tables that are none, and rows of a table where there is no table', async () => {
    const { table } = await readMixedTable(at('table.csv'))
    const short: Table = { rows: 3, columns: table.columns }
    await expect(LocalFlow.train(short)).rejects.toThrow('x.columns[0].codes must be an Int32Array of 3 values')
    await expect(LocalFlow.train(table, { columns: ['a'] })).rejects.toThrow(
      'columns must be left out: a table says itself',
    )
    await expect(
      LocalFlow.train(
        [
          [1, 2],
          [3, 5],
        ],
        { validation: table },
      ),
    ).rejects.toThrow('validation must be rows as x has them')
    const flow = await LocalFlow.train(
      [
        [1, 2],
        [3, 5],
      ],
      { model: { hidden: [4] }, train: { batch: 2, steps: 1 }, device: 'reference' },
    )
    await expect(flow.sampleTable(2)).rejects.toThrow('not trained on a table')
    await flow.dispose()
  })

  it('loads a table with its parts beside their encoding', async () => {
    const data = await loadData(
      { kind: 'table', path: 'table.csv', test: 100, validation: 50 },
      { seed: 1, baseDir: work },
    )
    expect([data.train.shape[0], data.validation?.shape[0], data.test?.shape[0]]).toEqual([250, 50, 100])
    expect([data.table?.train.rows, data.table?.validation?.rows, data.table?.test?.rows]).toEqual([250, 50, 100])
    expect(data.columns).toContain('age: missing')
  })
})
