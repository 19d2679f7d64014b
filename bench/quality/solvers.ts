/**
 * `npm run quality:solvers -- RUN ...`: how far samples of runs are from test rows by few evaluations, even in the chain's angle: by
 * solvers of the library and by others (multistep.ts), from the same noise. docs/method.md has the tables.
 */

import process from 'node:process'
import { parseArgs } from 'node:util'
import { undoScaler } from '../../src/data/scaler.js'
import { openDevice } from '../../src/device/node/select.js'
import { LocalFlowError } from '../../src/errors.js'
import { RandomStream } from '../../src/random/stream.js'
import { dataOf } from '../../src/run/evaluation.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { openQuality } from '../../src/run/quality.js'
import { openRun, readFlow } from '../../src/run/run.js'
import { multistep, Stepper } from './multistep.js'
import { digits } from './tables.js'

const help = `npm run quality:solvers -- RUN [RUN ...] [--evaluations 4,8,16] [--samples 4000]

Prints the distance of each run's samples from its test rows (sliced W2 of points, FID of pictures), solver by solver.`

/** Rows that are carried at a time. */
const ROWS = 500
const SOLVERS = ['euler', 'ab2', 'ddim'] as const

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      evaluations: { type: 'string', default: '4,8,16' },
      samples: { type: 'string', default: '4000' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || positionals.length === 0) return void console.log(help)
  const counts = values.evaluations.split(',').map(Number)
  const n = Math.ceil(Number(values.samples) / ROWS) * ROWS
  const device = await openDevice('native')
  try {
    for (const folder of positionals) {
      const run = await openRun(folder)
      const flow = new LocalFlow(await readFlow(run), device)
      const quality = await openQuality(await dataOf(run, 'test'), { samples: n, parts: ['test'] })
      const { dimension } = flow.field
      const shape = [n, ...flow.rowShape]
      const random = new RandomStream(1)
      const noise = Float32Array.from({ length: n * dimension }, () => random.normal())
      const stepper = await Stepper.open(flow, device, ROWS)
      const byLibrary = SOLVERS.map((solver) => ({
        name: `\`${solver}\``,
        samples: (evaluations: number) =>
          flow.decode({ values: noise, shape }, { solver, clock: 'angle', evaluations }),
      }))
      const byHost = Object.entries(multistep).map(([name, step]) => ({
        name,
        async samples(evaluations: number) {
          const drawn = new Float32Array(noise.length)
          for (let at = 0; at < noise.length; at += ROWS * dimension) {
            drawn.set(await stepper.samples(noise.subarray(at, at + ROWS * dimension), step, evaluations), at)
          }
          const samples = { values: drawn, shape }
          return flow.scaler ? { ...samples, values: undoScaler(flow.scaler, samples).values } : samples
        },
      }))
      const floor = await quality.floor()
      console.log(`\n${folder}: ${quality.name} of ${n} samples at evaluations; floor ${digits(floor.mean)}\n`)
      console.log(`| solver | ${counts.join(' | ')} |\n|---${'|---'.repeat(counts.length)}|`)
      for (const { name, samples } of [...byLibrary, ...byHost]) {
        const cells: string[] = []
        for (const count of counts) {
          const { test } = await quality.distances(await samples(count))
          cells.push(typeof test === 'number' ? digits(test) : '–')
        }
        console.log(`| ${name} | ${cells.join(' | ')} |`)
      }
      await quality.dispose()
      await flow.dispose()
    }
  } finally {
    await device.dispose()
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof LocalFlowError)) throw error
  process.stderr.write(`quality:solvers: ${error.message}\n`)
  process.exitCode = 1
}
