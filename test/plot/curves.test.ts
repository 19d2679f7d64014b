/** Loss curves and bars: the words, the scales, and what is refused. */
import { describe, expect, it } from 'vitest'
import { barsFigure, lossFigure } from '../../src/plot/index.js'
import { logTicks } from '../../src/plot/marks.js'
import { formatNumber } from '../../src/plot/theme.js'

const words = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])
const steps = Array.from({ length: 400 }, (_, i) => 5 * (i + 1))

describe('lossFigure', () => {
  it('gives each sub-flow a panel with its label, its note and its last mean', async () => {
    const series = [0.5, 2].map((level, i) => ({
      label: `sub-flow ${i + 1}`,
      note: i === 0 ? 'γ = 0.025' : 'free',
      steps,
      loss: steps.map(() => level),
    }))
    const svg = await lossFigure({ series })
    expect(words(svg)).toEqual(
      expect.arrayContaining(['sub-flow 1', 'γ = 0.025', '0.5000', 'sub-flow 2', 'free', '2', 'training step', 'loss']),
    )
    expect(svg.match(/class="mark-line role-mark/g)).toHaveLength(4)
  })

  it('says the loss that it is told, less the floor where the excess is drawn', async () => {
    const series = [{ label: 'one', steps, loss: steps.map((step) => 1 + 1 / step), floor: 0.25, final: 1.5 }]
    expect(words(await lossFigure({ series }))).toContain('1.500')
    expect(words(await lossFigure({ series, quantity: 'excess' }))).toContain('1.250')
  })

  it('counts the values that are cut off at the frame, those below zero of a logarithmic scale too', async () => {
    const spiky = steps.map((_, i) => (i === 100 || i === 300 ? 50 : i === 200 ? -50 : 1 + (i % 7) / 100))
    expect(words(await lossFigure({ series: [{ label: 'one', steps, loss: spiky }] }))).toContain(
      '3 of 400 values outside',
    )
    const calm = steps.map((_, i) => 1 + (i % 7) / 100)
    expect(words(await lossFigure({ series: [{ label: 'one', steps, loss: calm }] })).join()).not.toContain('outside')
    const negative = steps.map((step, i) => (i % 4 === 0 ? -1e-3 : Math.exp(-step / 100)))
    const shown = words(await lossFigure({ series: [{ label: 'one', steps, loss: negative }], scale: 'log' })).join()
    expect(Number(/(\d+) of 400 values outside/.exec(shown)?.[1])).toBeGreaterThanOrEqual(100)
  })

  it('takes a logarithmic scale where the loss falls far, a linear one where it does not', async () => {
    const falling = (least: number) => [
      { label: 'one', steps, loss: steps.map((step) => least + Math.exp(-step / 100)) },
    ]
    expect(words(await lossFigure({ series: falling(1e-4) }))).toEqual(expect.arrayContaining(['0.01', '0.001']))
    expect(words(await lossFigure({ series: falling(1) }))).not.toContain('0.01')
  })

  it('draws the floor as a dashed line, or what is above it', async () => {
    const series = [{ label: 'one', steps, loss: steps.map((step) => 0.3 + 1 / step), floor: 0.3 }]
    expect(await lossFigure({ series })).toContain('stroke-dasharray')
    const excess = await lossFigure({ series, quantity: 'excess' })
    expect(words(excess)).toContain('excess loss')
    expect(excess).not.toContain('stroke-dasharray')
    await expect(lossFigure({ series: [{ label: 'one', steps, loss: steps }], quantity: 'excess' })).rejects.toThrow(
      /floor/,
    )
  })

  it('says so where nothing was recorded, leaves out what is not finite, refuses unequal lengths', async () => {
    expect(words(await lossFigure({ series: [{ label: 'one', steps: [], loss: [] }] }))).toContain('nothing recorded')
    const loss = steps.map((_, i) => (i === 7 ? Number.NaN : 1))
    expect(await lossFigure({ series: [{ label: 'one', steps, loss }] })).not.toContain('NaN')
    await expect(lossFigure({ series: [{ label: 'one', steps, loss: [1] }] })).rejects.toThrow(/400, as many/)
    await expect(lossFigure({ series: [] })).rejects.toThrow(/at least one loss history/)
  })
})

describe('barsFigure', () => {
  const bars = [
    { label: 'training step', group: 'native', value: 31.4 },
    { label: 'training step', group: 'webgpu', value: 1.9 },
    { label: 'push', group: 'native', value: 15_000 },
  ]

  it('shows title, unit, labels, groups and values', async () => {
    expect(words(await barsFigure({ title: 'Speed', unit: 'ms', bars, scale: 'log' }))).toEqual(
      expect.arrayContaining([
        'Speed',
        'ms',
        'training step',
        'push',
        'native',
        'webgpu',
        '31.4',
        '1.90',
        '15\u2009000',
      ]),
    )
  })

  it('makes lengths in proportion on a linear scale', async () => {
    const svg = await barsFigure({ unit: 's', bars: [1, 4].map((value) => ({ label: `${value}`, group: 'a', value })) })
    const lengths = [...svg.matchAll(/mark-rect[^>]*><path d="M0,\d+h([\d.]+)/g)].map((match) => Number(match[1]))
    expect(lengths).toHaveLength(2)
    expect(lengths[1] / lengths[0]).toBeCloseTo(4, 6)
  })

  it('breaks a key that is wider than the figure into lines', async () => {
    const groups = ['native', 'webgpu', 'pytorch', 'onnxruntime', 'tfjs-cpu', 'tfjs-wasm', 'tfjs-webgpu']
    const svg = await barsFigure({ unit: 's', bars: groups.map((group) => ({ label: 'step', group, value: 1 })) })
    const width = Number(/<svg[^>]* width="(\d+)/.exec(svg)![1])
    for (const group of groups) {
      const [, x] = new RegExp(`translate\\(([\\d.]+),[\\d.]+\\)"[^>]*>${group}<`).exec(svg)!
      expect(Number(x) + 5 * group.length).toBeLessThan(width)
    }
  })

  it('refuses what has no length', async () => {
    await expect(barsFigure({ unit: 's', bars: [] })).rejects.toThrow(/at least one bar/)
    const zero = [{ label: 'a', group: 'b', value: 0 }]
    await expect(barsFigure({ unit: 's', bars: zero, scale: 'log' })).rejects.toThrow(
      /bars\[0\]\.value must be .*above 0/,
    )
    await expect(barsFigure({ unit: 's', bars: [{ ...zero[0], value: -1 }] })).rejects.toThrow(/0 or more/)
  })
})

describe('numbers', () => {
  it('are written as in a table', () => {
    const shown = [0, 2000, 12_000, 24_000_000, 0.05, 1.9, 1234.5, -0.5, 1.5e-7, Number.NaN].map((value) =>
      formatNumber(value),
    )
    expect(shown).toEqual([
      '0',
      '2000',
      '12\u2009000',
      '24\u2009000\u2009000',
      '0.0500',
      '1.90',
      '1235',
      '−0.500',
      '1.5·10⁻⁷',
      'not a number',
    ])
  })

  it('stand at powers of ten on a long logarithmic axis, closer on a short one', () => {
    expect(logTicks([0.5, 2000])).toEqual([1, 10, 100, 1000])
    expect(logTicks([0.05, 0.9])).toEqual([0.1, 0.3])
    expect(logTicks([1, 4])).toEqual([1, 1.5, 2, 3])
  })
})
