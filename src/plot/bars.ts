/**
 * Horizontal bars for tables of measurements: each label is a group of rows, each group a colour, and the value is printed at
 * the end of its bar. On a logarithmic scale the axis begins at a power of ten below the least value.
 */
import type { Mark, Spec } from 'vega'
import { invalid } from '../errors.js'
import { logTicks, panel, sized, text } from './marks.js'
import { renderSvg } from './render.js'
import { COLOR, formatNumber, SERIES, SIZE } from './theme.js'

/** One bar. */
export interface Bar {
  /** What was measured, for instance «training step, B = 10 000»; bars of one label stand together. */
  label: string
  /** Who measured or on what, for instance «native»; the colour. Groups keep the order in which they first appear. */
  group: string
  /** In the figure's unit; above 0 on a logarithmic scale, 0 or more on a linear one. */
  value: number
}

export interface BarsFigure {
  title?: string
  bars: readonly Bar[]
  /** The unit of all values, for instance «ms» or «GFLOP/s», named at the axis. */
  unit: string
  /** Default 'linear'. */
  scale?: 'linear' | 'log'
  /** Length of the axis in pixels. Default 420. */
  width?: number
}

const BAR = 14
const LABEL_GAP = 10
const VALUE_ROOM = 62

/** DejaVu Sans letters at label size are about this many pixels wide; it places labels and the key. */
const LETTER = 6.6

/** Draws grouped horizontal bars as SVG text. */
export async function barsFigure({ title, bars, unit, scale = 'linear', width = 420 }: BarsFigure): Promise<string> {
  if (bars.length === 0) throw invalid('bars', 'a list of at least one bar', bars)
  bars.forEach(({ value }, i) => {
    if (!Number.isFinite(value) || value < 0 || (scale === 'log' && value === 0)) {
      const expected = scale === 'log' ? 'a finite number above 0 on a logarithmic scale' : 'a finite number, 0 or more'
      throw invalid(`bars[${i}].value`, expected, value)
    }
  })
  const labels = [...new Set(bars.map((bar) => bar.label))]
  const groups = [...new Set(bars.map((bar) => bar.group))]
  if (groups.length > SERIES.length) throw invalid('bars', `bars of at most ${SERIES.length} groups`, groups.length)
  const values = bars.map((bar) => bar.value)
  const greatest = Math.max(...values) || 1
  const domain: [number, number] = scale === 'log' ? logDomain(Math.min(...values), greatest) : [0, greatest * 1.02]

  const left = Math.min(320, LABEL_GAP + LETTER * Math.max(...labels.map((label) => label.length)))
  const keyed = groups.length > 1
  const lines = keyed ? keyLines(groups, width + VALUE_ROOM) : []
  const head = (title ? 24 : 4) + (keyed ? 6 + KEY_LINE * lines.length : 0)
  const marks: Mark[] = []
  if (title) marks.push(text(title, 0, 14, { size: SIZE.title, bold: true }))
  lines.forEach((line, i) => {
    marks.push(...key(groups, line, left, (title ? 36 : 14) + i * KEY_LINE))
  })

  const inside: Mark[] = []
  let y = 6
  for (const label of labels) {
    const own = bars.filter((bar) => bar.label === label)
    inside.push(text(label, -LABEL_GAP, y + (own.length * BAR) / 2 + 4, { align: 'right' }))
    for (const bar of own) {
      inside.push(...barMarks(bar, y, SERIES[groups.indexOf(bar.group)], domain[0]))
      y += BAR
    }
    y += LABEL_GAP
  }
  const ticks = scale === 'log' ? { values: logTicks(domain), format: '~g' } : { tickCount: 5 }
  marks.push(
    panel(
      { x: left, y: head, width, height: y, frame: false },
      {
        scales: [{ name: 'value', type: scale, domain, range: [0, width], zero: false }],
        axes: [{ orient: 'bottom', scale: 'value', grid: true, domain: false, title: unit, ...ticks }],
        marks: inside,
      },
    ),
  )
  const spec: Spec = {
    width: left + width + VALUE_ROOM,
    height: head + y + 36,
    padding: 8,
    autosize: 'none',
    marks,
  }
  return renderSvg(spec)
}

function barMarks({ value }: Bar, y: number, color: string, start: number): Mark[] {
  return [
    {
      type: 'rect',
      encode: {
        enter: {
          x: { scale: 'value', value: start },
          x2: { scale: 'value', value },
          y: { value: y + 1 },
          height: { value: BAR - 2 },
          fill: { value: color },
        },
      },
    },
    {
      type: 'text',
      encode: {
        enter: {
          text: { value: formatNumber(value) },
          x: { scale: 'value', value, offset: 5 },
          y: { value: y + BAR / 2 + 3.5 },
          fill: { value: COLOR.ink },
          fontSize: { value: SIZE.tick },
        },
      },
    },
  ]
}

const KEY_LINE = 16

const keyWidth = (group: string): number => 26 + LETTER * group.length

/** The groups, as many in a line as have room in it. */
function keyLines(groups: readonly string[], room: number): string[][] {
  const lines: string[][] = [[]]
  let at = 0
  for (const group of groups) {
    if (at > 0 && at + keyWidth(group) > room) {
      lines.push([])
      at = 0
    }
    lines[lines.length - 1].push(group)
    at += keyWidth(group)
  }
  return lines
}

/** Coloured squares with the names of some groups, in one line from x. */
function key(groups: readonly string[], line: readonly string[], x: number, y: number): Mark[] {
  let at = x
  return line.flatMap((group) => {
    const place = at
    at += keyWidth(group)
    const color = SERIES[groups.indexOf(group)]
    return [
      {
        type: 'rect',
        encode: { enter: { x: { value: place }, y: { value: y - 9 }, ...sized(10, 10), fill: { value: color } } },
      } satisfies Mark,
      text(group, place + 15, y),
    ]
  })
}

function logDomain(least: number, greatest: number): [number, number] {
  const low = 10 ** Math.floor(Math.log10(least))
  return [least / low < 1.5 ? low / 10 : low, greatest * 1.1]
}
