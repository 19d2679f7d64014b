/** `lfm score` takes what training took, whatever it is called and wherever its columns stand, and nothing else. */

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { built, type Ended, engine, json, lfm, readText, workFolder } from './lfm.js'

const rows = Array.from({ length: 200 }, (_, i) => [10 + Math.sin(i), 500 + 100 * Math.cos(3 * i)])
const table = (header: string | null, row: (r: number[], i: number) => unknown[], delimiter = ','): string =>
  `${[...(header === null ? [] : [header]), ...rows.map((r, i) => row(r, i).join(delimiter))].join('\n')}\n`

const work = workFolder({
  'named.csv': table('small,large', ([a, b]) => [a, b]),
  'bare.csv': table(null, ([a, b]) => [a, b]),
  'years.csv': table('2019,2020', ([a, b]) => [a, b]),
  'run.yaml': `
data:  { kind: csv, path: named.csv }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 30 }
ode:   { steps: 2 }
device: ${engine}
`,
})
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(work, name), content)
  return name
}
const score = (file: string, run = 'run'): Promise<Ended> => lfm(['score', run, file, '--json'], { cwd: work })
const mean = async (file: string, run = 'run'): Promise<number> =>
  json<{ logProb: number }>(await score(file, run)).logProb

let expected: number
beforeAll(async () => {
  built()
  for (const [run, set] of [
    ['run', []],
    ['years', ['--set', 'data.path=years.csv', '--set', 'data.header=true']],
  ] as const) {
    const { code, stderr } = await lfm(['train', 'run.yaml', '--out', run, ...set], { cwd: work })
    if (code !== 0) throw new Error(stderr)
  }
  expected = await mean('named.csv')
}, 120_000)

describe('columns are taken by name', () => {
  it('in any order, beside others and beside an index of pandas', async () => {
    expect(
      await mean(
        put(
          'turned.csv',
          table('large,small', ([a, b]) => [b, a]),
        ),
      ),
    ).toBe(expected)
    const ended = await score(
      put(
        'more.csv',
        table(',id,large,small', ([a, b], i) => [i, `row ${i}`, b, a]),
      ),
    )
    expect(json<{ logProb: number }>(ended).logProb).toBe(expected)
    expect(ended.stderr).toContain("Columns that the model does not have are left out: 'column 0', 'id'.")
  })

  it('by place where there is no header', async () => {
    const ended = await score('bare.csv')
    expect(json<{ logProb: number }>(ended).logProb).toBe(expected)
    expect(ended.stderr).toContain("bare.csv has no header: its columns are taken as the model's, in their order.")
  })

  it('and a header of other names is refused, with the names that are missing and those that are there', async () => {
    const { code, stderr, stdout } = await score(
      put(
        'other.csv',
        table('a,large', ([a, b]) => [a, b]),
      ),
    )
    expect(code).not.toBe(0)
    expect(stderr).toContain("other.csv does not have the model's column 'small'; it has 'a'.")
    expect(stdout).not.toContain('logProb')
  })

  it('and one that two columns have is refused where the model needs it, and nowhere else', async () => {
    const { code, stderr } = await score(
      put(
        'twice.csv',
        table('small,large,small', ([a, b]) => [a, b, a]),
      ),
    )
    expect(code).not.toBe(0)
    expect(stderr).toContain("the name 'small' twice (columns 0 and 2, from 0)")
    expect(
      await mean(
        put(
          'elsewhere.csv',
          table('z,small,large,z', ([a, b]) => [0, a, b, 0]),
        ),
      ),
    ).toBe(expected)
  })

  it('which a header of numbers gives where the config of the run says so', async () => {
    const own = await mean('years.csv', 'years')
    expect(
      await mean(
        put(
          'years-turned.csv',
          table('2020,2019', ([a, b]) => [b, a]),
        ),
        'years',
      ),
    ).toBe(own)
  })
})

describe('what trains scores', () => {
  it('whatever its extension, packed, with tabs, or with decimal commas', async () => {
    const comma = (value: number): string => String(value).replace('.', ',')
    expect(
      await mean(
        put(
          'rows.data',
          table('small,large', ([a, b]) => [a, b]),
        ),
      ),
    ).toBe(expected)
    expect(
      await mean(
        put(
          'rows.tsv',
          table('small\tlarge', ([a, b]) => [a, b], '\t'),
        ),
      ),
    ).toBe(expected)
    expect(await mean(put('rows.csv.gz', gzipSync(table('small,large', ([a, b]) => [a, b]))))).toBe(expected)
    expect(
      await mean(
        put(
          'commas.csv',
          table('small;large', ([a, b]) => [comma(a), comma(b)], ';'),
        ),
      ),
    ).toBe(expected)
  })

  it.each(['plain', 'packed'])('from standard input, %s', (how) => {
    const text = table('large,small', ([a, b]) => [b, a])
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [join(built(), 'cli/main.js'), 'score', 'run', '-', '--json'],
      { cwd: work, input: how === 'packed' ? gzipSync(text) : text, encoding: 'utf8' },
    )
    expect(status, stderr).toBe(0)
    expect(JSON.parse(stdout).logProb).toBe(expected)
  })

  it('and a bad row on standard input is named by its line', () => {
    const { stderr, status } = spawnSync(process.execPath, [join(built(), 'cli/main.js'), 'score', 'run', '-'], {
      cwd: work,
      input: 'small,large\n1,2\n3,x\n',
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toContain("lfm: standard input, line 3: field 2 ('large') is 'x', which is no number.")
  })
})

describe('results on standard output', () => {
  it('are the table that a file would have, and words go to stderr', async () => {
    const sampled = await lfm(['sample', 'run', '-n', '7', '-o', 'seven.csv'], { cwd: work })
    const piped = await lfm(['sample', 'run', '-n', '7', '-o', '-'], { cwd: work })
    expect([sampled.code, piped.code]).toEqual([0, 0])
    expect(piped.stdout).toBe(readText(work, 'seven.csv'))
    expect(piped.stderr).toContain('7 samples in')
    const scores = await lfm(['score', 'run', 'seven.csv', '-o', '-'], { cwd: work })
    expect(scores.stdout.trimEnd().split('\n')).toHaveLength(8)
    expect(scores.stdout).toMatch(/^log_prob\n-?[\d.]+/)
    expect(scores.stderr).toContain('7 rows: mean log-likelihood')
  })

  it('are refused beside --json', async () => {
    const { code, stderr } = await lfm(['sample', 'run', '-n', '7', '-o', '-', '--json'], { cwd: work })
    expect(code).toBe(2)
    expect(stderr).toContain('--output must be a file beside --json')
  })
})
