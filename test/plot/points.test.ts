/** Figures of points and chains: the words, the panels, dots or density, and what is refused. */
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../src/errors.js'
import { linearTicks, rangeOf, ticksAcross } from '../../src/plot/axis.js'
import { binsFor, darkest, densityImage, histogram2d } from '../../src/plot/density.js'
import { chainFigure, chainLabel, cornerFigure, pointsFigure } from '../../src/plot/index.js'

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
    expect(words(await pointsFigure({ panels: [panel] }))).toEqual(expect.arrayContaining(['column 0', 'column 1']))
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

describe('axes', () => {
  it('have ticks at 1, 2 or 5 times a power of ten: no more than asked for, but two at least', () => {
    expect(linearTicks([-0.05, 1.05], 6).values.map((value) => Number(value.toFixed(9)))).toEqual([
      0, 0.2, 0.4, 0.6, 0.8, 1,
    ])
    expect(linearTicks([-4.8, 4.8], 3).values).toEqual([-4, -2, 0, 2, 4])
    expect(linearTicks([1234, 1300], 4).values).toEqual([1240, 1260, 1280, 1300])
    for (const range of [
      [1e-9, 3e-9],
      [-7e12, 5e13],
      [0.1, 0.1000001],
    ] as const) {
      const { values } = linearTicks(range, 4)
      expect(values.length).toBeGreaterThan(1)
      expect(values.every((value) => value >= range[0] * (1 - 1e-12) && value <= range[1] * (1 + 1e-12))).toBe(true)
    }
  })

  it('have labels that tell ticks apart, and fewer of them where they are wide', async () => {
    const { format, labelWidth } = linearTicks([2458990, 2459005], 4)
    expect(format).toBe('.7~s')
    expect(labelWidth).toBeGreaterThan(linearTicks([0, 1], 4).labelWidth)
    expect(ticksAcross([2458990, 2459010], 200, 6).values.length).toBeLessThan(
      ticksAcross([0, 1], 200, 6).values.length,
    )
  })

  it('have a title that wide labels do not push out of the figure', async () => {
    const values = Float32Array.from({ length: 200 }, (_, i) => 2459000 + (i % 17))
    const svg = await pointsFigure({ panels: [{ title: 'one', values, dimensions: 2 }], names: ['first', 'second'] })
    const [, x] = /translate\(([-\d.]+),[-\d.]+\) rotate\(-90\)[^>]*>second</.exec(svg)!
    const panel = Number(/translate\((\d+),24\)/.exec(svg)![1])
    // a margin of 8 pixels, and letters that rise 11 above their line
    expect(8 + panel + Number(x)).toBeGreaterThan(11)
  })

  it('hold all points but the outermost, whatever is not finite', () => {
    const list = Float32Array.from({ length: 2001 }, (_, i) => (i === 0 ? 1e9 : i === 1 ? NaN : i / 2000))
    const [low, high] = rangeOf([list])
    expect(low).toBeLessThan(0)
    expect(high).toBeGreaterThan(1)
    expect(high).toBeLessThan(1.1)
    expect(rangeOf([new Float32Array(0)])).toEqual([-1, 1])
  })
})

it('a panel says how many of its points are outside the frame', async () => {
  const values = spiral(50, 2)
  values[0] = 9
  values[4] = NaN
  const panels = [{ title: 'few', subtitle: '50 points', values, dimensions: 2 }]
  const bounds = { x: [-2, 2], y: [-2, 2] } as const
  expect(words(await pointsFigure({ panels, bounds: { x: [...bounds.x], y: [...bounds.y] } }))).toContain(
    '50 points, 1 outside',
  )
})

describe('cornerFigure', () => {
  it('shows each pair of data and of samples, each column once, by name', async () => {
    const svg = await cornerFigure({
      data: spiral(500, 4),
      samples: spiral(700, 4),
      dimensions: 4,
      names: ['a', 'b', 'c', 'd'],
    })
    expect(occurrences(svg, '<image')).toBe(12)
    expect(words(svg)).toEqual(
      expect.arrayContaining(['a', 'b', 'c', 'd', '500 rows: below the diagonal', '700 rows: above the diagonal']),
    )
  })

  it('has the data below the diagonal and the samples above it, a pair on the same axes', async () => {
    // data at one corner of the plane, samples at the other
    const cloud = (x: number, y: number): Float32Array =>
      Float32Array.from({ length: 2 * 400 }, (_, i) => (i % 2 === 0 ? x : y) + (i % 13) / 100)
    const svg = await cornerFigure({ data: cloud(0, 0), samples: cloud(10, 5), dimensions: 2 })
    const images = [...svg.matchAll(/href="data:image\/png;base64,([^"]*)"/g)].map(([, text]) =>
      Buffer.from(text, 'base64'),
    )
    expect(images).toHaveLength(2)
    const centre = async (png: Buffer): Promise<[number, number]> => {
      const { data, info } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true })
      let [x, y, sum] = [0, 0, 0]
      data.forEach((value, i) => {
        x += (255 - value) * (i % info.width)
        y += (255 - value) * Math.floor(i / info.width)
        sum += 255 - value
      })
      return [x / sum / info.width, y / sum / info.height]
    }
    // drawn row by row: samples first. Their columns are large, 1 across and 0 upwards; the data's small, 0 across, 1 upwards
    const [samples, data] = await Promise.all(images.map(centre))
    expect(samples[0]).toBeGreaterThan(0.8)
    expect(samples[1]).toBeLessThan(0.2)
    expect(data[0]).toBeLessThan(0.2)
    expect(data[1]).toBeGreaterThan(0.8)
  })

  it('takes the columns that it is given, calls them by their numbers, and no more than six', async () => {
    const seven = { data: spiral(50, 7), samples: spiral(50, 7), dimensions: 7 }
    const shown = words(await cornerFigure({ ...seven, columns: [2, 5] }))
    expect(shown).toEqual(expect.arrayContaining(['column 2', 'column 5']))
    expect(words(await cornerFigure(seven))).not.toContain('column 6')
    await expect(cornerFigure({ ...seven, columns: [0, 1, 2, 3, 4, 5, 6] })).rejects.toThrow(
      '2 to 6 whole numbers from 0 to 6',
    )
    await expect(cornerFigure({ ...seven, columns: [0, 7] })).rejects.toThrow(InvalidArgumentError)
  })
})
