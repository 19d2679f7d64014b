/** The distance of samples from the parts of the data, of points and of pictures, and its floor. */

import { expect, test } from 'vitest'
import { resolveConfig } from '../../src/config/index.js'
import { loadData } from '../../src/data/load.js'
import { fitScaler } from '../../src/data/scaler.js'
import { energyDistance, samplingFloor, slicedWasserstein } from '../../src/metrics/index.js'
import { openQuality } from '../../src/run/quality.js'

const parts = ['validation', 'test'] as const
const moons = async (over: object = {}) => {
  const { data, seed } = resolveConfig({
    data: { kind: 'toy', name: 'moons', train: 600, validation: 150, test: 200, ...over },
  })
  return loadData(data, { seed, baseDir: '.' })
}
const samplesOf = (values: Float32Array) => ({ values, shape: [values.length / 2, 2] })

test('sliced W2 from each part, at most as many samples as training rows, and a floor of that size', async () => {
  const data = await moons()
  const quality = await openQuality(data, { samples: 1000, parts })
  expect(quality).toMatchObject({ name: 'sliced W2', samples: 600, rows: { validation: 150, test: 200 } })
  const shifted = Float32Array.from(data.train.values, (value) => value + 1)
  const found = await quality.distances(samplesOf(shifted))
  expect(found.test).toBeCloseTo(slicedWasserstein(shifted, data.test!.values, 2), 12)
  expect(found.validation).toBeCloseTo(slicedWasserstein(shifted, data.validation!.values, 2), 12)
  const floor = await quality.floor()
  const truth = (await moons({ train: 4000 })).train.values
  const expected = await samplingFloor((a, b) => slicedWasserstein(a, b, 2), truth, 2, { counts: [600, 200] })
  expect(floor.mean / expected.mean).toBeGreaterThan(0.4)
  expect(floor.mean / expected.mean).toBeLessThan(2.5)
  expect(found.test!).toBeGreaterThan(2 * floor.mean)
})

test('standardised columns are measured in standard deviations', async () => {
  const data = await moons()
  const stretched = { ...data, scaler: fitScaler(data.train, null) }
  const quality = await openQuality(stretched, { samples: 600, parts })
  const shifted = Float32Array.from(
    data.train.values,
    (value, i) => value + (i % 2 === 0 ? stretched.scaler.std[0] : 0),
  )
  const still = await quality.distances(samplesOf(data.train.values as Float32Array))
  const moved = await quality.distances(samplesOf(shifted))
  // one standard deviation along one of two axes
  expect(moved.test!).toBeCloseTo(Math.sqrt(1 / 2), 0)
  expect(still.test!).toBeLessThan(0.3)
})

test('samples that are not finite have no distance, and a part that is not there is named', async () => {
  const quality = await openQuality(await moons(), { samples: 10, parts })
  expect(await quality.distances(samplesOf(Float32Array.of(1, Number.NaN)))).toEqual({ validation: null, test: null })
  await expect(openQuality(await moons({ validation: 0 }), { samples: 10, parts })).rejects.toThrow(
    'Give data.validation a number of rows',
  )
})

test('another distance is taken by its name, and one that is for other rows refused', async () => {
  const data = await moons()
  const quality = await openQuality(data, { samples: 200, parts, distance: 'energy' })
  expect(quality.name).toBe('energy distance')
  const shifted = Float32Array.from(data.train.values, (value) => value + 1)
  const { test: found } = await quality.distances(samplesOf(shifted))
  expect(found).toBeCloseTo(await energyDistance(shifted, data.test!.values, 2), 12)
  await expect(openQuality(data, { samples: 200, parts, distance: 'fid' })).rejects.toThrow(
    "distance must be one for points (sliced, energy, classifier), but is 'fid'",
  )
})

test('pictures are measured by FID in the features of digits', async () => {
  const values = (seed: number, n: number) =>
    Uint8Array.from({ length: n * 256 }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 24) & 255)
  const tensor = (seed: number, n: number) => ({ values: values(seed, n), shape: [n, 1, 16, 16] })
  const data = {
    ...(await moons()),
    train: tensor(1, 60),
    validation: tensor(7, 40),
    test: tensor(9, 40),
    rowKind: 'pictures' as const,
    scaler: null,
  }
  const quality = await openQuality(data, { samples: 50, parts })
  try {
    expect(quality).toMatchObject({ name: 'FID', samples: 50 })
    const black = { values: new Float32Array(50 * 256).fill(-1), shape: [50, 1, 16, 16] }
    const like = { values: Float32Array.from(values(9, 40), (b) => b / 127.5 - 1), shape: [40, 1, 16, 16] }
    const [far, near] = [await quality.distances(black), await quality.distances(like)]
    expect(near.test!).toBeLessThan(0.01 * far.test!)
    expect((await quality.floor()).mean).toBeLessThan(far.test!)
  } finally {
    await quality.dispose()
  }
})
