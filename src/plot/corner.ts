/**
 * All pairs of the columns of a table: below the diagonal the data, above it the samples, each pair of columns in the same
 * colours and on the same axes on both sides, and on the diagonal the histograms of both. The samples of a pair are at the
 * mirror image of the data's place.
 */
import type { GroupMark, Mark, Scale, Spec } from 'vega'
import { invalid } from '../errors.js'
import { linearTicks, type Numbers, rangeOf, ticksAcross } from './axis.js'
import { binsFor, darkest, densityImage, histogram2d } from './density.js'
import { panel, sized, text } from './marks.js'
import { columnLabel } from './points.js'
import { renderSvg } from './render.js'
import { COLOR, formatNumber, SIZE } from './theme.js'

export interface CornerFigure {
  /** Row-major [n, D]. */
  data: Numbers
  /** Row-major [m, D]. */
  samples: Numbers
  /** D, at least 2. */
  dimensions: number
  /** The columns that are shown, from 0, at most MOST_COLUMNS. Default: the first ones. */
  columns?: readonly number[]
  /** Names of all D columns. Default: «column 0» …. */
  names?: readonly string[] | null
}

/** More columns than this make cells too small to see anything. */
export const MOST_COLUMNS = 6

const TOTAL = 780
const GAP = 8
const BINS = 40
const HEAD = 52

/** Draws all pairs of columns as SVG text. */
export async function cornerFigure(figure: CornerFigure): Promise<string> {
  const { data, samples, dimensions: D, names } = figure
  const columns = figure.columns ?? Array.from({ length: Math.min(D, MOST_COLUMNS) }, (_, i) => i)
  const good = columns.every((column) => Number.isInteger(column) && column >= 0 && column < D)
  if (!good || columns.length < 2 || columns.length > MOST_COLUMNS) {
    throw invalid('columns', `2 to ${MOST_COLUMNS} whole numbers from 0 to ${D - 1}`, columns)
  }
  const sets = [data, samples].map((values) => columns.map((column) => takeColumn(values, D, column)))
  const ranges = columns.map((_, k) => rangeOf(sets.map((set) => set[k])))
  const K = columns.length
  const cell = Math.floor((TOTAL - (K - 1) * GAP) / K)
  const mostTicks = cell < 150 ? 3 : 4
  const ticksX = ranges.map((range) => ticksAcross(range, cell, mostTicks))
  const ticksY = ranges.map((range) => linearTicks(range, mostTicks))
  const left = Math.ceil(Math.max(...ticksY.slice(1).map(({ labelWidth }) => labelWidth))) + 12
  const right = Math.ceil(ticksY[0].labelWidth) + 12

  const cells: GroupMark[] = []
  for (let row = 0; row < K; row++) {
    for (let column = 0; column < K; column++) {
      const place = {
        x: left + column * (cell + GAP),
        y: HEAD + row * (cell + GAP),
        width: cell,
        height: cell,
        frame: true,
      }
      const marks =
        row === column
          ? [
              ...histograms(sets, row, ranges[row], cell),
              heading(names?.[columns[row]] ?? columnLabel(columns[row]), cell),
            ]
          : [await densityMark(sets, row, column, ranges, cell)]
      const { labelWidth: _x, ...x } = ticksX[column]
      const { labelWidth: _y, ...y } = ticksY[row]
      cells.push(
        panel(place, {
          axes: [
            ...(row === K - 1
              ? [{ orient: 'bottom', scale: `x${column}`, domain: false, labelFlush: true, ...x } as const]
              : []),
            ...(column === 0 && row > 0 ? [{ orient: 'left', scale: `y${row}`, domain: false, ...y } as const] : []),
            // the first row's cell is a histogram, whose height is not a value of the column
            ...(column === K - 1 && row === 0 ? [{ orient: 'right', scale: 'y0', domain: false, ...y } as const] : []),
          ],
          marks: [{ type: 'group', clip: true, encode: { enter: sized(cell, cell) }, marks }],
        }),
      )
    }
  }
  const scales: Scale[] = ranges.flatMap((domain, k): Scale[] => [
    { name: `x${k}`, type: 'linear', domain, range: [0, cell], zero: false },
    { name: `y${k}`, type: 'linear', domain, range: [cell, 0], zero: false },
  ])
  const width = left + K * (cell + GAP) - GAP
  const spec: Spec = {
    width: width + right,
    height: HEAD + K * (cell + GAP) - GAP + 22,
    padding: 8,
    autosize: 'none',
    scales,
    marks: [...cells, ...key(figure, left)],
  }
  return renderSvg(spec)
}

function takeColumn(values: Numbers, D: number, column: number): Float64Array {
  return Float64Array.from({ length: values.length / D }, (_, i) => values[i * D + column])
}

/** The legend, in the colours of the histograms. */
function key({ data, samples, dimensions }: CornerFigure, left: number): Mark[] {
  const rows = [data, samples].map((values) => formatNumber(values.length / dimensions))
  const line = (y: number, fill: string, title: string, rest: string): Mark[] => [
    {
      type: 'rect',
      encode: { enter: { x: { value: left }, y: { value: y - 9 }, ...sized(10, 10), fill: { value: fill } } },
    },
    text(title, left + 16, y, { bold: true, size: SIZE.title }),
    text(rest, left + 22 + 9.5 * title.length, y, { color: COLOR.muted }),
  ]
  return [
    ...line(14, COLOR.rule, 'Data', `${rows[0]} rows: below the diagonal`),
    ...line(34, COLOR.accent, 'Samples', `${rows[1]} rows: above the diagonal`),
  ]
}

const heading = (name: string, cell: number): Mark => {
  const most = Math.floor((cell - 12) / 7)
  return text(name.length > most ? `${name.slice(0, most - 1)}…` : name, 6, 15, { bold: true })
}

/** A pair of columns as a density; the colours of both sets are scaled by the denser one. */
async function densityMark(
  sets: readonly (readonly Float64Array[])[],
  row: number,
  column: number,
  ranges: readonly [number, number][],
  cell: number,
): Promise<Mark> {
  const bounds = { x: ranges[column], y: ranges[row] }
  const bins = Math.min(binsFor(sets[0][0].length), cell)
  const both = sets.map((set) => histogram2d(set[column], set[row], bounds, bins, bins))
  const url = await densityImage(both[row > column ? 0 : 1], darkest(both))
  return { type: 'image', encode: { enter: { url: { value: url }, ...sized(cell, cell), aspect: { value: false } } } }
}

/** Of one column: the data as an area, the samples as a line, both of area one. */
function histograms(
  sets: readonly (readonly Float64Array[])[],
  k: number,
  [low, high]: readonly [number, number],
  cell: number,
): Mark[] {
  const counted = sets.map((set) => {
    const bins = new Float64Array(BINS)
    for (const value of set[k]) {
      const bin = Math.floor(((value - low) / (high - low)) * BINS)
      if (bin >= 0 && bin < BINS) bins[bin] += 1 / set[k].length
    }
    return bins
  })
  // room for the name above the bars
  const top = Math.max(...counted.map((bins) => Math.max(...bins))) || 1
  const [x, y] = [(bin: number) => (bin / BINS) * cell, (share: number) => cell - (share / top) * (cell - 26)]
  const outline = (bins: Float64Array): string =>
    [...bins].map((share, bin) => `${bin === 0 ? 'M' : 'L'}${x(bin)},${y(share)}L${x(bin + 1)},${y(share)}`).join('')
  const path = (d: string, style: Record<string, { value: string | number }>): Mark => ({
    type: 'path',
    encode: { enter: { path: { value: d }, ...style } },
  })
  return [
    path(`${outline(counted[0])}L${cell},${cell}L0,${cell}Z`, { fill: { value: COLOR.rule } }),
    path(outline(counted[1]), { stroke: { value: COLOR.accent }, strokeWidth: { value: 1.6 } }),
  ]
}
