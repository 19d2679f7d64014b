/** Models of the configs in examples/ whose parameters are drawn, not trained: what a computation has to agree with needs no data. */

import { readConfig, resolveConfig } from '../src/config/index.js'
import { plannedRow } from '../src/data/row-shape.js'
import { type Encoding, fitEncoding, openEncoding } from '../src/data/tables/encoding.js'
import type { Table } from '../src/data/tables/table.js'
import { LocalFlow } from '../src/index.js'
import { type Model, networkFor } from '../src/networks/registry.js'
import { normals } from './values.js'

/** A table in place of one that is not in the repository: numbers of any kind with holes, levels, dates. */
function madeTable(rows = 2000): Table {
  const share = (i: number, by: number): number => ((i + 1) * by) % 1
  const numbers = (of: (i: number) => number): Float64Array => Float64Array.from({ length: rows }, (_, i) => of(i))
  return {
    rows,
    columns: [
      {
        name: 'speed',
        kind: 'number',
        values: numbers((i) => (share(i, 0.618) < 0.2 ? Number.NaN : -Math.log(share(i, 0.414)))),
      },
      { name: 'height', kind: 'integer', values: numbers((i) => (i % 4 ? Math.round(5000 * share(i, 0.732)) : 0)) },
      {
        name: 'date',
        kind: 'date',
        values: numbers((i) => 86_400 * (7000 + Math.floor(4000 * share(i, 0.236)))),
        format: { date: '%Y-%m-%d' },
      },
      {
        name: 'species',
        kind: 'category',
        levels: Array.from({ length: 80 }, (_, k) => `species ${k}`),
        codes: Int32Array.from({ length: rows }, (_, i) => Math.floor(80 * share(i, 0.567) ** 2)),
      },
      {
        name: 'damage',
        kind: 'category',
        levels: ['none', 'minor', 'substantial'],
        codes: Int32Array.from({ length: rows }, (_, i) => (i % 11 ? i % 3 : -1)),
      },
    ],
  }
}

/**
 * @param smaller keys of the section `model` in place of the config's
 * @returns a model that nobody trained, with the config's stages, solver and clock
 */
export async function drawnModel(
  path: string,
  smaller: (kind: Model['kind']) => object = () => ({}),
): Promise<LocalFlow> {
  const { data: written, ...asWritten } = (await readConfig(path)) as unknown as { data: object; model?: object }
  const { kind } = resolveConfig({ data: written, ...asWritten }, path).model
  const raw = { ...asWritten, model: { ...asWritten.model, ...smaller(kind) } }
  const config = resolveConfig({ data: written, ...raw }, path)
  const table = config.data.kind === 'table' ? madeTable() : null
  const encoding: Encoding | null =
    table &&
    fitEncoding(
      table,
      Array.from({ length: table.rows }, (_, i) => i),
    )
  // without data.size an IDX file says it: MNIST's pictures are 28 × 28
  const rowShape = encoding ? [openEncoding(encoding).width] : (plannedRow(config.data)?.rowShape ?? [1, 28, 28])
  const network = networkFor(config.model, rowShape)
  // layers that start at zero would hide all before them
  const parameters = (stream: number): Float32Array => {
    const tensors = network.toTensors(network.initialise(config.seed, stream), '')
    for (const { values } of tensors) if (values.every((value) => value === 0)) values.set(normals(values.length, 0.02))
    return network.fromTensors(new Map(tensors.map((tensor) => [tensor.name, tensor])), '')
  }
  return new LocalFlow({
    options: config,
    raw,
    rowShape,
    rowKind: rowShape.length > 1 ? 'pictures' : 'points',
    scaler: null,
    encoding,
    subFlows: config.flow.gammas.map((_, stream) => ({ parameters: parameters(stream), outputScale: 1 })),
  })
}
