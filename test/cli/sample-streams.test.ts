/** Samples that outlive their command: killed and gone on with, drawn in folders by ranges, and joined. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { readMixedTable } from '../../src/data/tables/read.js'
import { engine, lfm, start, workFolder } from './lfm.js'

const settings = `model: { hidden: [8] }\nflow: { n: auto }\ntrain: { batch: 50, steps: 3 }\ndevice: ${engine}\n`
const cwd = workFolder({
  'moons.yaml': `data: { kind: toy, name: moons, train: 200 }\n${settings}`,
  'people.yaml': `data: { kind: table, path: people.csv }\n${settings}`,
  'people.csv': `name,age,born,member\n${Array.from({ length: 200 }, (_, i) =>
    [
      ['anna', 'ben', ''][i % 3],
      i % 90,
      `20${String(10 + (i % 15))}-03-0${1 + (i % 9)}`,
      i % 2 ? 'true' : 'false',
    ].join(','),
  ).join('\n')}\n`,
})
const bytes = (name: string): Buffer => readFileSync(join(cwd, name))
const run = async (words: string) => {
  const ended = await lfm(words.split(' '), { cwd })
  expect(ended.stderr + ended.stdout, words).not.toContain('lfm:')
  expect(ended.code).toBe(0)
  return ended
}

beforeAll(async () => {
  for (const name of ['moons', 'people']) await run(`train ${name}.yaml --out ${name}`)
}, 120_000)

test('killed by kill -9, it is gone on with to the same bytes', async () => {
  const n = engine === 'native' ? 100_000 : 3000
  const words = `sample moons -n ${n} --solver rk4 --steps 20 --part-rows ${n / 200}`
  await run(`${words} -o whole.parquet`)
  const { child, ended } = start(`${words} -o cut.parquet`.split(' '), { cwd })
  while (!existsSync(join(cwd, 'cut.parquet.partial.json')) && child.exitCode === null) await wait(5)
  child.kill('SIGKILL')
  expect((await ended).signal).toBe('SIGKILL')
  expect((await lfm(`${words} -o cut.parquet --resume --seed 7`.split(' '), { cwd })).stderr).toContain(
    'it is of another call, seed is 0 there and 7 here',
  )
  expect((await run(`${words} -o cut.parquet --resume`)).stderr).toMatch(/Going on with cut.parquet behind \d+ of/)
  expect(bytes('cut.parquet').equals(bytes('whole.parquet'))).toBe(true)
  expect(existsSync(join(cwd, 'cut.parquet.partial'))).toBe(false)
})

test('where there is no room, what is whole is kept', async () => {
  await run('sample moons -n 5000 -o room.npy')
  const { code, stderr } = await start('sample moons -n 5000 -o tight.npy --part-rows 500'.split(' '), {
    cwd,
    fileLimit: 20,
  }).ended
  expect(code).toBe(1)
  expect(stderr).toContain('tight.npy cannot be written: a file may not be that large')
  expect(stderr).toContain('2500 of 5000 rows are kept in tight.npy.partial: go on with --resume.')
  await run('sample moons -n 5000 -o tight.npy --part-rows 500 --resume')
  expect(bytes('tight.npy').equals(bytes('room.npy'))).toBe(true)
})

test('folders of ranges are joined to the file of all; gaps, overlaps and strangers are refused by name', async () => {
  await run('sample moons -n 40 -o a --part-rows 15')
  await run('sample moons -n 35 --first 40 -o b --part-rows 7 --format npy')
  await run('sample moons -n 25 --first 75 -o c')
  for (const kind of ['csv', 'npy', 'parquet']) {
    await run(`sample moons -n 100 -o all.${kind} --part-rows 16`)
    await run(`join moons c a b -o joined.${kind} --part-rows 16`)
    expect(bytes(`joined.${kind}`).equals(bytes(`all.${kind}`)), kind).toBe(true)
  }
  await run('sample moons -n 30 --first 60 -o d')
  await run('sample moons -n 10 --first 40 --seed 3 -o e')
  const failed = async (words: string) => (await lfm(words.split(' '), { cwd })).stderr
  expect(await failed('join moons a c -o x.csv')).toContain('Samples 40 to 74 are missing between a and c')
  expect(await failed('join moons a b d -o x.csv')).toContain('Samples 60 to 74 are both in b and in d')
  expect(await failed('join moons a e -o x.csv')).toContain(
    'e and a are of different sequences: seed is 0 in a and 3 in e',
  )
  expect(await failed('join people a -o x.csv')).toContain('The samples in a were not drawn of the run in people')
  expect(await failed('join moons moons -o x.csv')).toContain('moons is no folder of samples')
  expect(existsSync(join(cwd, 'x.csv'))).toBe(false)
})

test('tables of mixed columns grow and are joined like rows of numbers', async () => {
  await run('sample people -n 60 -o p1 --part-rows 25')
  await run('sample people -n 40 --first 60 -o p2 --part-rows 25')
  for (const kind of ['csv', 'parquet']) {
    await run(`sample people -n 100 -o people-all.${kind} --part-rows 30`)
    await run(`join people p2 p1 -o people-joined.${kind} --part-rows 30`)
    expect(bytes(`people-joined.${kind}`).equals(bytes(`people-all.${kind}`)), kind).toBe(true)
  }
  const said = { known: { age: 'integer', name: 'category', member: 'boolean', born: { date: '%Y-%m-%d' } } } as const
  const { table } = await readMixedTable(join(cwd, 'people-all.parquet'), said)
  expect(table).toEqual((await readMixedTable(join(cwd, 'people-all.csv'), said)).table)
})

test('what cannot grow is refused before anything is drawn', async () => {
  const failed = async (words: string) => {
    const { code, stderr } = await lfm(words.split(' '), { cwd })
    expect(code).toBe(2)
    return stderr
  }
  expect(await failed('sample moons -n 5 -o - --resume')).toContain('--resume')
  expect(await failed('sample moons -n 5 -o x.csv --format npy')).toContain('--format')
  expect(await failed('sample people -n 5 -o x --format npy')).toContain('csv, parquet')
  for (const wrong of ['-n 1.5', '-n 9007199254740993', '-n 0', '-n 5 --first 0.5', '-n 5 --first 9007199254740993'])
    expect(await failed(`sample moons ${wrong} -o x.csv`)).toContain('whole number')
})
