/** Pools of fewer rows than there are: which rows a fit sees, and what does not depend on windows at all. */

import { describe, expect, it } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { PoolValues, RowStore } from '../../src/learn/pool.js'
import { Windows } from '../../src/learn/windows.js'
import { networkFor } from '../../src/networks/registry.js'
import { localFlow } from '../../src/recipes/local-flow.js'
import type { RecipeContext, RecipeState, StoredData } from '../../src/recipes/recipe.js'
import { type RecipeHooks, runRecipe } from '../../src/recipes/run-recipe.js'
import { describeOn } from '../devices.js'
import { chain } from '../training.js'

const D = 2
const n = 60
const values = Float32Array.from({ length: n * D }, (_, i) => Math.sin(7 * i + 1))

/** Rows in memory that count what is read and whether they are closed. */
function store(content = new Float32Array(n * D)): RowStore & { content: Float32Array; open: boolean } {
  return {
    rows: n,
    content,
    open: true,
    read: async (first, count) => content.slice(first * D, (first + count) * D),
    async write(first, some) {
      content.set(some, first * D)
    },
    async close() {
      this.open = false
    },
  }
}

const network = networkFor(resolveOptions({ model: { hidden: [8] } }).model, [D])

await describeOn(['reference', 'native', 'webgpu'], 'windows', (device) => {
  it('bring every row equally often, and others together in each pass', async () => {
    const numbered = Float32Array.from({ length: n * D }, (_, i) => Math.floor(i / D))
    const windows = new Windows(device(), network, store(numbered), 25, 4, async () => store())
    expect(windows.every).toBe(6)
    const seen = new Array<number>(n).fill(0)
    const sets: string[] = []
    for (let stretch = 0; stretch < 12; stretch++) {
      await windows.renew(stretch)
      const rows = Array.from(await windows.pool.left.read()).filter((_, i) => i % D === 0)
      expect(rows).toEqual(Array.from({ length: 25 }, (_, i) => (25 * stretch + i) % n))
      for (const row of rows) seen[row]++
      sets.push(String(rows.toSorted((a, b) => a - b)))
    }
    expect(seen).toEqual(new Array(n).fill(5))
    expect(new Set(sets).size).toBe(12)
    await windows.close()
  })

  it('push rows to the bits that a push of all of them gives, and free what is done with', async () => {
    const made: ReturnType<typeof store>[] = []
    const pushed = async (window: number): Promise<Float32Array> => {
      const into = async () => {
        made.push(store())
        return made[made.length - 1]
      }
      const windows = new Windows(device(), network, store(values), window, 4, into)
      if (windows.whole) await windows.fill(0)
      const context = { device: device(), network, data: values, settings: chain([0.3, null], { steps: [1, 1] }) }
      const parameters = network.initialise(5, 1)
      for (let pass = 0; pass < 2; pass++) {
        const of = await windows.advance(() =>
          localFlow.nextPool(context, windows.pool, [{ parameters, outputScale: 1 }]),
        )
        expect(of).toHaveLength(Math.ceil(n / window))
      }
      const all = await windows.read(0, n)
      await windows.close()
      return all
    }
    const whole = await pushed(n)
    expect(await pushed(25)).toEqual(whole)
    expect(whole).not.toEqual(values)
    expect(made.map(({ open }) => open)).toEqual([false, false, false, false])
  })

  describe('a chain', () => {
    async function train(
      push: 'learned' | 'simulated',
      window: number | null,
      stopAfter = Infinity,
      start: RecipeState | null = null,
    ): Promise<{ states: RecipeState[]; losses: number[] }> {
      const settings = chain([0.3, null], { steps: [40, 40], push, checkpointEvery: 15, outputScale: true })
      const small = { ...settings, fit: { ...settings.fit, batch: 6 } }
      const stored: StoredData | null = window ? { rows: store(values), window, make: async () => store() } : null
      const context: RecipeContext = { device: device(), network, data: values as PoolValues, stored, settings: small }
      const losses: number[] = []
      const hooks: RecipeHooks = {
        onLosses: (fit, first, some) =>
          some.forEach((loss, i) => {
            losses[40 * (fit - 1) + first + i] = loss
          }),
      }
      const states: RecipeState[] = []
      const stop = new AbortController()
      const run = runRecipe(localFlow, { ...context, signal: stop.signal }, hooks, start)
      try {
        for (let step = await run.next(); !step.done; step = await run.next()) {
          states.push(step.value.state)
          if (states.length === stopAfter) stop.abort()
        }
      } catch (error) {
        if (!stop.signal.aborted) throw error
      }
      return { states, losses }
    }

    it('learns from one window of all rows to the bits that it learns from rows in memory', async () => {
      const [inMemory, stored] = [await train('learned', null), await train('learned', n)]
      expect(stored.losses).toEqual(inMemory.losses)
      expect(stored.states.at(-1)!.finished).toEqual(inMemory.states.at(-1)!.finished)
    })

    it.each(['learned', 'simulated'] as const)(
      'with a %s push goes on from a checkpoint to the same bits',
      async (push) => {
        const whole = await train(push, 25)
        expect(whole.losses).not.toEqual((await train(push, null)).losses)
        // in the first sub-flow within a stretch of four steps, between the two, and in the second
        for (const at of [1, 3, 5]) {
          const before = await train(push, 25, at)
          const after = await train(push, 25, Infinity, before.states[at - 1])
          expect(after.states.at(-1)!.finished).toEqual(whole.states.at(-1)!.finished)
        }
      },
    )
  })
})
