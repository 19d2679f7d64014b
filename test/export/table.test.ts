/** Tables in ONNX files: the columns that a runtime makes of rows of numbers are those that the library makes of them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as node from 'onnxruntime-node'
import * as web from 'onnxruntime-web'
import { afterAll, describe, expect, it } from 'vitest'
import { type Encoding, fitEncoding, openEncoding } from '../../src/data/tables/encoding.js'
import { isCategory, type Table, type TableColumn } from '../../src/data/tables/table.js'
import type { ExportedModel } from '../../src/export/exporter.js'
import { Graph } from '../../src/export/onnx/graph.js'
import { onnx } from '../../src/export/onnx/onnx.js'
import { type TableOutput, tableOutputs } from '../../src/export/onnx/table.js'
import { decoded, modelOf, noise } from './models.js'
import { askPython, pythonWith } from './python.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-export-table-'))
afterAll(() => rmSync(work, { recursive: true }))

const rows = 1000
/** A number on (0, 1) for each row, another for each column. */
const share = (i: number, column: number): number => (((i + 1) * 0.618034 + column * 0.414214) * (column + 1)) % 1
const numbers = (
  name: string,
  column: number,
  of: (u: number, i: number) => number,
  more: object = {},
): TableColumn => ({
  name,
  kind: 'number',
  values: Float64Array.from({ length: rows }, (_, i) => of(share(i, column), i)),
  ...more,
})
const levels = (name: string, count: number, of: (u: number, i: number) => number, kind = 'category'): TableColumn =>
  ({
    name,
    kind,
    levels: Array.from({ length: count }, (_, k) => `${name} ${k}`),
    codes: Int32Array.from({ length: rows }, (_, i) => of(share(i, count), i)),
  }) as TableColumn

const table: Table = {
  rows,
  columns: [
    numbers('any', 1, (u) => -Math.log(u)),
    numbers('two decimals', 2, (u) => Math.round(100 * (5 + u * u)) / 100, { format: { decimals: 2 } }),
    numbers('steps of 50', 3, (u) => 50 * Math.round(u * 100) - 2500, { kind: 'integer', format: { decimals: 0 } }),
    numbers('few', 4, (u) => [1, 2, 4, 8][Math.floor(4 * u)], { kind: 'integer' }),
    // zeros of many rows, holes, and any other values
    numbers('holes', 5, (u) => (u < 0.3 ? 0 : u < 0.5 ? Number.NaN : 10 * u)),
    // mostly the column before it, whose holes are no holes here
    numbers('with more', 5, (u, i) => (u < 0.3 ? 0 : u < 0.5 ? 1 : i % 7 === 0 ? 10 * u + 1 : 10 * u)),
    numbers('when', 6, (u) => 86_400 * Math.floor(18_000 + 900 * u), { kind: 'date', format: { date: '%Y-%m-%d' } }),
    numbers('always', 7, () => 12.5),
    levels('yes or no', 2, (u) => (u < 0.3 ? 1 : 0), 'boolean'),
    levels('rare', 8, (u, i) => (i % 250 === 0 ? 5 + (i % 3) : u < 0.2 ? -1 : Math.floor(5 * u * u))),
    levels('many', 170, (u) => Math.floor(163 * u)),
    levels('one', 1, () => 0),
  ],
}
const allRows = Array.from({ length: rows }, (_, i) => i)
const quantiles = fitEncoding(table, allRows)
const scaled = fitEncoding(table, allRows, { numbers: 'standardise' })
/** Rows that are of the table, and rows far from any: codes of no level, numbers beyond the ends. */
const rowsFor = (encoding: Encoding): Float32Array => {
  const { encode, width } = openEncoding(encoding)
  return Float32Array.of(...encode(table, 1).subarray(0, 300 * width), ...noise(300 * width, 3).map((z) => 2 * z))
}

/** Columns of a library's table, in the words of the outputs: what is drawn from rare levels is the index behind the last. */
const wantedOf = (column: TableColumn, { levels = [], rare }: TableOutput): ArrayLike<number> =>
  isCategory(column)
    ? Array.from(column.codes, (code) => (rare?.levels.includes(code) ? levels.length : code))
    : column.values

function expectColumns(outputs: readonly TableOutput[], got: Record<string, { data: unknown }>, wanted: Table): void {
  expect(outputs.map(({ name, kind }) => [name, kind])).toEqual(wanted.columns.map(({ name, kind }) => [name, kind]))
  outputs.forEach((output, j) => {
    const column = wanted.columns[j]
    const should = wantedOf(column, output)
    const values = Array.from(got[output.output].data as ArrayLike<number | bigint>, Number)
    expect(values.length).toBe(should.length)
    if (isCategory(column)) expect(values, output.name).toEqual(Array.from(should))
    const present = Array.from(should).filter((value) => !Number.isNaN(value))
    const range = Math.max(...present) - Math.min(...present) || 1
    values.forEach((value, i) => {
      if (Number.isNaN(should[i])) expect(value, `${output.name}, row ${i}`).toBeNaN()
      else expect(Math.abs(value - should[i]) / range, `${output.name}, row ${i}`).toBeLessThan(1e-4)
    })
  })
}

/** A file of the outputs alone, of rows [n, D]. */
function fileOf(encoding: Encoding): { file: Uint8Array; outputs: TableOutput[] } {
  const graph = new Graph('table')
  const x = graph.input({ name: 'rows', shape: ['n', openEncoding(encoding).width] })
  const outputs = tableOutputs(graph, x, encoding, 'n')
  const { parts } = graph.model({}, { name: 'test', version: '0' })
  return { file: new Uint8Array(Buffer.concat([...parts])), outputs }
}

const tableModel = (): ExportedModel => {
  const { width, names } = openEncoding(quantiles)
  return { ...modelOf({ hidden: [9] }, [width]), encoding: quantiles, columns: names }
}

describe('the columns of a table', () => {
  it('are of every encoder', () => {
    const used = [quantiles, scaled].flatMap(({ columns }) =>
      columns.flatMap((column) => [column.values.encoder, ...('state' in column && column.state ? ['state'] : [])]),
    )
    expect([...new Set(used)].sort()).toEqual([
      'code',
      'constant',
      'oneHot',
      'ordered',
      'quantile',
      'standard',
      'state',
    ])
    expect(quantiles.columns[5]).toMatchObject({ name: 'with more', same: 4 })
  })

  it.each([
    ['onnxruntime-node', node, quantiles],
    ['onnxruntime-node, standardised', node, scaled],
    ['onnxruntime-web', web, quantiles],
    ['onnxruntime-web, standardised', web, scaled],
  ] as const)('are those of the library: %s', async (_, runtime, encoding) => {
    const { file, outputs } = fileOf(encoding)
    const x = rowsFor(encoding)
    const { width, decode } = openEncoding(encoding)
    const session = await (runtime as typeof node).InferenceSession.create(file)
    const got = await session.run({ rows: new runtime.Tensor('float32', x, [x.length / width, width]) } as never)
    await session.release()
    expectColumns(outputs, got, decode(x, 1))
  })

  it('come out of a sampler beside its rows, and its metadata say what they are', async () => {
    const model = tableModel()
    const files = await onnx(model, {})
    const { content } = files.find(({ path }) => path === 'sampler.onnx')!
    const file = Buffer.concat([...(content as Iterable<Uint8Array>)])
    const session = await node.InferenceSession.create(new Uint8Array(file))
    const z = noise(20 * model.network.dimension)
    const got = await session.run({ noise: new node.Tensor('float32', z, [20, model.network.dimension]) })
    await session.release()
    const wanted = openEncoding(quantiles).decode(await decoded(model, z), 1)
    expectColumns(fileOf(quantiles).outputs, got, wanted)
    expect(got.samples.dims).toEqual([20, model.network.dimension])
    // the metadata are texts of the file
    expect(file.includes(JSON.stringify(fileOf(quantiles).outputs))).toBe(true)
    expect(fileOf(quantiles).outputs[9]).toMatchObject({ kind: 'category', rare: { levels: [5, 6, 7] } })
  })
})

const python = pythonWith('onnx', 'python3-onnx', 'the ONNX checker')

it.skipIf(!python)('ONNX’s own checker passes them', () => {
  const check = 'import sys, onnx; onnx.checker.check_model(sys.argv[1], full_check=True); print("true")'
  for (const encoding of [quantiles, scaled]) {
    writeFileSync(join(work, 'table.onnx'), fileOf(encoding).file)
    expect(askPython(python!, check, [join(work, 'table.onnx')])).toBe(true)
  }
})
