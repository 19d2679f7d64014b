/** Small pieces of Vega specifications that several figures share. */
import type { GroupMark, Mark } from 'vega'
import { COLOR, SIZE } from './theme.js'

export interface TextStyle {
  /** Default 'left'. */
  align?: 'left' | 'center' | 'right'
  bold?: boolean
  /** Default the ink colour. */
  color?: string
  /** Pixels. Default the size of labels. */
  size?: number
}

/** A line of text with its baseline at (x, y) pixels of the group it stands in. */
export function text(words: string, x: number, y: number, style: TextStyle = {}): Mark {
  const { align = 'left', bold = false, color = COLOR.ink, size = SIZE.label } = style
  return {
    type: 'text',
    encode: {
      enter: {
        text: { value: words },
        x: { value: x },
        y: { value: y },
        align: { value: align },
        fill: { value: color },
        fontSize: { value: size },
        fontWeight: { value: bold ? 'bold' : 'normal' },
      },
    },
  }
}

/** The encoding of a mark's size in pixels. */
export function sized(width: number, height: number) {
  return { width: { value: width }, height: { value: height } }
}

/** A panel: a group of the given place and size with its own scales and axes, and a thin frame above its content. */
export function panel(
  place: { x: number; y: number; width: number; height: number; frame: boolean },
  rest: Pick<GroupMark, 'data' | 'scales' | 'axes'> & { marks: Mark[] },
): GroupMark {
  const { x, y, width, height, frame } = place
  const rule: Mark = {
    type: 'rect',
    encode: { enter: { ...sized(width, height), stroke: { value: COLOR.rule }, strokeWidth: { value: 1 } } },
  }
  return {
    type: 'group',
    encode: { enter: { x: { value: x }, y: { value: y }, ...sized(width, height) } },
    // Vega takes the length of an axis' grid from the nearest signals of these names, not from the group's own size.
    signals: [
      { name: 'width', value: width },
      { name: 'height', value: height },
    ],
    ...rest,
    marks: frame ? [...rest.marks, rule] : rest.marks,
  }
}

/** Places of labels on a logarithmic axis: powers of ten, and 2 and 5 times them where the range is short. */
export function logTicks([low, high]: readonly [number, number]): number[] {
  const decades = Math.log10(high / low)
  const steps = decades > 2 ? [1] : decades > 1 ? [1, 3] : [1, 1.5, 2, 3, 5, 7]
  const every = decades > 7 ? 2 : 1
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % every === 0) ticks.push(...steps.map((step) => Number(`${step}e${power}`)))
  }
  return ticks.filter((tick) => tick >= low && tick <= high)
}
