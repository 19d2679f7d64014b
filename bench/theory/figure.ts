/** Curves and dots in panels, on a logarithmic scale upwards. */

import type { Mark, Spec } from 'vega'
import { logTicks, panel, sized, text } from '../../src/plot/marks.js'
import { renderSvg } from '../../src/plot/render.js'
import { COLOR, SERIES, SIZE } from '../../src/plot/theme.js'

export interface TheoryCurve {
  readonly label: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
  /** dots instead of a line, in the colour of the curve whose place in the list is the same modulo the number of lines */
  readonly dots?: boolean
  readonly dashed?: boolean
}

export interface TheoryFigure {
  readonly panels: readonly { readonly title: string; readonly curves: readonly TheoryCurve[] }[]
  /** titles of the axes */
  readonly x: string
  readonly y: string
  /** across */
  readonly scale: 'linear' | 'log'
}

const WIDTH = 360
const HEIGHT = 260
const LEFT = 62
const GAP = 76

const colorOf = (curves: readonly TheoryCurve[], index: number): string => {
  const lines = curves.filter(({ dots }) => !dots).length
  const { dots, dashed } = curves[index]
  if (dashed) return COLOR.muted
  return SERIES[(dots && lines > 0 ? index - lines : index) % SERIES.length]
}

/** The figure as SVG text. */
export async function theoryFigure({ panels, x, y, scale }: TheoryFigure): Promise<string> {
  const points = panels.flatMap(({ curves }) => curves.flatMap((curve) => curve.points))
  const bounds = (values: readonly number[], factor: number): [number, number] => [
    Math.min(...values) / factor,
    Math.max(...values) * factor,
  ]
  const upwards = bounds(
    points.map((point) => point.y),
    1.3,
  )
  const xs = points.map((point) => point.x)
  const pad = (Math.max(...xs) - Math.min(...xs)) / 40
  const across: [number, number] = scale === 'log' ? bounds(xs, 1.3) : [Math.min(...xs) - pad, Math.max(...xs) + pad]
  const { curves } = panels[0]
  const head = 26 + 16 * Math.ceil(curves.length / (panels.length * 2))
  const key = curves.flatMap((curve, i): Mark[] => {
    const [column, line] = [i % (panels.length * 2), Math.floor(i / (panels.length * 2))]
    const [left, top] = [LEFT + (column * (WIDTH + GAP)) / 2, 10 + 16 * line]
    const mark: Mark = curve.dots
      ? dot(left + 8, top - 4, colorOf(curves, i))
      : stroke(left, top - 4, colorOf(curves, i), curve.dashed)
    return [mark, text(curve.label, left + 22, top, { size: SIZE.label })]
  })
  const spec: Spec = {
    width: LEFT + panels.length * (WIDTH + GAP),
    height: head + HEIGHT + 42,
    padding: 8,
    autosize: 'none',
    marks: [
      ...key,
      ...panels.map(({ title, curves }, i) =>
        panel(
          { x: LEFT + i * (WIDTH + GAP), y: head, width: WIDTH, height: HEIGHT, frame: true },
          {
            scales: [
              { name: 'x', type: scale, domain: across, range: [0, WIDTH], nice: false },
              { name: 'y', type: 'log', domain: upwards, range: [HEIGHT, 0] },
            ],
            axes: [
              {
                orient: 'bottom',
                scale: 'x',
                domain: false,
                title: x,
                format: '~g',
                ...(scale === 'log' ? { values: logTicks(across) } : { tickCount: 6 }),
              },
              {
                orient: 'left',
                scale: 'y',
                values: logTicks(upwards),
                format: '~g',
                grid: true,
                domain: false,
                title: i === 0 ? y : '',
                titleX: 8 - LEFT,
              },
            ],
            marks: [
              ...curves.map((curve, k) => curveMark(curve, colorOf(curves, k))),
              text(title, 0, -8, { bold: true }),
            ],
          },
        ),
      ),
    ],
  }
  return renderSvg(spec)
}

function curveMark({ points, dots, dashed }: TheoryCurve, color: string): Mark {
  const place = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } }
  const mark: Mark = dots
    ? {
        type: 'symbol',
        from: { data: 'points' },
        encode: { enter: { ...place, size: { value: 26 }, fill: { value: color } } },
      }
    : {
        type: 'line',
        from: { data: 'points' },
        encode: {
          enter: {
            ...place,
            stroke: { value: color },
            strokeWidth: { value: 1.8 },
            strokeDash: { value: dashed ? [5, 3] : [] },
          },
        },
      }
  return {
    type: 'group',
    clip: true,
    data: [{ name: 'points', values: points.map((point) => ({ ...point })) }],
    encode: { enter: sized(WIDTH, HEIGHT) },
    marks: [mark],
  }
}

const dot = (x: number, y: number, color: string): Mark => ({
  type: 'symbol',
  encode: { enter: { x: { value: x }, y: { value: y }, size: { value: 26 }, fill: { value: color } } },
})

const stroke = (x: number, y: number, color: string, dashed = false): Mark => ({
  type: 'rule',
  encode: {
    enter: {
      x: { value: x },
      x2: { value: x + 16 },
      y: { value: y },
      stroke: { value: color },
      strokeWidth: { value: 2 },
      strokeDash: { value: dashed ? [5, 3] : [] },
    },
  },
})
