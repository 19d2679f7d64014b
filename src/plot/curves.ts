/**
 * Curves of a distance against function evaluations, both on logarithmic scales: a line for each model, its spread as a
 * whisker at every point, and the sampling floor dashed. Several panels stand beside each other on the same scales.
 */
import type { Mark, Spec } from 'vega'
import { invalid } from '../errors.js'
import { logTicks, panel, sized, text } from './marks.js'
import { renderSvg } from './render.js'
import { COLOR, SERIES, SIZE } from './theme.js'

export interface CurvePoint {
  evaluations: number
  /** above 0 */
  value: number
  /** standard deviation over seeds; left out: none is drawn */
  spread?: number
}

export interface QualityCurve {
  label: string
  points: readonly CurvePoint[]
}

export interface CurvePanel {
  title?: string
  curves: readonly QualityCurve[]
}

export interface CurvesFigure {
  panels: readonly CurvePanel[]
  /** what is measured, for instance «sliced W2» */
  quantity: string
  /** what a perfect model would have; a dashed line */
  floor?: number
}

const WIDTH = 380
const HEIGHT = 260
const LEFT = 62
const GAP = 30
const KEY_LINE = 16
const HEAD = 24
/** Pixels between the points of two curves at the same number of evaluations. */
const DODGE = 3
/** A letter of DejaVu Sans at label size is about this wide. */
const LETTER = 6.9

/** Draws curves as SVG text. */
export async function curvesFigure({ panels, quantity, floor }: CurvesFigure): Promise<string> {
  const points = panels.flatMap(({ curves }) => curves.flatMap((curve) => curve.points)).filter(isShown)
  if (points.length === 0) throw invalid('panels', 'panels with at least one point whose value is above 0', panels)
  const labels = [...new Set(panels.flatMap(({ curves }) => curves.map(({ label }) => label)))]
  const values = points.flatMap(({ value, spread = 0 }) =>
    value > spread ? [value - spread, value + spread] : [value],
  )
  if (floor) values.push(floor)
  const domain: [number, number] = [Math.min(...values) / 1.15, Math.max(...values) * 1.15]
  const counts = [...new Set(points.map(({ evaluations }) => evaluations))].sort((a, b) => a - b)
  const width = LEFT + panels.length * (WIDTH + GAP)
  const key = keyMarks(labels, width - LEFT)
  const head = HEAD + key.height
  const spec: Spec = {
    width,
    height: head + HEIGHT + 40,
    padding: 8,
    autosize: 'none',
    marks: [
      ...key.marks,
      ...panels.map(({ title, curves }, i) => {
        const inside = curves.flatMap((curve) => curveMarks(curve, labels.indexOf(curve.label), labels.length))
        if (floor) inside.push(floorMark(floor))
        const heading = title ? [text(title, 0, -8, { bold: true })] : []
        return panel(
          { x: LEFT + i * (WIDTH + GAP), y: head, width: WIDTH, height: HEIGHT, frame: true },
          {
            scales: [
              { name: 'x', type: 'log', domain: [counts[0] / 1.1, counts[counts.length - 1] * 1.1], range: [0, WIDTH] },
              { name: 'y', type: 'log', domain, range: [HEIGHT, 0] },
            ],
            axes: [
              {
                orient: 'bottom',
                scale: 'x',
                values: thinned(counts),
                format: 'd',
                domain: false,
                title: 'function evaluations of a sample',
              },
              {
                orient: 'left',
                scale: 'y',
                values: logTicks(domain),
                format: '~g',
                grid: true,
                domain: false,
                title: i === 0 ? quantity : '',
                titleX: 8 - LEFT,
              },
            ],
            marks: [{ type: 'group', clip: true, encode: { enter: sized(WIDTH, HEIGHT) }, marks: inside }, ...heading],
          },
        )
      }),
    ],
  }
  return renderSvg(spec)
}

const isShown = ({ value }: CurvePoint): boolean => value > 0 && Number.isFinite(value)
const colorOf = (index: number): string => SERIES[index % SERIES.length]
/** Beyond as many curves as there are colours, colours come again with dashes. */
const dashOf = (index: number): number[] => (index < SERIES.length ? [] : [5, 3])

/** Tick labels that have room: neighbours at least a fifth apart. */
function thinned(counts: readonly number[]): number[] {
  const kept: number[] = []
  for (const count of counts) if (kept.length === 0 || count >= 1.2 * kept[kept.length - 1]) kept.push(count)
  return kept
}

function curveMarks({ points }: QualityCurve, index: number, of: number): Mark[] {
  // side by side, so that no whisker covers another
  const offset = (index - (of - 1) / 2) * DODGE
  const [color, dash] = [colorOf(index), dashOf(index)]
  const shown = points.filter(isShown)
  return [
    {
      type: 'group',
      data: [{ name: 'points', values: [...shown] }],
      encode: { enter: sized(WIDTH, HEIGHT) },
      marks: [
        {
          type: 'line',
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'evaluations', offset },
              y: { scale: 'y', field: 'value' },
              stroke: { value: color },
              strokeWidth: { value: 1.8 },
              strokeDash: { value: dash },
            },
          },
        },
        {
          type: 'symbol',
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'evaluations', offset },
              y: { scale: 'y', field: 'value' },
              size: { value: 22 },
              fill: { value: color },
            },
          },
        },
        ...shown
          .filter(({ spread = 0, value }) => spread > 0 && spread < value)
          .map(({ evaluations, value, spread = 0 }): Mark => {
            const at = (field: number) => ({ scale: 'y', value: field })
            return {
              type: 'rule',
              encode: {
                enter: {
                  x: { scale: 'x', value: evaluations, offset },
                  y: at(value - spread),
                  y2: at(value + spread),
                  stroke: { value: color },
                },
              },
            }
          }),
      ],
    },
  ]
}

const floorMark = (floor: number): Mark => ({
  type: 'rule',
  encode: {
    enter: {
      x: { value: 0 },
      x2: { value: WIDTH },
      y: { scale: 'y', value: floor },
      stroke: { value: COLOR.muted },
      strokeDash: { value: [4, 3] },
    },
  },
})

/** Names of the curves in their colours, in as many lines as they need. */
function keyMarks(labels: readonly string[], room: number): { marks: Mark[]; height: number } {
  const marks: Mark[] = []
  let [x, y] = [0, 12]
  labels.forEach((label, i) => {
    const width = 34 + LETTER * label.length
    if (x > 0 && x + width > room) [x, y] = [0, y + KEY_LINE]
    marks.push(
      {
        type: 'rule',
        encode: {
          enter: {
            x: { value: LEFT + x },
            x2: { value: LEFT + x + 16 },
            y: { value: y - 4 },
            stroke: { value: colorOf(i) },
            strokeWidth: { value: 2 },
            strokeDash: { value: dashOf(i) },
          },
        },
      },
      text(label, LEFT + x + 21, y, { size: SIZE.label }),
    )
    x += width
  })
  return { marks, height: y }
}
