/**
 * `lfm sample`: draws samples of a run into a .csv, .npy or .png file; pictures also into a folder of PNG files, tables of mixed
 * columns into .csv or .parquet.
 */

import { extname, join } from 'node:path'
import { writeFileAtomic } from '../checkpoint/index.js'
import { csvText, tableText, writeMixedTable } from '../data/index.js'
import { bytesOf, npyHeader } from '../data/npy.js'
import { type Encoding, openEncoding } from '../data/tables/encoding.js'
import type { Table } from '../data/tables/table.js'
import { blockProfile } from '../device/profile.js'
import type { ContentInTime } from '../files/content.js'
import { makeFolder } from '../files/folders.js'
import { missingForFigures } from '../files/native-parts.js'
import { cannotWrite, isOfSystem } from '../files/reasons.js'
import { quantise } from '../metrics/features.js'
import { picturePng, pointsFigure, renderPng, tilesPng } from '../plot/index.js'
import type { Samples } from '../run/local-flow.js'
import { openFlow, type RunDevice } from '../run/open-flow.js'
import { openRun, rowKindOf } from '../run/run.js'
import { type ConditionCommandOptions, conditionsOf } from './conditions.js'
import { printProfile, readProfile, type SolverOptions, solverOf } from './device.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'

export interface SampleCommandOptions extends RunDevice, SolverOptions, ConditionCommandOptions {
  n: number
  output: string
  seed?: number
  /** number of the first sample */
  first?: number
  json?: boolean
}

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

/** The table that samples of an encoding are. */
const tableOf = (encoding: Encoding, { values }: Samples, seed: number, first: number): Table =>
  openEncoding(encoding).decode(values, seed, first)

/** Samples that are still to be drawn, block by block. */
type Blocks = AsyncIterable<Samples>

async function* csvOf(blocks: Blocks, columns: string[] | null): AsyncGenerator<string> {
  let header = true
  for await (const block of blocks) {
    yield* csvText(block, columns, { header })
    header = false
  }
}

async function* npyOf(blocks: Blocks, n: number): AsyncGenerator<Uint8Array> {
  let header = true
  for await (const { values, shape } of blocks) {
    if (header) yield npyHeader(values, [n, ...shape.slice(1)])
    yield bytesOf(values)
    header = false
  }
}

/** Writes blocks as they are drawn: memory does not grow with their number. */
async function stream(path: string, content: ContentInTime): Promise<void> {
  await writeFileAtomic(path, content).catch((error) => {
    throw isOfSystem(error) ? cannotWrite(path, error) : error
  })
}

interface Writer {
  /** whether it takes all samples as one block */
  readonly whole?: boolean
  write(path: string, blocks: Blocks, n: number, columns: string[] | null): Promise<void>
}
const writers: Readonly<Record<string, Writer>> = {
  '.csv': { write: (path, blocks, _, columns) => stream(path, csvOf(blocks, columns)) },
  '.npy': { write: (path, blocks, n) => stream(path, npyOf(blocks, n)) },
  '.png': whole(writePicture),
  [STANDARD_OUTPUT]: { write: (_, blocks, __, columns) => writeOut(csvOf(blocks, columns)) },
}

/** What is written of all samples at once. */
function whole(write: (path: string, samples: Samples) => Promise<void>): Writer {
  return {
    whole: true,
    write: async (path, blocks) => {
      for await (const samples of blocks) await write(path, samples)
    },
  }
}

type TableWriter = (path: string, table: Table) => Promise<void>
const tableWriters: Readonly<Record<string, TableWriter>> = {
  '.csv': writeMixedTable,
  '.parquet': writeMixedTable,
  [STANDARD_OUTPUT]: (_, table) => writeOut(tableText(table)),
}

const pictureWriters: typeof writers = {
  '.npy': writers['.npy'],
  '.png': whole(writeGrid),
  '': whole(writeFolder),
}

/** Extensions of what takes a figure or PNG files. */
const drawn = ['.png', '']
const isDrawn = (path: string): boolean => path !== STANDARD_OUTPUT && drawn.includes(extname(path).toLowerCase())

/** Writes samples as the table that they are of. */
async function tableWriter(output: string, encoding: Encoding, seed: number, first: number): Promise<Writer> {
  const write = await writerFor(output, tableWriters)
  return whole((path, samples) => write(path, tableOf(encoding, samples, seed, first)))
}

export async function sample(folder: string, options: SampleCommandOptions): Promise<void> {
  checkOutput(options.output, options.json)
  const run = await openRun(folder)
  const pictured = rowKindOf(run) === 'pictures'
  const { encoding, columns } = run.extra
  const { n, seed, first = 0 } = options
  const writer = encoding
    ? await tableWriter(options.output, encoding, seed ?? run.options.seed, first)
    : await writerFor(options.output, pictured ? pictureWriters : writers)
  if (isDrawn(options.output)) {
    const missing = await missingForFigures()
    if (missing) throw missing
  }
  const conditions = await conditionsOf(run, options)
  const { flow, device, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const began = performance.now()
    const progress = rowsDisplay('sampling')
    const blocks = flow.sampleBlocks(n, {
      ...solverOf(options),
      ...conditions,
      seed,
      first,
      ...(writer.whole && { block: n }),
      signal,
      onProgress: (rows) => progress.show(rows, n),
    })
    await writer.write(options.output, blocks, n, columns).finally(progress.end)
    const seconds = (performance.now() - began) / 1000
    const { mean, max } = flow.evaluations!
    const profile = options.profile ? await readProfile(device, blockProfile) : null
    if (options.json) {
      const result = { n: options.n, output: options.output, nfe: mean, nfeMax: max, seconds, device: device.kind }
      printJson(profile ? { ...result, profile } : result)
    } else {
      const say = options.output === STANDARD_OUTPUT ? note : print
      say(
        `${options.n} samples in ${seconds.toFixed(2)} s on ${device.info.name} (${mean} function evaluations each): ${options.output === STANDARD_OUTPUT ? 'standard output' : options.output}`,
      )
      if (profile) printProfile(profile, 'one block of rows')
    }
  } finally {
    release()
    await close()
  }
}
