/** Sub-flows that are trained alone and joined: to the bit what one training makes, and what is refused. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { LocalFlow, run, trainSubFlow } from '../../src/index.js'

const scratch = mkdtempSync(join(tmpdir(), 'lfm-parts-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const config = (over: object = {}, flow: object = {}) => ({
  data: { kind: 'toy', name: 'moons', train: 300, validation: 40, test: 40 } as const,
  model: { hidden: [8] },
  flow: { n: 'auto', push: 'simulated', warmStart: false, outputScale: true, ...flow } as const,
  train: { batch: 40, steps: [9, 4, 5], validateEvery: 3 },
  device: 'native' as const,
  seed: 3,
  ...over,
})

test('in any order and joined they are what one training makes, to the bit', async () => {
  const out = join(scratch, 'run')
  await using whole = await run(config())
  for (const number of [3, 1, 2]) await trainSubFlow(config(), number, { out })
  await using joined = await run(config(), { out, join: true })
  const stored = ({ field, stages }: LocalFlow) => stages.map(({ parameters }) => field.toTensors(parameters, ''))
  expect(stored(joined)).toEqual(stored(whole))
  expect(joined.training!.losses).toEqual(whole.training!.losses)
  expect(joined.training!.validation).toEqual(whole.training!.validation)
  expect(joined.training!.steps).toBe(18)
  // the run is one like any other: it is read, and its last sub-flow trained on
  await using loaded = await LocalFlow.load(out)
  expect((await loaded.sample(5)).values).toEqual((await whole.sample(5)).values)
  const longer = config({ train: { batch: 40, steps: [9, 4, 8], validateEvery: 3 } })
  await using trainedOn = await run(longer, { out, resume: true })
  expect(trainedOn.training!.losses[2]).toHaveLength(8)
  expect(trainedOn.training!.losses[2].subarray(0, 5)).toEqual(whole.training!.losses[2])
})

test('a sub-flow alone is no model', async () => {
  const out = join(scratch, 'alone')
  await trainSubFlow(config(), 2, { out })
  await expect(LocalFlow.load(join(out, 'sub-flow-2'))).rejects.toThrow('holds sub-flow 2 of 3 alone')
  await expect(run(config(), { out, join: true })).rejects.toThrow('has no sub-flow 1, 3 of 3 to be joined')
})

test('what was trained by another config, or on other rows, is not joined', async () => {
  const out = join(scratch, 'others')
  for (const number of [1, 2, 3]) await trainSubFlow(config(), number, { out })
  await expect(run(config({ seed: 4 }), { out, join: true })).rejects.toThrow(
    'sub-flow-1 was trained by another config than the one that is joined',
  )
  const fewer = { kind: 'toy', name: 'moons', train: 290, validation: 40, test: 40 } as const
  await expect(run(config({ data: fewer }), { out, join: true })).rejects.toThrow('are not those that the sub-flows in')
})

test.each([
  [{ push: 'learned' }, 1, 'trainSubFlow needs flow.push: simulated, but it is learned'],
  [{ warmStart: true }, 1, 'trainSubFlow needs flow.warmStart: false'],
  [{ recipe: 'plain', n: undefined, gammas: [null] }, 1, 'trainSubFlow is for the sub-flows of flow.recipe: local'],
  [{}, 4, 'trainSubFlow 4 is not there: the chain has 3 sub-flows'],
  [{}, 0, 'number must be a whole number from 1 on'],
])('with %j sub-flow %d is refused', async (flow, number, words) => {
  await expect(
    trainSubFlow(config({ train: { batch: 40, steps: 4 } }, flow), number, { out: scratch }),
  ).rejects.toThrow(words)
})
