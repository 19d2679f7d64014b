/** Tables through the command line are standardised by default: what comes out is in the units of the file that was learned. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readTable } from '../../src/data/load.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { openRun, readFlow } from '../../src/run/run.js'
import { built, engine, json, lfm, workFolder } from './lfm.js'

const n = 200
/** Two columns far from the origin, one much wider than the other. */
const columns = [
  Array.from({ length: n }, (_, i) => 1000 + 40 * Math.sin(0.37 * i * i)),
  Array.from({ length: n }, (_, i) => -2 + 0.05 * Math.cos(0.53 * i * i)),
]
const csv = columns[0].map((value, i) => `${Math.fround(value)},${Math.fround(columns[1][i])}`).join('\n')
const config = (data: string) => `
data:  { ${data}, shuffle: false }
model: { hidden: [8], activation: silu }
flow:  { gammas: [0.2, null] }
train: { batch: 50, steps: 4 }
ode:   { steps: 4 }
`
const work = workFolder({
  'rows.csv': `a,b\n${csv}\n`,
  'csv.yaml': config('kind: csv, path: rows.csv'),
  'npy.yaml': config('kind: npy, path: rows.npy'),
})

/** Version 1 of the format: magic, length of the header, header, float32 little-endian. */
function writeNpy(path: string): void {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${n}, 2), }`
  const header = `${text}${' '.repeat((64 - ((text.length + 11) % 64)) % 64)}\n`
  const head = Buffer.alloc(10)
  head.write('\x93NUMPY\x01\x00', 'latin1')
  head.writeUInt16LE(header.length, 8)
  const values = Float32Array.from({ length: 2 * n }, (_, i) => columns[i % 2][i >> 1])
  writeFileSync(path, Buffer.concat([head, Buffer.from(header, 'latin1'), Buffer.from(values.buffer)]))
}

it.each(['csv', 'npy'])('samples and likelihoods of a model of a .%s are in its units', async (kind) => {
  built()
  writeNpy(join(work, 'rows.npy'))
  const on = ['--device', engine]
  json(await lfm(['train', `${kind}.yaml`, '--out', kind, '--json', ...on], { cwd: work }))
  // the units of the training rows: the last tenth is the test part
  const trained = columns.map((column) => column.slice(0, 180))
  const mean = trained.map((column) => column.reduce((sum, value) => sum + value, 0) / 180)
  const std = trained.map((column, d) => Math.sqrt(column.reduce((sum, x) => sum + (x - mean[d]) ** 2, 0) / 180))
  const parts = await readFlow(await openRun(join(work, kind)))
  const plain = new LocalFlow({
    ...parts,
    scaler: null,
    options: { ...parts.options, device: { kind: engine, variants: {} } },
  })
  const wanted = (await plain.sample(30, { seed: 3 })).values
  expect(Math.max(...wanted.map(Math.abs))).toBeLessThan(10)
  for (const output of ['samples.csv', 'samples.npy']) {
    const { code, stderr } = await lfm(['sample', kind, '-n', '30', '-o', output, '--seed', '3', ...on], { cwd: work })
    expect([code, stderr]).toEqual([0, ''])
    const { tensor } = await readTable(join(work, output))
    expect(tensor.shape).toEqual([30, 2])
    tensor.values.forEach((value, i) => {
      expect((value - mean[i % 2]) / std[i % 2]).toBeCloseTo(wanted[i], 3)
    })
  }
  const scored = await lfm(['score', kind, 'samples.npy', '-o', 'scores.csv', ...on], { cwd: work })
  expect([scored.code, scored.stderr]).toEqual([0, ''])
  const scores = (await readTable(join(work, 'scores.csv'))).tensor.values
  const sigmas = Math.log(std[0]) + Math.log(std[1])
  const ours = await plain.logProb({ values: wanted, shape: [30, 2] })
  ours.forEach((value, i) => {
    expect(Math.abs(scores[i] - (value - sigmas))).toBeLessThan(0.01)
  })
  await plain.dispose()
})
