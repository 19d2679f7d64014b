/** What a file or a path holds reaches the terminal as text, never as an order to it. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, DataError, printable, show } from '../../src/errors.js'
import { built, type Ended, engine, lfm, startProcess, workFolder } from '../cli/lfm.js'
import { long, patience } from './forms.js'

built()
const evil = '\x1b[2J\x1b]0;title\x07\x9b31m\u202ereversed\r'
// how a terminal is told something: anything of C0 but the newline, DEL, C1, marks of direction
const marks = '\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069'
const orders = new RegExp(`[${marks}]`)
const config = `
data: { kind: toy, name: moons, train: 200, test: 20 }
model: { hidden: [8] }
flow: { gammas: [null] }
train: { steps: 5, batch: 50 }
ode: { sample: { steps: 2 }, evaluate: { steps: 2 } }
device: ${engine}
`
const cwd = workFolder({ 'a.yaml': config })

const expectText = ({ stdout, stderr }: Ended): void => {
  expect(stdout).not.toMatch(orders)
  expect(stderr).not.toMatch(orders)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect(stderr.length).toBeLessThan(2100)
}

it('an error keeps its lines, and writes out what a terminal would obey', () => {
  const error = new DataError(`a${evil}b\nforged: line`)
  expect(error.message).toBe('a\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\u202ereversed\\rb\n  forged: line')
  expect(new ConfigError('x: 2 problems.\n  one\n  two').message).toBe('x: 2 problems.\n  one\n  two')
  expect(new DataError('x'.repeat(10_000)).message).toHaveLength(1900)
  expect(show('a\nb\x1b')).toBe("'a\\nb\\x1b'")
  expect(show({ '\u009b': 1 })).toBe('{"\\x9b":1}')
  expect(printable('\ud800 \udc00 \u{1f600}')).toBe('\\ud800 \\udc00 \u{1f600}')
  const round: unknown[] = []
  round.push(round)
  expect(show(round)).toBe('a list')
  expect(show(new Float32Array(1e6))).toBe('a Float32Array')
})

describe('on the command line', () => {
  beforeAll(async () => {
    expect((await lfm(['train', 'a.yaml', '--out', 'run'], { cwd })).code).toBe(0)
  })

  const put = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(cwd, name), content)
    return name
  }

  it.each([
    ['a field of a .csv', () => ['score', 'run', put('a.csv', `a,b\n1,${evil}x\n`)]],
    ['a column of a .csv', () => ['score', 'run', put('b.csv', `a${evil},b,c\n1,2,3\n`)]],
    [
      'an .npy header',
      () => [
        'score',
        'run',
        put(
          'a.npy',
          Buffer.concat([
            Buffer.from([0x93]),
            Buffer.from(`NUMPY\x01\x00\x20\x00{'descr': '${evil}'                    }`, 'latin1'),
          ]),
        ),
      ],
    ],
    ['a key of a config', () => ['train', put('b.yaml', `${config}\n"${'k\\x1b[2J\\r\\n'}": 1\n`), '--out', 'none']],
    ['a value of a config', () => ['train', put('c.yaml', `${config}\nseed: "\\x1b[2J"\n`), '--out', 'none']],
    ['YAML that is none', () => ['train', put('d.yaml', `a: [\x1b[2J\n`), '--out', 'none']],
    ['the name of a config', () => ['train', `no\x1b[2J\n.yaml`, '--out', 'none']],
    ['the name of a run', () => ['sample', `no\x1b[2J\nrun`, '-n', '1', '-o', 'x.csv']],
    ['the name of an output', () => ['sample', 'run', '-n', '1', '-o', `no\x1b[2J\nwhere/x.csv`]],
    ['an override', () => ['train', 'a.yaml', '--out', 'none', '--set', `model.\x1b[2J=1`]],
  ] as const)('%s is shown as text', async (_, args) => {
    const ended = await lfm(args(), { cwd })
    expect(ended.code).toBe(1)
    expectText(ended)
  })

  it('names that end well are shown as text too', async () => {
    const name = `good\x1b[2J\x9b.csv`
    const ended = await lfm(['sample', 'run', '-n', '2', '-o', name], { cwd })
    expect(ended.code).toBe(0)
    expectText(ended)
    expect(ended.stdout).toContain('good\\x1b[2J\\x9b.csv')
    const asJson = await lfm(['sample', 'run', '-n', '2', '-o', name, '--json'], { cwd })
    expectText(asJson)
    expect(JSON.parse(asJson.stdout).output).toBe(name)
  })

  /** A copy of the run with other values in its manifest, by path; undefined: none. */
  const changed = (name: string, values: Record<string, unknown>): string => {
    mkdirSync(join(cwd, name), { recursive: true })
    const manifest = JSON.parse(readFileSync(join(cwd, 'run/manifest.json'), 'utf8'))
    for (const { file } of manifest.files) put(join(name, file), readFileSync(join(cwd, 'run', file)))
    for (const [path, value] of Object.entries(values)) {
      const names = path.split('.')
      const last = names.pop() as string
      names.reduce((at, key) => at[key], manifest)[last] = value
    }
    put(join(name, 'manifest.json'), JSON.stringify(manifest))
    return name
  }

  it.each([
    ['an odd report', { 'extra.report': { title: 1 } }, /damaged: extra\.report/],
    ['a report that is a list', { 'extra.report': [] }, /damaged: extra\.report/],
    ['a report of odd sub-flows', { 'extra.report.subFlows': [null] }, /damaged: extra\.report\.subFlows/],
    ['huge layers', { 'config.raw.model.hidden': [1e9, 1e9] }, /model\.hidden\[0\] must be/],
    ['large layers', { 'config.raw.model.hidden': [1e6, 1e6] }, /./],
    ['a huge schedule', { 'config.raw.flow': { schedule: { kind: 'cosine', n: 1e9 } } }, /flow\.schedule\.n must be/],
    ['rows without end', { 'extra.rowShape': [1e9, 1e9] }, /./],
    ['escapes', { 'files.0.name': '\x1b[2J.bin' }, /damaged/],
  ])('a manifest with %s is refused without a stack', async (what, values, expected) => {
    const run = changed(what.replaceAll(' ', '-'), values)
    for (const args of [
      ['evaluate', run],
      ['sample', run, '-n', '1', '-o', 'y.csv'],
    ]) {
      const ended = await lfm(args, { cwd })
      expectText(ended)
      expect(ended.stderr).toMatch(expected)
      expect(ended.code).toBe(1)
    }
  })

  it('a file that a run names, and not the user, is not shown', async () => {
    put('secret.txt', 'root:x:0:0:the secret\nother:y:1:1:secret\n')
    for (const columns of [undefined, ['gone']]) {
      const data = { kind: 'csv', path: join(cwd, 'secret.txt'), columns }
      const ended = await lfm(['evaluate', changed('thief', { 'config.raw.data': data })], { cwd })
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain('secret.txt')
      expect(ended.stderr).not.toMatch(/root|the secret|other/)
    }
  })
})

describe.skipIf(process.platform !== 'linux')('a system that has nothing left', () => {
  it(
    'of open files is a message, at whichever it ends',
    async () => {
      const main = join(built(), 'cli/main.js')
      const limits = long ? Array.from({ length: 200 }, (_, i) => 20 + i) : [22, 24, 56, 58, 60, 90]
      let [told, done] = [0, 0]
      for (const limit of [...limits, 1000]) {
        const command = [process.execPath, main, 'train', 'a.yaml', '--out', `n${limit}`]
        const { code, signal, stderr } = await startProcess(
          ['bash', '-c', `ulimit -n ${limit}; exec "$@"`, 'bash', ...command],
          { cwd },
        ).ended
        if (code === 0) {
          done++
          continue
        }
        // Node itself may not start with so few
        if (signal || /node::|Assertion|#/.test(stderr)) continue
        expect(stderr, `ulimit -n ${limit}`).not.toMatch(/\n {4}at /)
        expect(stderr, `ulimit -n ${limit}`).toMatch(/too many (open files|files are open)/)
        told++
      }
      expect(told).toBeGreaterThan(limits.length / 4)
      expect(done).toBeGreaterThan(0)
    },
    patience(60_000),
  )
})
