/**
 * How far exported samplers are from the library's, for every config of examples/: `npm run exports [-- NAME …]`. Networks are
 * trained for a few steps where the data are in the repository, else their parameters are drawn: what has to agree is the
 * computation. One line for each example; onnxruntime-web (wasm) is left out where the file has no room in its memory.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as node from 'onnxruntime-node'
import * as web from 'onnxruntime-web'
import { readConfig, resolveConfig } from '../src/config/index.js'
import { loadData } from '../src/data/load.js'
import { LocalFlow, type SampleOptions, type TrainArguments } from '../src/index.js'
import { isAdaptive, overridden } from '../src/ode/solver.js'
import { drawnModel } from './example-models.js'
import { normals } from './values.js'

const examples = fileURLToPath(new URL('../examples', import.meta.url))
const [STEPS, BATCH, ROWS] = [200, 500, 20_000]
/** Bytes of a file that onnxruntime-web is still asked about. */
const ROOM_IN_WASM = 3e8

async function trained(path: string): Promise<LocalFlow> {
  const raw = await readConfig(path)
  const { data: _, ...written } = raw
  const options: TrainArguments = written as object
  const config = resolveConfig(raw, path)
  if (config.data.kind === 'image-density') {
    const { train } = await loadData({ ...config.data, train: ROWS }, { baseDir: dirname(path), seed: config.seed })
    return LocalFlow.train(train, { ...options, train: { ...options.train, batch: BATCH, steps: STEPS, warmup: 0 } })
  }
  return drawnModel(path)
}

async function samples(
  { InferenceSession, Tensor }: typeof node | typeof web,
  path: string,
  z: Float32Array,
  shape: number[],
): Promise<Float32Array> {
  const session = await InferenceSession.create(new Uint8Array(readFileSync(path)), { logSeverityLevel: 3 } as object)
  const results = await session.run({ noise: new Tensor('float32', z, shape) } as never)
  await session.release()
  return results.samples.data as Float32Array
}

const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

const named = process.argv.slice(2)
const files = readdirSync(examples).filter((file) => file.endsWith('.yaml'))
const chosen = named.length > 0 ? files.filter((file) => named.includes(basename(file, '.yaml'))) : files
console.log('example | rows | sampler | MB | largest difference: onnxruntime-node | onnxruntime-web')
for (const file of chosen) {
  const folder = mkdtempSync(join(tmpdir(), 'lfm-exports-'))
  const flow = await trained(join(examples, file))
  const pictures = flow.rowShape.length > 1
  const n = pictures ? 1 : 512
  const N = flow.stages.length
  const solver: SampleOptions = pictures
    ? { solver: 'midpoint', evaluations: 2 * N }
    : isAdaptive(flow.settings.sample)
      ? { solver: 'rk4', steps: 8 }
      : {}
  const out = join(folder, 'onnx')
  const { solver: name, evaluations, steps } = solver
  await flow.export({ to: 'onnx', out, solver: name, evaluations, steps })
  const path = join(out, 'sampler.onnx')
  const bytes = readFileSync(path).length
  const shape = [n, ...flow.rowShape]
  const z = normals(n * flow.field.dimension)
  // decode has the solver of likelihoods by default, a sampler that of samples
  const decoded = await flow.decode({ values: z, shape }, { solver: overridden(flow.settings.sample, solver) })
  const values = Float32Array.from(decoded.values)
  const nodeApart = farthest(await samples(node, path, z, shape), values)
  const webApart = bytes < ROOM_IN_WASM ? farthest(await samples(web, path, z, shape), values).toExponential(1) : '–'
  const used = `${name ?? flow.settings.sample.solver}, ${flow.evaluations?.mean} evaluations`
  console.log(
    [basename(file, '.yaml'), n, used, (bytes / 1e6).toFixed(1), nodeApart.toExponential(1), webApart].join(' | '),
  )
  await flow.dispose()
  rmSync(folder, { recursive: true })
}
