/** `lfm score`: the log-likelihood of each row of a file under a run. */

import { extname } from 'node:path'
import { readTable, writeCsv, writeNpy } from '../data/index.js'
import type { DeviceKind } from '../device/device.js'
import { invalid } from '../errors.js'
import { loadFlow, openRun } from '../run/run.js'
import { interruptSignal } from './interrupt.js'
import { printJson } from './terminal.js'

export interface ScoreCommandOptions {
  output?: string
  device?: DeviceKind | 'auto'
  json?: boolean
}

const writers: Readonly<Record<string, (path: string, scores: Float32Array) => Promise<void>>> = {
  '.csv': (path, values) => writeCsv(path, { values, shape: [values.length, 1] }, ['log_prob']),
  '.npy': (path, values) => writeNpy(path, { values, shape: [values.length] }),
}

export async function score(folder: string, dataPath: string, options: ScoreCommandOptions): Promise<void> {
  const write = options.output === undefined ? null : writers[extname(options.output).toLowerCase()]
  if (write === undefined) throw invalid('--output', 'a file that ends in .csv or .npy', options.output)
  const run = await openRun(folder)
  const { tensor } = await readTable(dataPath)
  const flow = await loadFlow(run, options.device)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const scores = await flow.logProb(tensor, { signal })
    if (write) await write(options.output!, scores)
    const n = scores.length
    const logProb = scores.reduce((sum, value) => sum + value, 0) / n
    const bitsPerDim = -logProb / flow.field.dimension / Math.LN2
    if (options.json) {
      const { mean: nfe, max: nfeMax } = flow.evaluations!
      printJson({ n, logProb, nll: -logProb, bitsPerDim, nfe, nfeMax, output: options.output ?? null })
    } else {
      process.stdout.write(
        `${n} rows: mean log-likelihood ${logProb.toFixed(4)} nats, ${bitsPerDim.toFixed(4)} bits per dimension` +
          `${options.output ? `; each row's in ${options.output}` : ''}\n`,
      )
    }
  } finally {
    release()
    await flow.dispose()
  }
}
