/**
 * How every figure looks: the font, sizes and colours in one place. Light background, thin grey rules, one accent; the
 * colours of series are the eight of Okabe and Ito, which people with any common colour blindness can tell apart, and the
 * density ramp falls evenly in lightness, so that it also reads in grey.
 */
import type { Config } from 'vega'

/** The only font family that figures use; render.ts loads its files from assets/fonts/. */
export const FONT = 'DejaVu Sans'

/** Text sizes in pixels of the figure's own units. */
export const SIZE = { title: 13, label: 11, tick: 9.5 } as const

export const COLOR = {
  background: '#ffffff',
  ink: '#1f2933',
  muted: '#66717e',
  rule: '#c9d0d8',
  grid: '#eceff3',
  accent: '#1d5c8f',
  accentLight: '#a9c8e2',
  /** of words that stand on a page's own colour, white or near black */
  either: '#7a8795',
} as const

/** Colours of series in their order (Okabe and Ito, darkest first, without yellow, which is lost on white). */
export const SERIES = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#4d4d4d'] as const

/** Density from nothing (white) to most (near black), stops at equal distances, as [red, green, blue] from 0 to 255. */
export const DENSITY_RAMP: readonly (readonly [number, number, number])[] = [
  [255, 255, 255],
  [219, 233, 240],
  [163, 202, 219],
  [99, 162, 195],
  [48, 117, 163],
  [22, 74, 120],
  [12, 28, 60],
]

/** Vega's own settings for axes, titles and marks. */
export const VEGA_CONFIG: Config = {
  background: COLOR.background,
  text: { font: FONT, fontSize: SIZE.label, fill: COLOR.ink },
  axis: {
    domainColor: COLOR.rule,
    gridColor: COLOR.grid,
    tickColor: COLOR.rule,
    tickSize: 3,
    labelColor: COLOR.muted,
    labelFont: FONT,
    labelFontSize: SIZE.tick,
    labelPadding: 3,
    titleColor: COLOR.muted,
    titleFont: FONT,
    titleFontSize: SIZE.label,
    titleFontWeight: 'normal',
  },
  legend: { labelFont: FONT, labelFontSize: SIZE.label, labelColor: COLOR.ink },
}

/**
 * A number as people write it in a table: whole numbers as they are, others with three significant digits (trailing zeros
 * kept, so that columns compare), thin spaces between thousands.
 */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'not a number' : value > 0 ? 'infinity' : '−infinity'
  const size = Math.abs(value)
  const sign = value < 0 ? '−' : ''
  if (size === 0) return '0'
  if (size >= 1e9 || size < 1e-4) {
    const [mantissa, exponent] = size.toExponential(digits - 1).split('e')
    return `${sign}${Number(mantissa)}·10${superscript(Number(exponent))}`
  }
  if (Number.isInteger(value) || size >= 10 ** digits) return sign + groupThousands(Math.round(size))
  return sign + size.toPrecision(digits)
}

/** Digits below the line, for labels such as X₀ and X₁₂. */
export function subscript(index: number): string {
  return String(index).replace(/\d/g, (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)])
}

function superscript(index: number): string {
  return String(index)
    .replace('-', '⁻')
    .replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])
}

function groupThousands(whole: number): string {
  return whole < 10_000 ? String(whole) : String(whole).replace(/\B(?=(\d{3})+$)/g, '\u2009')
}
