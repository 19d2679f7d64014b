/**
 * Clouds of points in panels that share their axes: samples beside data, and the states of a chain one after another.
 * Two chosen columns of the data are drawn against each other; one-dimensional data is drawn as a histogram. Few points are drawn as
 * dots, many as a density image (density.ts), since thousands of dots hide the detail that a flow has to learn.
 */
import type { Data, Mark, Scale, Spec } from 'vega'
import { invalid } from '../errors.js'
import { linearTicks, type Numbers, rangeOf, ticksAcross } from './axis.js'
import { type Bounds, binsFor, darkest, densityImage, histogram2d } from './density.js'
import { panel, sized, text } from './marks.js'
import { renderSvg } from './render.js'
import { COLOR, formatNumber, SIZE, subscript } from './theme.js'

export type { Bounds } from './density.js'

/** One cloud of points and the words above it. */
export interface PointsPanel {
  title: string
  /** A subtitle, such as the number of points. Points that lie outside the frame are counted after it. */
  subtitle?: string
  /** Row-major [n, D] in the units of the data. Rows with a value that is not finite are not drawn. */
  values: Numbers
  /** D, at least 1. */
  dimensions: number
}

export interface PointsFigure {
  panels: readonly PointsPanel[]
  /** Panels in a row. Default: all in one row up to 4, then rows of equal length. */
  columns?: number
  /** Range of the axes. Default: the points of all panels except the outermost 0.1 % on each side, with a margin of 4 %. */
  bounds?: Bounds
  /** Points drawn in a panel; of more, rows at even distances are taken. Default 200 000. */
  maxPoints?: number
  /** The two of D ≥ 2 columns that are drawn. Default [0, 1]. */
  pair?: readonly [number, number]
  /** Names of the D columns, for the axes. Default: none for D ≤ 2, else «column 0» …. */
  names?: readonly string[]
  /** Dots or density. Default 'auto': dots below 3000 points in a panel, counted over the fullest one. */
  marks?: 'auto' | 'dots' | 'density'
  /** Width of a panel in pixels. Default 260. */
  panelSize?: number
  /** Draws an arrow from each panel to the next. Default false. */
  arrows?: boolean
}

/** A state of a chain: X_n, or the samples at a boundary on the way back. */
export interface ChainState {
  /** For instance the result of `chainLabel(1)`: X₁. */
  label: string
  /** A subtitle, for instance «γ = 0.025». */
  note?: string
  /** Row-major [n, D]. */
  values: Numbers
}

/** What a chain may set for its panels; see PointsFigure. */
export type ChainOptions = Pick<PointsFigure, 'bounds' | 'maxPoints' | 'pair' | 'names' | 'columns'> & {
  /** D, at least 1. Default 2. */
  dimensions?: number
}

const DOTS_BELOW = 3000
const HISTOGRAM_BINS = 72
const TITLE_HEIGHT = 24
const SUBTITLE_HEIGHT = 15

interface Cloud {
  x: Float64Array
  y: Float64Array
}

/** Draws panels of points as SVG text. Throws InvalidArgumentError for panels that are empty or of unequal dimension. */
export async function pointsFigure(figure: PointsFigure): Promise<string> {
  const { panels, maxPoints = 200_000, pair = [0, 1], panelSize = 260, arrows = false } = figure
  const columns = figure.columns ?? balancedColumns(panels.length, 4)
  const dimensions = checkPanels(panels)
  if (!(Number.isInteger(columns) && columns >= 1)) throw invalid('columns', 'a whole number from 1', columns)
  if (dimensions > 1 && !pair.every((column) => Number.isInteger(column) && column >= 0 && column < dimensions)) {
    throw invalid('pair', `two columns from 0 to ${dimensions - 1}`, pair)
  }
  const clouds = panels.map((one) => takeColumns(one, dimensions === 1 ? [0, 0] : pair, maxPoints))
  const histograms = dimensions === 1
  const plane = figure.bounds ?? boundsOf(clouds)
  checkBounds(plane)
  const content = histograms ? histograms1d(clouds, plane.x) : await planeMarks(clouds, plane, figure.marks ?? 'auto')
  const { bounds } = content

  const width = panelSize
  const height = Math.round(panelSize * (histograms ? 0.66 : panelAspect(bounds)))
  const subtitles = panels.map(({ subtitle }, i) => underTitle(subtitle, clouds[i], plane, histograms))
  const head = TITLE_HEIGHT + (subtitles.some((subtitle) => subtitle) ? SUBTITLE_HEIGHT : 0)
  const names = axisNames(figure.names, dimensions, pair)
  const mostTicks = width < 200 ? 4 : 6
  const { labelWidth: _, ...ticksX } = ticksAcross(bounds.x, width, mostTicks)
  const { labelWidth, ...ticksY } = linearTicks(bounds.y, mostTicks)
  const gap = arrows ? 26 : 16
  const left = Math.ceil(labelWidth) + 12 + (names.y ? 18 : 0)
  const bottom = 20 + (names.x ? 18 : 0)
  const rows = Math.ceil(panels.length / columns)
  const wide = Math.min(columns, panels.length)

  const groups = panels.map(({ title }, i) => {
    const subtitle = subtitles[i]
    const column = i % columns
    const row = Math.floor(i / columns)
    const place = { x: left + column * (width + gap), y: head + row * (height + head + 10), width, height, frame: true }
    return panel(place, {
      axes: [
        {
          orient: 'bottom',
          scale: 'x',
          ...ticksX,
          labels: i + columns >= panels.length,
          ticks: i + columns >= panels.length,
          domain: false,
          title: i + columns >= panels.length ? names.x : '',
          labelFlush: true,
        },
        {
          orient: 'left',
          scale: 'y',
          ...ticksY,
          labels: column === 0,
          ticks: column === 0,
          domain: false,
          title: column === 0 ? names.y : '',
        },
      ],
      marks: [
        { type: 'group', clip: true, encode: { enter: sized(width, height) }, marks: content.marks(i, width, height) },
        text(title, 0, -head + 15, { size: SIZE.title, bold: true }),
        ...(subtitle ? [text(subtitle, 0, -8, { color: COLOR.muted })] : []),
        ...(arrows && i < panels.length - 1
          ? [text('→', width + gap / 2, height / 2 + 5, { color: COLOR.muted, align: 'center', size: 15 })]
          : []),
      ],
    })
  })

  const scales: Scale[] = [
    { name: 'x', type: 'linear', domain: bounds.x, range: [0, width], zero: false },
    { name: 'y', type: 'linear', domain: bounds.y, range: [height, 0], zero: false },
  ]
  const spec: Spec = {
    width: left + wide * (width + gap) - gap + (arrows ? gap : 8),
    height: rows * (height + head + 10) - 10 + bottom,
    padding: 8,
    autosize: 'none',
    data: content.data,
    scales,
    marks: groups,
  }
  return renderSvg(spec)
}

/** Draws the states of a chain, in the order given, with arrows between them: X₀ → X₁ → … forward, or back from noise. */
export function chainFigure(states: readonly ChainState[], options: ChainOptions = {}): Promise<string> {
  const { dimensions = 2, ...rest } = options
  return pointsFigure({
    ...rest,
    columns: rest.columns ?? balancedColumns(states.length, 5),
    panels: states.map(({ label, note, values }) => ({ title: label, subtitle: note, values, dimensions })),
    panelSize: 170,
    arrows: true,
  })
}

/** The name of a chain's state with its number below the line: `chainLabel(12)` is X₁₂, `chainLabel(1, 'Z')` is Z₁. */
export function chainLabel(index: number, letter = 'X'): string {
  return letter + subscript(index)
}

function checkPanels(panels: readonly PointsPanel[]): number {
  if (panels.length === 0) throw invalid('panels', 'a list of at least one panel', panels)
  const { dimensions } = panels[0]
  panels.forEach(({ values: { length }, dimensions: own }, i) => {
    if (!(Number.isInteger(own) && own >= 1)) {
      throw invalid(`panels[${i}].dimensions`, 'a whole number from 1', own)
    }
    if (own !== dimensions) {
      throw invalid(`panels[${i}].dimensions`, `${dimensions}, as in the first panel`, own)
    }
    if (length === 0 || length % dimensions !== 0) {
      throw invalid(`panels[${i}].values.length`, `a multiple of ${dimensions} above 0`, length)
    }
  })
  return dimensions
}

function checkBounds({ x, y }: Bounds): void {
  for (const [name, [low, high]] of [
    ['bounds.x', x],
    ['bounds.y', y],
  ] as const) {
    if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
      throw invalid(name, 'two finite numbers, the lower first', [low, high])
    }
  }
}

/** Two columns of at most `maxPoints` rows, taken at even distances, without rows that are not finite. */
function takeColumns({ values, dimensions }: PointsPanel, pair: readonly [number, number], maxPoints: number): Cloud {
  const n = values.length / dimensions
  const count = Math.min(n, maxPoints)
  const x = new Float64Array(count)
  const y = new Float64Array(count)
  let kept = 0
  for (let i = 0; i < count; i++) {
    const row = Math.floor((i * n) / count) * dimensions
    x[kept] = values[row + pair[0]]
    y[kept] = values[row + pair[1]]
    if (Number.isFinite(x[kept]) && Number.isFinite(y[kept])) kept++
  }
  return { x: x.subarray(0, kept), y: y.subarray(0, kept) }
}

const boundsOf = (clouds: readonly Cloud[]): Bounds => ({
  x: rangeOf(clouds.map(({ x }) => x)),
  y: rangeOf(clouds.map(({ y }) => y)),
})

/** A panel's second line: its own words, and how many of its points are outside the frame. */
function underTitle(words: string | undefined, { x, y }: Cloud, bounds: Bounds, histogram: boolean): string {
  const within = (value: number, [low, high]: readonly [number, number]): boolean => value >= low && value <= high
  const inside = x.filter((value, i) => within(value, bounds.x) && (histogram || within(y[i], bounds.y))).length
  const outside = x.length - inside
  return [words, outside > 0 ? `${formatNumber(outside)} outside` : ''].filter(Boolean).join(', ')
}

/** A panel's height for its width: true to scale if the ranges of the axes are similar, else square. */
function panelAspect({ x, y }: Bounds): number {
  const aspect = (y[1] - y[0]) / (x[1] - x[0])
  return aspect >= 0.5 && aspect <= 1.3 ? aspect : 1
}

/** Panels in a row: at most `most`, so that rows are full or nearly so. */
function balancedColumns(count: number, most: number): number {
  return Math.max(1, Math.ceil(count / Math.ceil(count / most)))
}

/** Name of a column without one: its number from 0, as in configs. */
export const columnLabel = (column: number): string => `column ${column}`

function axisNames(names: readonly string[] | undefined, dimensions: number, pair: readonly [number, number]) {
  const name = (column: number) => names?.[column] ?? (dimensions > 2 ? columnLabel(column) : '')
  return dimensions === 1 ? { x: names?.[0] ?? '', y: 'density' } : { x: name(pair[0]), y: name(pair[1]) }
}

/** What the panels show, however it is drawn. */
interface Content {
  bounds: Bounds
  data: Data[]
  /** The marks inside panel i, which is `width` by `height` pixels. */
  marks(i: number, width: number, height: number): Mark[]
}

async function planeMarks(clouds: readonly Cloud[], bounds: Bounds, style: string): Promise<Content> {
  const most = Math.max(...clouds.map((cloud) => cloud.x.length))
  return style === 'dots' || (style === 'auto' && most < DOTS_BELOW)
    ? dots(clouds, bounds, most)
    : await densities(clouds, bounds, most)
}

function dots(clouds: readonly Cloud[], bounds: Bounds, most: number): Content {
  return {
    bounds,
    data: clouds.map(({ x, y }, i) => ({
      name: `cloud${i}`,
      values: Array.from(x, (value, k) => ({ x: value, y: y[k] })),
    })),
    marks: (i) => [
      {
        type: 'symbol',
        from: { data: `cloud${i}` },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'y' },
            size: { value: most < 500 ? 10 : 5 },
            fill: { value: COLOR.accent },
            fillOpacity: { value: most < 500 ? 0.7 : 0.5 },
          },
        },
      },
    ],
  }
}

async function densities(clouds: readonly Cloud[], bounds: Bounds, most: number): Promise<Content> {
  const columns = binsFor(most)
  const rows = Math.round(columns * panelAspect(bounds))
  const counted = clouds.map((cloud) => histogram2d(cloud.x, cloud.y, bounds, columns, rows))
  const full = darkest(counted)
  const images = await Promise.all(counted.map((density) => densityImage(density, full)))
  return {
    bounds,
    data: [],
    marks: (i, width, height) => [
      {
        type: 'image',
        encode: { enter: { url: { value: images[i] }, ...sized(width, height), aspect: { value: false } } },
      },
    ],
  }
}

/** Histograms of one-dimensional clouds, as areas of step shape, on one vertical scale. */
function histograms1d(clouds: readonly Cloud[], [low, high]: [number, number]): Content {
  const wide = (high - low) / HISTOGRAM_BINS
  const heights = clouds.map(({ x }) => {
    const bins = new Float64Array(HISTOGRAM_BINS)
    for (const value of x) {
      const bin = Math.floor((value - low) / wide)
      if (bin >= 0 && bin < HISTOGRAM_BINS) bins[bin] += 1 / (x.length * wide)
    }
    return bins
  })
  const top = 1.06 * Math.max(...heights.map((bins) => Math.max(...bins)))
  return {
    bounds: { x: [low, high], y: [0, top || 1] },
    data: heights.map((bins, i) => ({
      name: `cloud${i}`,
      values: Array.from(bins, (height, bin) => ({ from: low + bin * wide, to: low + (bin + 1) * wide, height })),
    })),
    marks: (i) => [
      {
        type: 'rect',
        from: { data: `cloud${i}` },
        encode: {
          enter: {
            x: { scale: 'x', field: 'from' },
            x2: { scale: 'x', field: 'to' },
            y: { scale: 'y', field: 'height' },
            y2: { scale: 'y', value: 0 },
            fill: { value: COLOR.accent },
            stroke: { value: COLOR.background },
            strokeWidth: { value: 0.5 },
          },
        },
      },
    ],
  }
}
