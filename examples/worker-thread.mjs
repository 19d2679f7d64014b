/** The worker of worker.ts: trains for a moment (a program of yours would load a run), then samples what it is asked for. */

import { parentPort, workerData } from 'node:worker_threads'
import { data, LocalFlow } from 'local-flow-matching'

const rows = { values: data.toy('moons').sample(2000, 1), shape: [2000, 2] }
const flow = await LocalFlow.train(rows, {
  model: { hidden: [32] },
  flow: { gammas: [0.2, null] },
  train: { batch: 200, steps: workerData.steps },
})

parentPort.on('message', async (asked) => {
  if (!asked) {
    parentPort.close()
    await flow.dispose()
    return
  }
  const { id, n, seed } = asked
  // the device does one call after another
  const { values, shape } = await flow.sample(n, { seed })
  // handed over, not copied
  parentPort.postMessage({ id, values, shape }, [values.buffer])
})
