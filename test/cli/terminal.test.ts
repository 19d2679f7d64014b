import { describe, expect, it } from 'vitest'
import { clock, progressDisplay, rowsDisplay } from '../../src/cli/terminal.js'
import type { Progress } from '../../src/recipes/run-recipe.js'
import { rowsTogether } from '../../src/run/rows-together.js'

/** A display with a clock of its own; `line` is what the terminal shows last, or all that was written where there is none. */
function display(steps: number[], terminal: { isTTY: boolean; columns?: number }) {
  let time = 100
  let written = ''
  const stream = {
    ...terminal,
    write(text: string): boolean {
      written += text
      return true
    },
  }
  const shown = progressDisplay(steps, stream as never, () => time)
  return {
    at(seconds: number, progress: Progress): string {
      time = 100 + seconds
      shown.show(progress)
      return terminal.isTTY ? written.slice(written.lastIndexOf('\x1b[2K') + 4) : written
    },
    end: () => shown.end(),
    written: () => written,
  }
}
const train = (subFlow: number, step: number, steps = 1000, skipped = 0): Progress => ({
  ...{ phase: 'train', subFlow, subFlows: 2, step, steps, loss: 0.51234, skipped },
  // of the last stretch alone: what is shown is not this
  stepsPerSecond: 7,
})
const push = (rows: number): Progress => ({ phase: 'push', subFlow: 1, subFlows: 2, rows, of: 100 })
const percent = (line: string): number => Number(/(\d+) %/.exec(line)![1])
const left = (line: string): string | undefined => /([\d:]+) left/.exec(line)?.[1]

describe('the progress bar', () => {
  it('says nothing of speed before it has seen two stretches, then the speed without compilation', () => {
    const { at } = display([1000, 1000], { isTTY: true, columns: 200 })
    // compilation took the 50 seconds before the first step
    const first = at(50, train(1, 1))
    expect(first).toContain('sub-flow 1/2 │ step 1/1000 │ loss 0.5123')
    expect(first).not.toContain('steps/s')
    expect(first).not.toContain('left')
    const second = at(51, train(1, 101))
    expect(second).toContain('│ 100 steps/s │ 0:19 left')
    expect(percent(second)).toBe(5)
  })

  it('takes the speed of the last while', () => {
    const { at } = display([1_000_000, 1], { isTTY: true, columns: 200 })
    let line = ''
    for (let second = 0; second <= 60; second++) line = at(second, train(1, 1 + 10 * second, 1_000_000))
    expect(line).toContain('│ 10 steps/s │')
    for (let second = 61; second <= 90; second++) line = at(second, train(1, 601 + 200 * (second - 60), 1_000_000))
    expect(line).toContain('│ 200 steps/s │')
  })

  it('never goes back, neither in a push nor after it, and counts pushes into the time left', () => {
    const { at } = display([1000, 1000, 1000], { isTTY: true, columns: 200 })
    const lines = [
      at(0, train(1, 1)),
      at(10, train(1, 1000)),
      at(15, push(50)),
      at(20, push(100)),
      at(21, train(2, 1)),
      at(31, train(2, 1000)),
    ]
    const shares = lines.map(percent)
    expect(shares).toEqual([0, 33, 33, 33, 33, 66])
    // 2000 steps at 99.9 a second; the push takes 10 seconds, and there is one more like it
    expect(left(lines[2])).toBe('0:35')
    expect(left(lines[3])).toBe('0:30')
    expect(left(lines[5])).toBe('0:20')
    expect(lines[2]).toContain('sub-flow 1/2 │ pushing the data through it: 50/100 rows')
  })

  it('fits into the terminal, tells skipped steps, and leaves its line at the end', () => {
    const narrow = display([1000, 1000], { isTTY: true, columns: 50 })
    expect(narrow.at(0, train(1, 1))).toHaveLength(49)
    const wide = display([1000, 1000], { isTTY: true, columns: 200 })
    expect(wide.at(0, train(1, 1, 1000, 3))).toContain('3 steps skipped')
    wide.end()
    wide.end()
    expect(wide.written().endsWith('skipped\n')).toBe(true)
  })
})

describe('progress without a terminal', () => {
  it('is a plain line now and then, and at the end of each sub-flow', () => {
    const { at, end, written } = display([1000, 1000], { isTTY: false })
    at(0, train(1, 1))
    for (let second = 1; second < 10; second++) at(second, train(1, 10 * second))
    expect(written().trimEnd().split('\n')).toHaveLength(1)
    at(11, train(1, 110))
    at(12, train(1, 1000))
    end()
    const lines = written().trimEnd().split('\n')
    expect(lines.map((line) => /step (\d+)/.exec(line)![1])).toEqual(['1', '110', '1000'])
    for (const mark of ['\r', '\x1b', '█', '░']) expect(written()).not.toContain(mark)
  })
})

it('a clock reads as people write it', () => {
  expect([0, 75, 4000, -3].map(clock)).toEqual(['0:00', '1:15', '1:06:40', '0:00'])
})

describe('on a narrow terminal', () => {
  const shownAt = (columns: number): string => {
    const { at } = display([1000, 1000], { isTTY: true, columns })
    at(50, train(1, 1))
    return at(51, train(1, 101))
  }

  it('speed and time left come first, the bar shrinks, and what has no room is left out whole', () => {
    expect(shownAt(100)).toMatch(
      /^█░{20,23} {3}5 % │ 100 steps\/s │ 0:19 left │ sub-flow 1\/2 │ step 101\/1000 │ loss 0.5123$/,
    )
    expect(shownAt(80)).toMatch(/^█?░+ {3}5 % │ 100 steps\/s │ 0:19 left │ sub-flow 1\/2 │ step 101\/1000$/)
    expect(shownAt(60)).toMatch(/^█?░+ {3}5 % │ 100 steps\/s │ 0:19 left │ sub-flow 1\/2$/)
    expect(shownAt(40)).toMatch(/^█?░+ {3}5 % │ 100 steps\/s │ 0:19 left$/)
    for (const columns of [100, 80, 60, 40, 20, 8, 1]) expect(shownAt(columns).length).toBeLessThan(columns)
  })
})

describe('rows of a piece of work', () => {
  const rows = (terminal: { isTTY: boolean; columns?: number }) => {
    let time = 0
    const written: string[] = []
    const stream = { ...terminal, write: (text: string) => written.push(text) > 0 }
    const shown = rowsDisplay('drawing', stream as never, () => time)
    const at = (seconds: number, done: number): void => {
      time = seconds
      shown.show(done, 1000)
    }
    return { at, end: shown.end, written }
  }

  it('are a bar on a terminal, which goes at the end', () => {
    const { at, end, written } = rows({ isTTY: true, columns: 80 })
    at(1, 100)
    at(2, 400)
    expect(written.at(-1)).toMatch(/█+░+ +40 % │ drawing: 400\/1000 rows │ 0:02 left$/)
    end()
    expect(written.at(-1)).toBe('\r\x1b[2K')
  })

  it('are a line every ten seconds elsewhere, and none of what is done sooner', () => {
    const { at, end, written } = rows({ isTTY: false })
    at(1, 100)
    at(9, 200)
    at(11, 400)
    at(12, 500)
    end()
    expect(written).toEqual(['drawing: 400/1000 rows │ 0:20 left\n'])
  })

  it('are counted together over several calls', () => {
    const seen: [number, number][] = []
    const part = rowsTogether(30, (done, of) => seen.push([done, of]))
    part(20)(20)
    const second = part(10)
    second(5)
    second(10)
    expect(seen).toEqual([
      [20, 30],
      [25, 30],
      [30, 30],
    ])
  })
})
