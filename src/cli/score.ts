/** `lfm score`: the log-likelihood of each row of a file under a run. */

import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { readCsvHeader } from '../data/csv.js'
import { readImageFolder } from '../data/image-folder.js'
import { readTable, writeCsv, writeNpy } from '../data/index.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import { DataError } from '../errors.js'
import { bitsPerDimension, dequantise } from '../metrics/bits.js'
import { openRun, type Run, rowKindOf } from '../run/run.js'
import { openFlow, type RunDeviceOptions, type SolverOptions, solverOf } from './device.js'
import { interruptSignal } from './interrupt.js'
import { writerFor } from './output.js'
import { print, printJson } from './terminal.js'

export interface ScoreCommandOptions extends RunDeviceOptions, SolverOptions {
  output?: string
  json?: boolean
}

const writers: Readonly<Record<string, (path: string, scores: Float32Array) => Promise<void>>> = {
  '.csv': (path, values) => writeCsv(path, { values, shape: [values.length, 1] }, ['log_prob']),
  '.npy': (path, values) => writeNpy(path, { values, shape: [values.length] }),
}

/**
 * The rows to score. A CSV whose header has the columns of the model gives these, whatever their order and whatever else is in it;
 * other files give all their columns as they stand.
 */
async function readRows(path: string, run: Run): Promise<Tensor> {
  const {
    folder,
    extra: { columns, rowShape },
  } = run
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder && rowKindOf(run) === 'pictures') {
    const [C, H, W] = rowShape
    const { tensor } = await readImageFolder(path, {
      channels: C === 1 ? 'grey' : 'rgb',
      size: H === W ? H : undefined,
    })
    return tensor
  }
  const header = columns && extname(path).toLowerCase() === '.csv' ? await readCsvHeader(path) : null
  const byName = columns && header && columns.every((name) => header.includes(name))
  const { tensor } = await readTable(path, byName ? columns : null)
  const shape = tensor.shape.slice(1)
  if (shape.join() !== rowShape.join()) {
    const names = columns ? ` (${columns.join(', ')})` : ''
    throw new DataError(
      `${path} has rows of shape [${shape.join(', ')}], but the model in ${folder} was trained on rows of ` +
        `[${rowShape.join(', ')}]${names}.`,
    )
  }
  return tensor
}

export async function score(folder: string, dataPath: string, options: ScoreCommandOptions): Promise<void> {
  const write = options.output === undefined ? null : await writerFor(options.output, writers)
  const run = await openRun(folder)
  const tensor = await readRows(dataPath, run)
  const { flow, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const pixels = holdsPixels(tensor)
    const scores = await flow.logProb(pixels ? dequantise(tensor, flow.options.seed) : tensor, {
      ...solverOf(options),
      signal,
    })
    if (write) await write(options.output!, scores)
    const n = scores.length
    const logProb = scores.reduce((sum, value) => sum + value, 0) / n
    const bitsPerDim = flow.rowKind === 'pictures' ? bitsPerDimension(-logProb, flow.field.dimension, pixels) : null
    if (options.json) {
      const { mean: nfe, max: nfeMax } = flow.evaluations!
      printJson({ n, logProb, nll: -logProb, bitsPerDim, nfe, nfeMax, output: options.output ?? null })
    } else {
      print(
        `${n} rows: mean log-likelihood ${logProb.toFixed(4)} nats` +
          `${bitsPerDim === null ? '' : `, ${bitsPerDim.toFixed(4)} bits per dimension`}` +
          `${options.output ? `; each row's in ${options.output}` : ''}`,
      )
    }
  } finally {
    release()
    await close()
  }
}
