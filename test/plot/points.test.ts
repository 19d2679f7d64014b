/** Figures of points and chains: the words, the panels, dots or density, and what is refused. */
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../src/errors.js'
import { binsFor, darkest, densityImage, histogram2d } from '../../src/plot/density.js'
import { chainFigure, chainLabel, pointsFigure } from '../../src/plot/index.js'

/** n rows of D columns on a spiral, the same each time. */
function spiral(n: number, dimensions: number): Float32Array {
  return Float32Array.from({ length: n * dimensions }, (_, k) => {
    const i = Math.floor(k / dimensions)
    return (i / n) * Math.cos(i * 2.4 + (k % dimensions))
  })
}

const occurrences = (text: string, part: string) => text.split(part).length - 1

/** The words of an SVG's text elements. */
const words = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])

describe('pointsFigure', () => {
  it('writes titles and subtitles, and a density image for each panel of many points', async () => {
    const panels = ['data', 'samples'].map((title) => ({
      title,
      subtitle: `${title}: 4000`,
      values: spiral(4000, 2),
      dimensions: 2,
    }))
    const svg = await pointsFigure({ panels })
    expect(words(svg)).toEqual(expect.arrayContaining(['data', 'samples', 'data: 4000', 'samples: 4000']))
    expect(occurrences(svg, '<image')).toBe(2)
  })

  it('draws one dot for each of few points, and none for rows that are not finite', async () => {
    const values = spiral(100, 2)
    values[6] = Number.NaN
    const svg = await pointsFigure({
      panels: [{ title: 'few', values, dimensions: 2 }],
      bounds: { x: [-2, 2], y: [-2, 2] },
    })
    const marks = svg.slice(svg.indexOf('mark-symbol'))
    expect(svg).not.toContain('<image')
    expect(occurrences(marks.slice(0, marks.indexOf('</g>')), '<path')).toBe(99)
  })

  it('shares axes: tick labels stand at the left column and at the lowest panel of each column only', async () => {
    const panels = [1, 2, 3, 4].map((i) => ({ title: `panel ${i}`, values: spiral(20, 2), dimensions: 2 }))
    const bounds = { x: [10, 11] as [number, number], y: [-51, -50] as [number, number] }
    const svg = await pointsFigure({ panels, bounds, columns: 2 })
    expect(words(svg).filter((word) => word === '10.2')).toHaveLength(2)
    expect(words(svg).filter((word) => word === '−50.2')).toHaveLength(2)
  })

  it('names the chosen pair of more than two columns', async () => {
    const panel = { title: 'wide', values: spiral(50, 4), dimensions: 4 }
    expect(words(await pointsFigure({ panels: [panel], names: ['a', 'b', 'c', 'd'], pair: [1, 3] }))).toEqual(
      expect.arrayContaining(['b', 'd']),
    )
    expect(words(await pointsFigure({ panels: [panel] }))).toEqual(expect.arrayContaining(['column 1', 'column 2']))
  })

  it('draws one-dimensional points as a histogram', async () => {
    const svg = await pointsFigure({ panels: [{ title: 'line', values: spiral(500, 1), dimensions: 1 }] })
    expect(words(svg)).toContain('density')
    expect(svg).toContain('mark-rect')
  })

  it.each([
    ['no panel', { panels: [] }, /panels/],
    [
      'a length that is no multiple',
      { panels: [{ title: '', values: new Float32Array(5), dimensions: 2 }] },
      /multiple of 2/,
    ],
    ['an empty panel', { panels: [{ title: '', values: new Float32Array(0), dimensions: 2 }] }, /above 0/],
    [
      'a column that is not there',
      { panels: [{ title: '', values: spiral(4, 3), dimensions: 3 }], pair: [0, 3] as const },
      /pair/,
    ],
    [
      'bounds the wrong way round',
      {
        panels: [{ title: '', values: spiral(4, 2), dimensions: 2 }],
        bounds: { x: [1, 0] as [number, number], y: [0, 1] as [number, number] },
      },
      /bounds\.x/,
    ],
  ])('refuses %s', async (_, figure, message) => {
    const failure = await pointsFigure(figure).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(InvalidArgumentError)
    expect((failure as Error).message).toMatch(message)
  })

  it('draws points that are all the same, or all not finite, without failing', async () => {
    for (const value of [3, Number.NaN]) {
      const values = new Float32Array(20).fill(value)
      expect(words(await pointsFigure({ panels: [{ title: 'same', values, dimensions: 2 }] }))).toContain('same')
    }
  })
})

describe('chainFigure', () => {
  it('labels the states with their numbers below the line and puts arrows between them', async () => {
    expect(chainLabel(12)).toBe('X₁₂')
    const states = [0, 1, 2].map((n) => ({
      label: chainLabel(n),
      note: n ? `γ = 0.0${n}` : 'data',
      values: spiral(50, 2),
    }))
    const svg = await chainFigure(states)
    expect(words(svg)).toEqual(expect.arrayContaining(['X₀', 'X₁', 'X₂', 'γ = 0.01', 'γ = 0.02']))
    expect(words(svg).filter((word) => word === '→')).toHaveLength(2)
  })
})

describe('density', () => {
  it('has an integral of the share of points inside the bounds', () => {
    const x = Float32Array.from([0.15, 0.95, 0.5, 7])
    const y = Float32Array.from([0.15, 1.95, 0.5, 0])
    const { density } = histogram2d(x, y, { x: [0, 1], y: [0, 2] }, 10, 20)
    expect(density.reduce((sum, value) => sum + value * 0.1 * 0.1, 0)).toBeCloseTo(0.75, 12)
    expect(density[0 * 10 + 9]).toBeGreaterThan(0) // (0.95, 1.95): the first row is the top
    expect(density[18 * 10 + 1]).toBeGreaterThan(0) // (0.15, 0.15)
  })

  it('becomes a picture that is white where nothing is and darker where more is', async () => {
    const density = { columns: 3, rows: 1, density: Float64Array.of(0, 0.2, 1) }
    expect(darkest([density])).toBe(0.2) // the quantile of two filled bins
    const uri = await densityImage(density, 1)
    const pixels = await sharp(Buffer.from(uri.split(',')[1], 'base64'))
      .raw()
      .toBuffer()
    expect([...pixels.subarray(0, 3)]).toEqual([255, 255, 255])
    expect(pixels[3]).toBeLessThan(255)
    expect(pixels[6]).toBeLessThan(pixels[3])
  })

  it('uses finer bins for more points', () => {
    expect([3000, 40_000, 1_000_000].map(binsFor)).toEqual([96, 230, 256])
  })
})
