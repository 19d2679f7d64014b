/**
 * `npm run quality:digits -- RUN ...`: FID of runs on digits for several numbers of function evaluations, beside the FID of
 * training pictures and of a network that was not trained. A row that was measured before is kept, so that a killed tool
 * loses the row in work and no other. docs/pictures.md has the table and the commands that trained the runs.
 */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { LoadedData } from '../../src/data/source.js'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/node/select.js'
import { LocalFlowError } from '../../src/errors.js'
import { pictureQuality } from '../../src/run/evaluate-pictures.js'
import { dataOf } from '../../src/run/evaluation.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { openRun, type Run, readFlow } from '../../src/run/run.js'

const help = `npm run quality:digits -- RUN [RUN ...] [--results FILE]

Measures FID, precision and recall of 5000 samples of each run at 12, 24, 48 and 96 function evaluations in all (midpoint), and of
a network that was not trained, at the fewest. Results are kept in FILE (default: bench/results/quality/digits.json).`

const EVALUATIONS = [12, 24, 48, 96]
/** Evaluations of the field in a step of midpoint. */
const STAGES = 2

interface Row {
  readonly model: string
  /** digest of the parameters: a row belongs to the weights that it was measured with */
  readonly weights: string
  /** training steps, all sub-flows together */
  readonly steps: number
  /** of the velocity field for a sample, all sub-flows together */
  readonly evaluations: number
  readonly fid: number
  /** FID of as many training pictures against the same test pictures */
  readonly floor: number
  readonly precision: number
  readonly recall: number
  readonly seconds: number
  readonly machine: string
  readonly date: string
}

const readRows = (path: string): Row[] => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).rows : [])

function writeRows(path: string, rows: readonly Row[]): void {
  mkdirSync(dirname(path), { recursive: true })
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`)
  writeFileSync(`${path}.tmp`, `{ "rows": [\n${lines.join(',\n')}\n] }\n`)
  renameSync(`${path}.tmp`, path)
}

function weightsOf({ subFlows }: LocalFlow): string {
  const hash = createHash('sha256')
  for (const { parameters } of subFlows) hash.update(parameters)
  return hash.digest('hex').slice(0, 16)
}

/** The run's network with the parameters that training starts from, as a flow of one. */
function untrained({ options, raw, extra, field }: Run, device: Device): LocalFlow {
  const flow = { ...options.flow, gammas: [null], interpolant: options.flow.interpolant.slice(-1) }
  const subFlows = [{ parameters: field.initialise(options.seed, 1), outputScale: 1 }]
  return new LocalFlow(
    { options: { ...options, flow }, raw, rowShape: extra.rowShape, rowKind: 'pictures', scaler: null, subFlows },
    device,
  )
}

interface Measured {
  readonly model: string
  readonly steps: number
  readonly flow: LocalFlow
  readonly evaluations: readonly number[]
}

async function openRuns(folders: readonly string[], device: Device): Promise<{ models: Measured[]; data: LoadedData }> {
  const runs = await Promise.all(folders.map((folder) => openRun(folder)))
  const models: Measured[] = []
  for (const run of runs) {
    const { gammas } = run.options.flow
    const model = gammas.length === 1 ? 'plain flow matching' : `Local Flow, ${gammas.length} sub-flows`
    const steps = run.options.train.steps.reduce((sum, n) => sum + n, 0)
    models.push({ model, steps, flow: new LocalFlow(await readFlow(run), device), evaluations: EVALUATIONS })
  }
  models.push({
    model: 'not trained',
    steps: 0,
    flow: untrained(runs[0], device),
    evaluations: EVALUATIONS.slice(0, 1),
  })
  return { models, data: await dataOf(runs[0], 'test') }
}

async function measure(
  { model, steps, flow }: Measured,
  evaluations: number,
  device: Device,
  data: LoadedData,
): Promise<Row> {
  const each = evaluations / STAGES / flow.subFlows.length
  const quality = (await pictureQuality(flow, device, data, 'test', { solver: 'midpoint', steps: each }))!
  const { fid, floor, precision, recall, seconds } = quality
  const { info } = device
  return {
    model,
    weights: weightsOf(flow),
    steps,
    evaluations,
    fid,
    floor: floor!,
    precision,
    recall,
    seconds,
    machine: [info.name, info.cpuTarget, info.threads && `${info.threads} threads`].filter(Boolean).join(', '),
    date: new Date().toISOString(),
  }
}

function table(rows: readonly Row[]): string {
  const models = [...new Set(rows.map(({ model }) => model))]
  const cell = (model: string, evaluations: number): string =>
    rows.find((row) => row.model === model && row.evaluations === evaluations)?.fid.toFixed(2) ?? ''
  const lines = [
    ['FID at evaluations in all', ...EVALUATIONS],
    ['---', ...EVALUATIONS.map(() => '---')],
    ...models.map((model) => [model, ...EVALUATIONS.map((count) => cell(model, count))]),
    ['as many training pictures', rows[0].floor.toFixed(2), ...EVALUATIONS.slice(1).map(() => '')],
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      results: { type: 'string', default: fileURLToPath(new URL('../results/quality/digits.json', import.meta.url)) },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || positionals.length === 0) return void process.stdout.write(`${help}\n`)
  const device = await openDevice('native')
  try {
    const { models, data } = await openRuns(positionals, device)
    const found: Row[] = []
    for (const one of models) {
      for (const evaluations of one.evaluations) {
        const before = readRows(values.results)
        const isThis = (row: Row): boolean => row.model === one.model && row.evaluations === evaluations
        const kept = before.find((row) => isThis(row) && row.weights === weightsOf(one.flow))
        const row = kept ?? (await measure(one, evaluations, device, data))
        if (!kept) writeRows(values.results, [...before.filter((other) => !isThis(other)), row])
        found.push(row)
        const { fid, precision, recall } = row
        process.stdout.write(
          `${one.model}, ${evaluations} evaluations: FID ${fid.toFixed(2)}, precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}\n`,
        )
      }
      await one.flow.dispose()
    }
    process.stdout.write(`\n${table(found)}\n`)
  } finally {
    await device.dispose()
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof LocalFlowError)) throw error
  process.stderr.write(`quality:digits: ${error.message}\n`)
  process.exitCode = 1
}
