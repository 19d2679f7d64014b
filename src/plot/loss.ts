/**
 * Loss curves, one panel for each sub-flow: the recorded values light, their moving mean dark. Each panel has its own
 * vertical scale, because the least possible loss differs between sub-flows by orders of magnitude, and what is learned is a
 * small part of it (in a short Ornstein–Uhlenbeck step the target is almost only noise, which no network can predict).
 */
import type { GroupMark, Mark, Spec } from 'vega'
import { invalid } from '../errors.js'
import { linearTicks, type Ticks } from './axis.js'
import { logTicks, panel, sized, text } from './marks.js'
import { renderSvg } from './render.js'
import { COLOR, formatNumber, SIZE } from './theme.js'

/** The loss history of one sub-flow. */
export interface LossSeries {
  /** For instance «sub-flow 1». */
  label: string
  /** A subtitle, for instance «γ = 0.025». */
  note?: string
  /** Training steps at which the loss was recorded, ascending. */
  steps: ArrayLike<number>
  /** Mean squared error for a dimension at these steps. */
  loss: ArrayLike<number>
  /** Losses on rows that are not learnt from, and the steps after which they were measured; drawn as dots with a line. */
  validation?: { steps: ArrayLike<number>; loss: ArrayLike<number> }
  /** The least loss that any field can reach, where it is known; drawn as a dashed line. */
  floor?: number
  /** The loss in the heading, to agree with a table beside the figure. Default: where the moving mean ends. */
  final?: number
}

export interface LossFigure {
  series: readonly LossSeries[]
  /** What is drawn: the loss, or its excess over the floor (every series then needs one). Default 'loss'. */
  quantity?: 'loss' | 'excess'
  /** Vertical scale. Default 'auto': logarithmic where the moving mean falls by more than a factor of eight. */
  scale?: 'auto' | 'log' | 'linear'
  /** Panels in a row. Default 3, or as many as there are. */
  columns?: number
}

const WIDTH = 240
const HEIGHT = 130
const HEAD = 26
const GAP_Y = 34

/** Points of the recorded curve that are drawn at most; more would be finer than the picture. */
const MOST_POINTS = 600

/** The moving mean's window as a part of the history. */
const WINDOW = 1 / 20

/** On a logarithmic scale, nothing below this share of the greatest value is shown: excess loss may fall to zero by noise. */
const LEAST_SHOWN = 1e-4

/** A record of one panel: the step, the recorded value, the moving mean around it. */
interface Row {
  step: number
  value: number
  mean: number
}

/** Draws loss curves as SVG text. Series without a finite value get an empty panel that says so. */
export async function lossFigure({ series, quantity = 'loss', scale = 'auto', columns }: LossFigure): Promise<string> {
  if (series.length === 0) throw invalid('series', 'a list of at least one loss history', series)
  series.forEach(({ steps, loss, floor }, i) => {
    if (steps.length !== loss.length) {
      throw invalid(`series[${i}].loss.length`, `${steps.length}, as many as there are steps`, loss.length)
    }
    if (quantity === 'excess' && floor === undefined) {
      throw invalid(`series[${i}].floor`, 'a number where the excess loss is drawn', floor)
    }
  })
  const wide = Math.min(columns ?? 3, series.length)
  const tall = Math.ceil(series.length / wide)
  const curves = series.map((one) => curveOf(one, quantity, scale))
  const labels = Math.ceil(Math.max(...curves.map(({ ticks }) => ticks.labelWidth)))
  const [left, gap] = [labels + 30, labels + 22]
  const spec: Spec = {
    width: left + wide * (WIDTH + gap) - gap + 8,
    height: tall * (HEAD + HEIGHT + GAP_Y) + 4,
    padding: 8,
    autosize: 'none',
    marks: curves.map((curve, i) =>
      lossPanel(curve, {
        x: left + (i % wide) * (WIDTH + gap),
        y: HEAD + Math.floor(i / wide) * (HEAD + HEIGHT + GAP_Y),
        xTitle: i + wide >= series.length ? 'training step' : '',
        yTitle: i % wide === 0 ? (quantity === 'excess' ? 'excess loss' : 'loss') : '',
        titleX: -(labels + 18),
      }),
    ),
  }
  return renderSvg(spec)
}

/** What a panel shows. */
interface Curve {
  label: string
  note?: string
  /** of the heading */
  final?: number
  /** height of the dashed line */
  line?: number
  rows: readonly Row[]
  validation: readonly { step: number; value: number }[]
  /** values that were recorded, thinned; those above or below the frame, or not above zero on a logarithmic scale */
  recorded: number
  outside: number
  log: boolean
  domain: [number, number]
  ticks: Ticks
}

function curveOf(
  { label, note, steps, loss, validation, floor, final }: LossSeries,
  quantity: 'loss' | 'excess',
  scale: 'auto' | 'log' | 'linear',
): Curve {
  const subtracted = quantity === 'excess' ? floor! : 0
  const all = smoothed(steps, loss, subtracted)
  const means = all.map((row) => row.mean)
  const positive = means.filter((mean) => mean > 0)
  const falls = positive.length > 0 ? Math.max(...positive) / Math.min(...positive) : 1
  const log = positive.length > 0 && (scale === 'log' || (scale === 'auto' && falls > 8))
  const rows = log ? all.filter((row) => row.value > 0 && row.mean > 0) : all
  const line = quantity === 'loss' && floor !== undefined && !(log && floor <= 0) ? floor : undefined
  const validated = Array.from(validation?.steps ?? [], (step, i) => ({
    step,
    value: validation!.loss[i] - subtracted,
  })).filter(({ value }) => Number.isFinite(value) && !(log && value <= 0))
  const domain = valueDomain(rows, validated, line, log)
  const ticks = log ? { values: logTicks(domain), format: '~g', labelWidth: 36 } : linearTicks(domain, 4)
  const outside = all.filter(({ value }) => !(value >= domain[0] && value <= domain[1])).length
  const shown = { line, rows, validation: validated, recorded: all.length, outside, log, domain, ticks }
  return { label, note, final: final === undefined ? means.at(-1) : final - subtracted, ...shown }
}

function lossPanel(
  {
    label,
    note,
    final,
    line,
    rows,
    validation,
    recorded,
    outside,
    log,
    domain,
    ticks: { labelWidth: _, ...ticks },
  }: Curve,
  place: { x: number; y: number; xTitle: string; yTitle: string; titleX: number },
): GroupMark {
  const heading = [text(label, 0, -9, { size: SIZE.label, bold: true })]
  if (note) heading.push(text(note, 8 + label.length * 7.6, -9, { color: COLOR.muted }))
  if (final !== undefined)
    heading.push(text(formatNumber(final, 4), WIDTH, -9, { align: 'right', color: COLOR.accent }))
  const curve = (field: 'value' | 'mean', color: string, width: number): Mark => ({
    type: 'line',
    from: { data: 'rows' },
    encode: {
      enter: {
        x: { scale: 'step', field: 'step' },
        y: { scale: 'value', field },
        stroke: { value: color },
        strokeWidth: { value: width },
        strokeJoin: { value: 'round' },
      },
    },
  })
  const inside: Mark[] = [curve('value', COLOR.accentLight, 0.8), curve('mean', COLOR.accent, 1.8)]
  if (line !== undefined) inside.push(floorLine(line))
  if (validation.length > 0) inside.push(...validationMarks())
  const end = rows.at(-1)?.step ?? 1
  return panel(
    { x: place.x, y: place.y, width: WIDTH, height: HEIGHT, frame: true },
    {
      data: [
        { name: 'rows', values: [...rows] },
        { name: 'validation', values: [...validation] },
      ],
      scales: [
        {
          name: 'step',
          type: 'linear',
          domain: [0, end],
          range: [0, WIDTH],
          zero: false,
        },
        { name: 'value', type: log ? 'log' : 'linear', domain, range: [HEIGHT, 0], zero: false },
      ],
      axes: [
        {
          orient: 'bottom',
          scale: 'step',
          tickCount: 4,
          domain: false,
          format: end >= 10_000 ? '~s' : 'd',
          labelFlush: true,
          title: place.xTitle,
          titleAlign: 'left',
          titleAnchor: 'start',
        },
        {
          orient: 'left',
          scale: 'value',
          ...ticks,
          domain: false,
          grid: true,
          title: place.yTitle,
          titleX: place.titleX,
        },
      ],
      marks: [
        { type: 'group', clip: true, encode: { enter: sized(WIDTH, HEIGHT) }, marks: inside },
        ...heading,
        ...(outside > 0
          ? [
              text(`${outside} of ${recorded} values outside`, WIDTH, HEIGHT + 29, {
                align: 'right',
                color: COLOR.muted,
                size: SIZE.tick,
              }),
            ]
          : []),
        ...(rows.length === 0
          ? [text('nothing recorded', WIDTH / 2, HEIGHT / 2, { align: 'center', color: COLOR.muted })]
          : []),
      ],
    },
  )
}

function validationMarks(): Mark[] {
  const place = { x: { scale: 'step', field: 'step' }, y: { scale: 'value', field: 'value' } }
  const from = { data: 'validation' }
  return [
    {
      type: 'line',
      from,
      encode: { enter: { ...place, stroke: { value: COLOR.ink }, strokeWidth: { value: 1 } } },
    },
    { type: 'symbol', from, encode: { enter: { ...place, fill: { value: COLOR.ink }, size: { value: 12 } } } },
  ]
}

function floorLine(floor: number): Mark {
  return {
    type: 'rule',
    encode: {
      enter: {
        x: { value: 0 },
        x2: { value: WIDTH },
        y: { scale: 'value', value: floor },
        stroke: { value: COLOR.muted },
        strokeDash: { value: [4, 3] },
      },
    },
  }
}

/** The finite records, thinned to what a picture can show, each with the mean of the window centred on it. */
function smoothed(steps: ArrayLike<number>, loss: ArrayLike<number>, subtracted: number): Row[] {
  const rows: Row[] = []
  for (let i = 0; i < steps.length; i++) {
    if (Number.isFinite(loss[i])) rows.push({ step: steps[i], value: loss[i] - subtracted, mean: 0 })
  }
  const sums = new Float64Array(rows.length + 1)
  rows.forEach((row, i) => {
    sums[i + 1] = sums[i] + row.value
  })
  const half = Math.floor((rows.length * WINDOW) / 2)
  rows.forEach((row, i) => {
    const reach = Math.min(half, Math.max(i, 1), Math.max(rows.length - 1 - i, Math.ceil(half / 2)))
    const from = Math.max(0, i - reach)
    const to = Math.min(rows.length, i + reach + 1)
    row.mean = (sums[to] - sums[from]) / (to - from)
  })
  const stride = Math.max(1, Math.ceil(rows.length / MOST_POINTS))
  return rows.filter((_, i) => i % stride === 0 || i === rows.length - 1)
}

/** The vertical range: all of the moving mean, the validation losses and the floor, and all recorded values but the outermost 1 % on each side. */
function valueDomain(
  rows: readonly Row[],
  validation: readonly { value: number }[],
  floor: number | undefined,
  log: boolean,
): [number, number] {
  if (rows.length === 0) return log ? [0.1, 1] : [0, 1]
  const values = rows.map((row) => row.value).sort((a, b) => a - b)
  const shown = [values[Math.floor(0.01 * (values.length - 1))], values[Math.ceil(0.99 * (values.length - 1))]]
  for (const row of rows) shown.push(row.mean)
  for (const { value } of validation) shown.push(value)
  if (floor !== undefined) shown.push(floor)
  const [low, high] = [Math.min(...shown), Math.max(...shown)]
  if (log) return [Math.max(low, high * LEAST_SHOWN) / 1.15, high * 1.15]
  const margin = 0.06 * (high - low) || Math.abs(high) / 10 || 1
  return [low - margin, high + margin]
}
