/** Every distance that runs can be compared by tells sets of one law from sets of another, and keeps to the rows it is for. */

import { describe, expect, it } from 'vitest'
import { rowKindNames } from '../../src/data/kinds.js'
import { type Distance, distanceNames, distances, usualDistance } from '../../src/metrics/registry.js'
import { RandomStream, streams } from '../../src/random/stream.js'

/** [n, 3], normal with mean `shift` along the first column */
function normalRows(n: number, seed: number, shift = 0): Float32Array {
  const random = new RandomStream(seed, streams.metric)
  return Float32Array.from({ length: 3 * n }, (_, i) => {
    if (i % 3 === 0) random.row(i / 3)
    return random.normal() + (i % 3 === 0 ? shift : 0)
  })
}

describe.each(distanceNames)('%s', (name) => {
  const { measure, of }: Distance = distances[name]
  const reference = normalRows(700, 1)

  it('grows with the shift of one column', async () => {
    const at = (shift: number) => measure(normalRows(500, 2, shift), reference, 3)
    const [none, little, much] = [await at(0), await at(0.5), await at(1)]
    expect(little).toBeGreaterThan(none)
    expect(much).toBeGreaterThan(little)
  })

  it('is for a kind of rows that there is', () => {
    expect(of.length).toBeGreaterThan(0)
    expect(rowKindNames).toEqual(expect.arrayContaining([...of]))
  })
})

it.each(rowKindNames)('%s have a usual distance that is for them', (kind) => {
  expect((distances[usualDistance[kind]] as Distance).of).toContain(kind)
})
