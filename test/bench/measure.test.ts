import { describe, expect, it } from 'vitest'
import { CRAWL, calibrate, fittingRows, quote, type Runner, timeOnce } from '../../bench/measure.js'

/** A runner on a clock of its own: a call costs `call` milliseconds, a repetition `each`. */
function simulated(call: number, each: number): { runner: Runner; clock: () => number; ran: number[] } {
  let now = 0
  const ran: number[] = []
  return {
    ran,
    clock: () => now,
    runner: {
      async run(times) {
        ran.push(times)
        now += call + times * each
      },
      dispose() {},
    },
  }
}

describe('bench: times', () => {
  it('leave out what a call costs once', async () => {
    const { runner, clock, ran } = simulated(50, 2)
    expect(await timeOnce(runner, 4, clock)).toBeCloseTo(2, 10)
    expect(ran).toEqual([4, 12])
  })

  it('are taken anew where three times the work looked faster, and given up in the end', async () => {
    let now = 0
    const delays = [9, 1, 2, 6]
    const wavering: Runner = {
      async run() {
        now += delays.shift() ?? 1
      },
      dispose() {},
    }
    expect(await timeOnce(wavering, 1, () => now)).toBe(2)
    await expect(timeOnce(wavering, 1, () => now)).rejects.toThrow('too busy')
  })

  it('use as many repetitions as fill the round', async () => {
    const fast = simulated(0.1, 0.01)
    const n = await calibrate(fast.runner, 100, fast.clock)
    expect(4 * n * 0.01).toBeGreaterThan(70)
    expect(4 * n * 0.01).toBeLessThan(130)
    const slow = simulated(0, 1000)
    expect(await calibrate(slow.runner, 100, slow.clock)).toBe(1)
  })

  it('are quoted by their median, the quartiles over it', () => {
    expect(quote([4, 1, 3, 2, 100])).toEqual({ median: 3, spread: 2 / 3 })
    expect(quote([5])).toEqual({ median: 5, spread: 0 })
  })
})

describe('bench: rows for a slow side', () => {
  /** 20 ms for a call and 1 ms for each row. */
  const search = async (
    rows: number,
    cap: number,
    first = 32,
  ): Promise<{ found: number; tried: number[]; open: number }> => {
    let now = 0
    let open = 0
    const tried: number[] = []
    const found = await fittingRows(
      async (given) => {
        tried.push(given)
        open++
        return {
          run: async () => {
            now += 20 + given
          },
          dispose: () => {
            open--
          },
        }
      },
      rows,
      cap,
      first,
      () => now,
    )
    return { found, tried, open }
  }

  it('are all of them where they fit', async () => {
    expect(await search(1000, 2000)).toMatchObject({ found: 1000, open: 0 })
    expect(await search(7, 2000)).toMatchObject({ found: 7, tried: [7] })
  })

  it('are found by one repetition where it takes very long', async () => {
    const { runner, clock, ran } = simulated(0, 1.5 * CRAWL)
    expect(await fittingRows(async () => runner, 64, 500, 1, clock)).toBe(1)
    expect(ran).toEqual([1])
  })

  it('are fewer where they do not, and the overhead of small sizes does not count against them', async () => {
    const { found, open } = await search(10_000, 400)
    expect(found).toBeGreaterThanOrEqual(370)
    expect(found).toBeLessThanOrEqual(380)
    expect(open).toBe(0)
  })

  it('are looked for from the smallest size on', async () => {
    expect((await search(64, 2000, 1)).tried).toEqual([1, 4, 16, 64])
    expect((await search(64, 2000)).tried).toEqual([32, 64])
  })

  it('are at least one', async () => {
    expect((await search(1000, 0.1)).found).toBe(1)
  })
})
