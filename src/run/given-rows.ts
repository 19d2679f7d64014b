/** Rows that a program gives to `LocalFlow.train`, as the data set that a config's section `data` would make of them. */

import { columnRemarks } from '../data/column-remarks.js'
import { kindOfShape, type RowKind } from '../data/kinds.js'
import { narrowed, scaleRemarks } from '../data/precision.js'
import { type RowsLike, rowsOf } from '../data/rows.js'
import { type Scaler, scalerOf } from '../data/scaler.js'
import type { LoadedData } from '../data/source.js'
import type { Tensor } from '../data/tensor.js'
import { InvalidArgumentError, show } from '../errors.js'

/** What is said of the rows beside them. */
export interface GivenRows {
  columns?: readonly string[] | number
  standardise?: boolean | Scaler
  rowKind?: RowKind
  flips?: boolean
  validation?: RowsLike
  test?: RowsLike
}

const isLoaded = (given: RowsLike | LoadedData): given is LoadedData =>
  typeof given === 'object' && given !== null && 'train' in given && 'scaler' in given

/**
 * The data set of these rows. Of data that were loaded, what is said beside them takes the place of what they say.
 *
 * @throws InvalidArgumentError and DataError as rowsOf does, for names that do not fit, and for parts of another shape
 */
export function givenData(given: RowsLike | LoadedData, said: GivenRows): LoadedData {
  if (isLoaded(given)) return amended(given, said)
  const { columns: about, standardise, rowKind, flips = false } = said
  const columns = typeof about === 'object' ? [...about] : null
  const width = typeof about === 'number' ? about : about?.length
  const read = (name: string, rows: RowsLike, rowShape: readonly number[] | null): Tensor =>
    rowsOf(name, rows, rowShape, 'give columns, their number or their names')
  const train = narrowed(read('x', given, width === undefined ? null : [width]))
  checkColumns(columns, train)
  const parts = partsOf(said, train)
  const scaler = scalerOf(train, standardise, columns)
  const [n, ...rowShape] = train.shape
  return {
    train,
    ...parts,
    scaler,
    density: null,
    columns,
    labels: null,
    rowKind: rowKind ?? kindOfShape(rowShape),
    flips,
    description: `${n} rows [${rowShape.join(', ')}] of a program`,
    remarks: [...columnRemarks(train, columns), ...scaleRemarks(train, scaler !== null, columns)],
  }
}

/** Validation and test rows, of the shape of the training rows. */
function partsOf({ validation, test }: GivenRows, { shape }: Tensor): Pick<LoadedData, 'validation' | 'test'> {
  const rowShape = shape.slice(1)
  const part = (name: string, rows: RowsLike | undefined): Tensor | null => {
    if (rows === undefined) return null
    const x = rowsOf(name, rows, rowShape)
    if (x.shape.slice(1).join() === rowShape.join()) return x
    throw new InvalidArgumentError(
      `${name} must have rows [${rowShape.join(', ')}] as x has, but has [${x.shape.slice(1).join(', ')}].`,
    )
  }
  return { validation: part('validation', validation), test: part('test', test) }
}

function amended(data: LoadedData, { columns, standardise, rowKind, flips, ...parts }: GivenRows): LoadedData {
  const names = typeof columns === 'object' ? [...columns] : data.columns
  checkColumns(names, data.train)
  const { validation, test } = partsOf(parts, data.train)
  return {
    ...data,
    validation: validation ?? data.validation,
    test: test ?? data.test,
    columns: names,
    scaler: standardise === undefined ? data.scaler : scalerOf(data.train, standardise, names),
    rowKind: rowKind ?? data.rowKind,
    flips: flips ?? data.flips,
  }
}

/** Throws InvalidArgumentError where names are not one for each column, or two are the same. */
function checkColumns(names: readonly string[] | null, { shape }: Tensor): void {
  if (!names) return
  if (shape.length !== 2 || names.length !== shape[1]) {
    throw new InvalidArgumentError(
      `columns has ${names.length} names, but the rows are [${shape.slice(1).join(', ')}].`,
    )
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new InvalidArgumentError(`columns has the name ${show(twice)} twice.`)
}
