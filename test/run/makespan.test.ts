/** How long jobs take on so many slots: against closed forms, bounds, and losses that are drawn one by one. */

import { describe, expect, it } from 'vitest'
import { RandomStream } from '../../src/random/stream.js'
import { type ClusterTerms, makespan, usualTerms, withLosses } from '../../src/run/cluster/makespan.js'

const terms = (over: Partial<ClusterTerms> = {}): ClusterTerms => ({ ...usualTerms, start: 0, ...over })

describe('without limits and losses', () => {
  it.each([
    [24, 2],
    [25, 8],
    [3, 8],
  ])('%i equal jobs on %i slots take ⌈N/K⌉ of them, each with its start', (N, K) => {
    const work = new Array<number>(N).fill(7)
    expect(makespan(work, K, terms({ start: 2 }))).toEqual({ seconds: Math.ceil(N / K) * 9, busy: N * 9, calls: N })
  })

  it('the first of the list goes first, whatever would be shorter', () => {
    expect(makespan([3, 3, 2, 2, 2], 2, terms()).seconds).toBe(7)
    expect(makespan([1, 1, 10], 2, terms()).seconds).toBe(11)
    expect(makespan([10, 1, 1], 2, terms()).seconds).toBe(10)
  })

  it('is between the work of a slot and Graham’s bound', () => {
    const random = new RandomStream(5)
    for (let trial = 0; trial < 50; trial++) {
      const work = Array.from({ length: 20 }, () => random.uniform() * 100)
      const [sum, longest] = [work.reduce((a, b) => a + b), Math.max(...work)]
      for (const K of [1, 2, 5]) {
        const { seconds } = makespan(work, K, terms())
        expect(seconds).toBeGreaterThanOrEqual(Math.max(sum / K, longest) - 1e-9)
        expect(seconds).toBeLessThanOrEqual(sum / K + (1 - 1 / K) * longest + 1e-9)
      }
    }
  })
})

describe('with a time limit', () => {
  const limited = terms({ limit: 100, warned: 8, start: 2, delay: 5 })

  it('a long job goes in pieces, each with its start and a wait between them', () => {
    // 90 + 90 + 70 of work
    expect(makespan([250], 3, limited)).toEqual({ seconds: 250 + 3 * 2 + 2 * 5, busy: 256, calls: 3 })
  })

  it('others work while one waits', () => {
    // 92 of each; the wait of the first is over by then
    expect(makespan([180, 90], 1, limited).seconds).toBe(3 * 92)
  })

  it('that leaves no time to work is refused', () => {
    expect(() => makespan([1], 1, terms({ limit: 90 }))).toThrow('the limit of a job must be more than 90 seconds')
  })
})

it('losses cost in the mean what they cost when they are drawn one by one', () => {
  const random = new RandomStream(11)
  const lossy = terms({ lostEvery: 50, checkpointEvery: 20, delay: 7, start: 3 })
  const drawn = (work: number): number => {
    let time = 0
    for (let done = 0; done < work; ) {
      const stretch = Math.min(20, work - done)
      const lost = -50 * Math.log(1 - random.uniform())
      if (lost > stretch) {
        time += stretch
        done += stretch
      } else time += lost + 7 + 3
    }
    return time
  }
  const times = Array.from({ length: 20_000 }, () => drawn(90))
  const mean = times.reduce((a, b) => a + b) / times.length
  const error = Math.sqrt(times.reduce((sum, time) => sum + (time - mean) ** 2, 0)) / times.length
  expect(Math.abs(withLosses(90, lossy) - mean)).toBeLessThan(4 * error)
  expect(4 * error).toBeLessThan(withLosses(90, lossy) - 90)
  expect(withLosses(90, terms())).toBe(90)
  // hardly any losses
  expect(withLosses(90, { ...lossy, lostEvery: 1e9 })).toBeCloseTo(90, 4)
  expect(makespan([90, 90], 2, lossy).seconds).toBeCloseTo(3 + withLosses(90, lossy), 9)
})
