/**
 * `lfm sample`: draws samples of a run. Rows of numbers and tables of mixed columns go block by block into a file (.csv, .npy, .parquet)
 * or a folder of parts, which a later call can go on with; points become a figure, pictures a grid or a folder of PNG files.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.js'
import type { BlockFormat } from '../data/block-formats.js'
import { csvText, type Tensor, tableText } from '../data/index.js'
import { bytesOf } from '../data/npy.js'
import { numberFormats, tableFormats } from '../data/row-formats.js'
import { openEncoding } from '../data/tables/encoding.js'
import { isTable, type Table } from '../data/tables/table.js'
import { toldRows } from '../data/tables/told.js'
import type { Device } from '../device/device.js'
import { blockProfile } from '../device/profile.js'
import { makeFolder } from '../files/folders.js'
import type { Facts } from '../files/growing.js'
import { missingForFigures } from '../files/native-parts.js'
import { cannotWrite } from '../files/reasons.js'
import { quantise } from '../metrics/features.js'
import { picturePng, pointsFigure, renderPng, tilesPng } from '../plot/index.js'
import type { ConditionOptions, LocalFlow, Samples } from '../run/local-flow.js'
import { openFlow } from '../run/open-flow.js'
import { openRun, packageVersion, type Run, rowKindOf, teacherSha256 } from '../run/run.js'
import { conditionsOf } from './conditions.js'
import { printProfile, readProfile, solverOf } from './device.js'
import { writeGrowing } from './grow.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { formatsOf, usualPartRows } from './sample-formats.js'
import { sampleWork } from './sample-jobs.js'
import type { SampleCommandOptions } from './sample-options.js'
import { expectSlurmOptions, submit } from './submit.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'
import { usage } from './usage.js'

async function writePicture(path: string, { values, shape }: Samples): Promise<void> {
  const dimensions = values.length / shape[0]
  const panels = [{ title: 'Samples', subtitle: `${shape[0]} points`, values, dimensions }]
  const png = await renderPng(await pointsFigure({ panels, panelSize: 480 }))
  await writeFileAtomic(path, png).catch((error) => {
    throw cannotWrite(path, error)
  })
}

/** Pictures as a grid that is about as wide as it is high. */
async function writeGrid(path: string, samples: Samples): Promise<void> {
  const pictures = quantise(samples)
  await writeFileAtomic(path, await tilesPng({ pictures, columns: Math.ceil(Math.sqrt(samples.shape[0])) })).catch(
    (error) => {
      throw cannotWrite(path, error)
    },
  )
}

/** Each picture as a PNG of its own: 00000.png, 00001.png … */
async function writeFolder(folder: string, samples: Samples): Promise<void> {
  const pictures = quantise(samples)
  try {
    makeFolder(folder)
  } catch (error) {
    throw cannotWrite(folder, error)
  }
  for (let i = 0; i < samples.shape[0]; i++) {
    const path = join(folder, `${String(i).padStart(5, '0')}.png`)
    await writeFileAtomic(path, await picturePng(pictures, i)).catch((error) => {
      throw cannotWrite(path, error)
    })
  }
}

/** Pictures drawn of all samples at once. */
type Drawn = (path: string, samples: Samples) => Promise<void>
const figures: Readonly<Record<string, Drawn>> = { '.png': writePicture }
const pictureFigures: Readonly<Record<string, Drawn>> = { '.png': writeGrid, '': writeFolder }

/** How samples become a file: drawn at once, written block by block as they come, or text on standard output. */
type Target =
  | { readonly kind: 'drawn'; readonly draw: Drawn }
  | { readonly kind: 'file' | 'folder'; readonly format: BlockFormat }
  | { readonly kind: 'output' }

/** @param formats of files that can grow */
async function targetOf(
  { output, format }: SampleCommandOptions,
  formats: readonly BlockFormat[],
  drawn: Readonly<Record<string, Drawn>>,
): Promise<Target> {
  if (format !== undefined && !formats.includes(format)) {
    throw usage('--format', `one of ${formats.join(', ')} for samples of this run`, format)
  }
  const folder: Target = { kind: 'folder', format: format ?? 'parquet' }
  const targets: Record<string, Target> = {
    ...Object.fromEntries(formats.map((name) => [`.${name}`, { kind: 'file', format: name } as const])),
    ...Object.fromEntries(Object.entries(drawn).map(([name, draw]) => [name, { kind: 'drawn', draw } as const])),
    ...(formats.includes('csv') && { [STANDARD_OUTPUT]: { kind: 'output' } as const }),
    ...((!Object.hasOwn(drawn, '') || format !== undefined) && { '': folder }),
  }
  const target = await writerFor(output, targets)
  if (format !== undefined && target.kind !== 'folder') {
    throw usage('--format', 'left out: it is of the parts of a folder, and a file’s name says what it is', format)
  }
  return target
}

/** What tells conditions of a file from others. */
function toldBytes({ extra: { condition } }: Run, cond: NonNullable<ConditionOptions['cond']>): Uint8Array {
  if (!isTable(cond as Table)) return bytesOf((cond as Tensor).values)
  // it was read as the columns of this condition
  const { encoding } = condition as Extract<typeof condition, { kind: 'table' }>
  return bytesOf(toldRows(encoding, cond as Table, 'cond'))
}

/** What samples are made from, so that a call that goes on with another makes the same bytes. */
function factsOf(
  run: Run,
  flow: LocalFlow,
  device: Device,
  options: SampleCommandOptions,
  conditions: Awaited<ReturnType<typeof conditionsOf>>,
): Facts {
  const { cond, guidance } = conditions
  const { seed, n, first = 0 } = options
  const told = cond === undefined ? null : toldBytes(run, cond)
  const solver = { ...flow.settings.sample, ...JSON.parse(JSON.stringify(solverOf(options))) }
  return {
    'the run': teacherSha256(run),
    version: packageVersion,
    seed: seed ?? run.options.seed,
    n,
    first,
    'the solver': JSON.stringify(solver),
    'the condition': told ? createHash('sha256').update(told).digest('hex') : (options.class ?? null),
    guidance: guidance === undefined ? null : JSON.stringify(guidance),
    device: `${device.kind}, ${device.info.cpuTarget ?? device.info.name}`,
  }
}

/** Writes samples block by block. */
async function grow(
  { kind, format }: Extract<Target, { kind: 'file' | 'folder' }>,
  run: Run,
  options: SampleCommandOptions,
  { width, facts, blocks }: { width: number; facts: Facts; blocks: (skip: number, block: number) => Blocks },
): Promise<void> {
  const { output, n, resume = false, first = 0 } = options
  const { encoding, columns } = run.extra
  const blockRows = options.partRows ?? usualPartRows(width)
  const how = { kind, format, facts, resume }
  if (!encoding) {
    const from = (skip: number): Blocks => blocks(skip, blockRows)
    return writeGrowing(output, { n, blockRows, from }, numberFormats(columns)[format], how)
  }
  const { decode } = openEncoding(encoding)
  const seed = options.seed ?? run.options.seed
  async function* tables(skip: number): AsyncGenerator<Table> {
    let at = first + skip
    for await (const { values, shape } of blocks(skip, blockRows)) {
      yield decode(values, seed, at)
      at += shape[0]
    }
  }
  const open = tableFormats[format as keyof typeof tableFormats]
  return writeGrowing(output, { n, blockRows, from: tables }, open, how)
}

/** Samples that are still to be drawn, block by block. */
type Blocks = AsyncGenerator<Samples, void>

async function* csvOf(blocks: Blocks, { extra, options }: Run, seed: number | undefined, first: number) {
  const decoder = extra.encoding && openEncoding(extra.encoding)
  let at = first
  for await (const block of blocks) {
    const header = at === first
    if (decoder) yield* tableText(decoder.decode(block.values, seed ?? options.seed, at), { header })
    else yield* csvText(block, extra.columns, { header })
    at += block.shape[0]
  }
}

export async function sample(folder: string, options: SampleCommandOptions): Promise<void> {
  checkOutput(options.output, options.json)
  expectSlurmOptions(options)
  const run = await openRun(folder)
  const { n, seed, first = 0 } = options
  const drawn = run.extra.encoding ? {} : rowKindOf(run) === 'pictures' ? pictureFigures : figures
  const target = await targetOf(options, formatsOf(run), drawn)
  if (options.slurm || options.plan) {
    if (target.kind !== 'folder') throw usage('--output', 'a folder of parts, for --slurm and --plan', options.output)
    return submit(await sampleWork(run, options), options)
  }
  const grows = target.kind === 'file' || target.kind === 'folder'
  if (options.resume && !grows) throw usage('--resume', 'left out, or a file or folder that grows', options.output)
  if (target.kind === 'drawn') {
    const missing = await missingForFigures()
    if (missing) throw missing
  }
  const conditions = await conditionsOf(run, options)
  const { flow, device, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const began = performance.now()
    const progress = rowsDisplay('sampling')
    const blocks = (skip: number, block?: number): Blocks =>
      flow.sampleBlocks(n, {
        ...solverOf(options),
        ...conditions,
        seed,
        first,
        skip,
        block,
        signal,
        onProgress: (rows) => progress.show(rows, n),
      })
    const write = async (): Promise<void> => {
      if (target.kind === 'output') return writeOut(csvOf(blocks(0), run, seed, first))
      if (target.kind === 'drawn') {
        for await (const samples of blocks(0, n)) await target.draw(options.output, samples)
        return
      }
      const facts = factsOf(run, flow, device, options, conditions)
      await grow(target, run, options, { width: flow.field.dimension, facts, blocks })
    }
    await write().finally(progress.end)
    const seconds = (performance.now() - began) / 1000
    // where nothing was left to draw there are none
    const { mean = null, max = null } = flow.evaluations ?? {}
    const profile = options.profile ? await readProfile(device, blockProfile) : null
    if (options.json) {
      const result = { n: options.n, output: options.output, nfe: mean, nfeMax: max, seconds, device: device.kind }
      printJson(profile ? { ...result, profile } : result)
    } else {
      const say = options.output === STANDARD_OUTPUT ? note : print
      const drawnBy = mean === null ? '' : ` (${mean} function evaluations each)`
      say(
        `${options.n} samples in ${seconds.toFixed(2)} s on ${device.info.name}${drawnBy}: ${options.output === STANDARD_OUTPUT ? 'standard output' : options.output}`,
      )
      if (profile) printProfile(profile, 'one block of rows')
    }
  } finally {
    release()
    await close()
  }
}
