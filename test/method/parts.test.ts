/** A batch in parts is the same batch: its gradient is that of the whole, added in another order. */

import { expect, test } from 'vitest'
import { data, LocalFlow } from '../../src/index.js'
import { partsOf } from '../../src/learn/team.js'
import { describeOn } from '../devices.js'

await describeOn(['reference', 'native', 'webgpu'], 'a batch in parts', (_, kind) => {
  // compiling its tangents takes a software adapter half a minute
  const objectives = kind === 'webgpu' ? (['flow-matching'] as const) : (['flow-matching', 'mean-flow'] as const)
  test.each(objectives)('%s learns what the whole batch learns', async (objective) => {
    const losses = async (parts: number): Promise<number[]> => {
      const seen: number[] = []
      await using flow = await LocalFlow.train(data.toy('moons').sample(300, 1), {
        columns: 2,
        model: { hidden: [12] },
        flow: { gammas: [null] },
        train: { batch: 256, steps: 6, parts, objective, logEvery: 1, weightDecay: 0.1, clip: 1 },
        device: kind as 'reference',
      })
      seen.push(...flow.training!.losses[0])
      return seen
    }
    const [whole, two, four] = [await losses(1), await losses(2), await losses(4)]
    expect(whole).toHaveLength(6)
    for (const parts of [two, four]) {
      // the first loss is of the same rows, times and parameters, each row for itself
      expect(parts[0]).toBe(whole[0])
      for (const [i, loss] of parts.entries()) expect(Math.abs(loss / whole[i] - 1)).toBeLessThan(1e-3)
      expect(parts[5]).not.toBe(parts[0])
    }
  })
})

test('members have all parts between them, each one once', () => {
  for (const [size, parts] of [
    [1, 4],
    [2, 2],
    [2, 5],
    [3, 8],
    [8, 8],
  ]) {
    const own = Array.from({ length: size }, (_, rank) => partsOf({ rank, size }, parts))
    expect(own[0].first).toBe(0)
    expect(own.at(-1)!.end).toBe(parts)
    own.slice(1).forEach(({ first, end }, i) => {
      expect(first).toBe(own[i].end)
      expect(end).toBeGreaterThan(first)
    })
  }
})
