/** Trains and samples, disposes of nothing, and must end by itself. The first argument is the folder of the built library. */

import { pathToFileURL } from 'node:url'

const { LocalFlow } = await import(pathToFileURL(`${process.argv[2]}/index.js`).href)
const values = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i))
const flow = await LocalFlow.train(
  { values, shape: [64, 2] },
  {
    model: { hidden: [8] },
    flow: { gammas: [null] },
    train: { batch: 32, steps: 5 },
    ode: { steps: 2 },
    device: process.argv[3],
  },
)
process.stdout.write(`${(await flow.sample(3)).shape}\n`)
