/**
 * The kinds of rows there are: what a row is decides how samples are drawn, written and measured. The source of the data says
 * it, a run keeps it; only where nobody says is it told from the shape.
 */

export const rowKinds = {
  points: 'rows of numbers',
  pictures: 'pictures [C, H, W] of one (grey) or three channels (red, green, blue)',
} as const

export type RowKind = keyof typeof rowKinds
export const rowKindNames = Object.keys(rowKinds) as [RowKind, ...RowKind[]]

/** What rows […dims] can be at most: pictures, where they have the shape of such. */
export const kindOfShape = (rowShape: readonly number[]): RowKind =>
  rowShape.length === 3 && (rowShape[0] === 1 || rowShape[0] === 3) ? 'pictures' : 'points'
