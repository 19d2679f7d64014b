/** An array that a caller gives is read when it is given: what the caller does with it afterwards is nothing to the result. */

import { expect, test } from 'vitest'
import { LocalFlow } from '../../src/index.js'
import { engine } from '../cli/lfm.js'

const rows = (
  make: (length: number) => Float32Array = (length) => new Float32Array(length),
): { values: Float32Array; shape: number[] } => {
  const values = make(400)
  for (let i = 0; i < 400; i++) values[i] = Math.sin(1.7 * i)
  return { values, shape: [200, 2] }
}
const options = () => ({
  device: engine,
  model: { hidden: [8] },
  flow: { gammas: [0.1, null] },
  train: { steps: 10, batch: 50 },
  ode: { sample: { steps: 2 }, evaluate: { steps: 2 }, push: { steps: 2 } },
})
const spoil = ({ values, shape }: { values: Float32Array; shape: number[] }): void => {
  values.fill(Number.NaN)
  shape.fill(1)
}

test('arrays and options may be changed as soon as a call has returned its promise', async () => {
  const x = rows()
  const given = options()
  const training = LocalFlow.train(x, given)
  spoil(x)
  given.model.hidden[0] = 1
  const flow = await training
  const same = await LocalFlow.train(rows(), options())
  expect(flow.subFlows[0].parameters).toEqual(same.subFlows[0].parameters)
  expect((flow.raw as ReturnType<typeof options>).model.hidden).toEqual([8])
  for (const call of ['encode', 'decode', 'logProb', 'trajectory'] as const) {
    const y = rows()
    const promise = flow[call](y)
    spoil(y)
    expect(await promise, call).toEqual(await same[call](rows()))
  }
  await flow.dispose()
  await same.dispose()
})

test('memory that is shared with other threads is taken like any other', async () => {
  const shared = () => rows((length) => new Float32Array(new SharedArrayBuffer(4 * length)))
  const flow = await LocalFlow.train(shared(), options())
  const same = await LocalFlow.train(rows(), options())
  expect(flow.subFlows[1].parameters).toEqual(same.subFlows[1].parameters)
  expect(await flow.encode(shared())).toEqual(await same.encode(rows()))
  expect(await flow.decode(shared())).toEqual(await same.decode(rows()))
  await flow.dispose()
  await same.dispose()
})
