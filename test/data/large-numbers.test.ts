/** Arrays and tables of numbers that are larger than memory: the parts that they have in memory, with the training rows in a file. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadData } from '../../src/data/load.js'
import { encodeNpy } from '../../src/data/npy.js'
import { applyScaler } from '../../src/data/scaler.js'
import type { DataConfig } from '../../src/data/schema.js'
import { dataSchema } from '../../src/data/schema.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-large-'))
afterAll(() => rmSync(work, { recursive: true }))

const n = 40_000
const row = (i: number): number[] => [Math.round(1e6 * Math.sin(i)) / 1e3, 1_700_000_000 + i, (i * 7919) % 1013]
const rows = Array.from({ length: n }, (_, i) => row(i))
writeFileSync(join(work, 'a.csv'), `,x,t,k\n${rows.map((values, i) => `${i},${values.join()}`).join('\n')}\n`)
writeFileSync(
  join(work, 'a.npy'),
  Buffer.concat(encodeNpy({ values: Float64Array.from(rows.flat()), shape: [n, 3] }).map((part) => Buffer.from(part))),
)

const config = (over: object): DataConfig =>
  dataSchema.parse({ path: 'a.csv', kind: 'csv', validation: 300, test: 500, ...over })
const load = (over: object, large = true) => loadData(config(over), { seed: 6, baseDir: work, large })

describe.each([
  { kind: 'csv', path: 'a.csv' },
  { kind: 'npy', path: 'a.npy' },
])('$kind', (file) => {
  it('has the same parts as in memory, and its training rows in the same order', async () => {
    const [inMemory, found] = [await load({ ...file, memory: '1 GB' }), await load({ ...file, memory: '1 MB' })]
    expect(inMemory.large).toBeUndefined()
    const { large, scaler, train } = found
    expect(large!.rows).toBe(n - 800)
    for (const part of ['validation', 'test'] as const) expect(found[part]).toEqual(inMemory[part])
    expect(train.shape[0]).toBeLessThan(n - 800)
    expect(train.values).toEqual(inMemory.train.values.slice(0, train.values.length))
    for (const j of [0, 1, 2]) {
      expect(scaler!.mean[j] / inMemory.scaler!.mean[j]).toBeCloseTo(1, 8)
      expect(scaler!.std[j] / inMemory.scaler!.std[j]).toBeCloseTo(1, 8)
    }
    const stored = await large!.store(work)
    expect(await stored.read(0, stored.rows)).toEqual(applyScaler(scaler!, inMemory.train).values)
    await stored.close()
    expect(found.columns).toEqual(inMemory.columns)
    expect(found.description).toBe(inMemory.description)
  })

  it('takes the columns that it is told, as they are', async () => {
    const { large, scaler } = await load({
      ...file,
      memory: '600 KB',
      columns: [2, 1],
      standardise: false,
      train: 100,
      test: 0,
    })
    expect(scaler).toBeNull()
    const stored = await large!.store(work)
    const values = await stored.read(0, 100)
    await stored.close()
    const at = file.kind === 'csv' ? [1, 0] : [2, 1]
    const known = new Set(rows.map((of) => at.map((j) => Math.fround(of[j])).join()))
    for (let i = 0; i < 100; i++) expect(known).toContain(`${values[2 * i]},${values[2 * i + 1]}`)
  })

  it('says what needs all rows, and which value is none', async () => {
    await expect(load({ ...file, memory: '1 MB', condition: [0] })).rejects.toThrow(/^data.condition needs the rows/)
    await expect(load({ ...file, memory: '1 MB' }, false)).rejects.toThrow('are needed in memory here')
    await expect(load({ ...file, memory: '1 MB', test: 0.9 })).rejects.toThrow(
      'Validation and test rows stay in memory',
    )
  })
})

it('names the row of an array that is not finite', async () => {
  const values = Float64Array.from(rows.flat())
  values[3 * 30_000 + 2] = Number.NaN
  writeFileSync(
    join(work, 'nan.npy'),
    Buffer.concat(encodeNpy({ values, shape: [n, 3] }).map((part) => Buffer.from(part))),
  )
  await expect(load({ kind: 'npy', path: 'nan.npy', memory: '1 MB' })).rejects.toThrow(
    'holds NaN in row 30000, column 2',
  )
})
