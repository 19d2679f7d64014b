/** Columns of a table that a model is told: read apart from those that it makes, and split with their rows. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveConfig } from '../../src/config/index.js'
import { loadData } from '../../src/data/load.js'
import { writeNpy } from '../../src/data/npy.js'
import type { PartConditions } from '../../src/data/source.js'
import { DataError } from '../../src/errors.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-condition-'))
afterAll(() => rmSync(folder, { recursive: true }))
const rows = Array.from({ length: 40 }, (_, i) => [i, i + 0.5, 100 + i, (i * i) % 7])
writeFileSync(join(folder, 'table.csv'), `a,b,c,d\n${rows.map((row) => row.join()).join('\n')}\n`)

const load = async (data: object) => {
  const config = resolveConfig({ data: { kind: 'csv', path: 'table.csv', test: 10, validation: 5, ...data } })
  const loaded = await loadData(config.data, { seed: 3, baseDir: folder })
  return { ...loaded, condition: loaded.condition as PartConditions | null }
}

test('stand beside their rows in every part, under their names', async () => {
  const loaded = await load({ condition: ['c', 'a'] })
  expect(loaded.columns).toEqual(['b', 'd'])
  expect(loaded.condition?.names).toEqual(['c', 'a'])
  for (const part of ['train', 'validation', 'test'] as const) {
    const [made, told] = [loaded[part]!, loaded.condition![part]!]
    expect([made.shape, told.shape]).toEqual([
      [{ train: 25, validation: 5, test: 10 }[part], 2],
      [made.shape[0], 2],
    ])
    for (let i = 0; i < made.shape[0]; i++) {
      const a = told.values[2 * i + 1]
      expect([told.values[2 * i], ...made.values.slice(2 * i, 2 * i + 2)]).toEqual([100 + a, a + 0.5, (a * a) % 7])
    }
  }
  expect((await load({ condition: [3], columns: ['b'] })).columns).toEqual(['b'])
  await writeNpy(join(folder, 'array.npy'), { values: Float32Array.from(rows.flat()), shape: [40, 4] })
  const array = await load({ kind: 'npy', path: 'array.npy', condition: [2] })
  expect([array.train.shape, array.condition?.train?.shape, array.condition?.names]).toEqual([[25, 3], [25, 1], null])
})

test.each([
  [{ condition: ['a'], columns: ['a', 'b'] }, "both name column 0 ('a')"],
  [{ condition: ['a', 'b', 'c', 'd'] }, 'none is left to make'],
  [{ condition: ['x'] }, "has no column 'x'"],
])('are refused: %o', async (data, message) => {
  const error = await load(data).catch((reason) => reason)
  expect(error).toBeInstanceOf(DataError)
  expect(error.message).toContain(message)
})
