/** What is said of a table's columns before it is learnt: kind and why, holes, values, range, atoms, and how each is encoded. */

import { cut, oneLine, show } from '../../errors.js'
import { ATOM_SHARE, describeEncoding, type Encoding } from './encoding.js'
import type { ColumnKind, KnownColumn } from './kinds.js'
import { isCategory, type TableColumn } from './table.js'
import { textOf } from './texts.js'

/** A value that many rows hold. */
export interface Atom {
  /** as it is written */
  readonly value: string
  /** of the rows */
  readonly share: number
}

/** A column in a report; numbers are of all rows that were given. */
export interface ColumnFacts {
  /** as the header has it */
  readonly name: string
  /** what it is taken for; ignore: it is left out */
  readonly kind: ColumnKind
  /** why it is taken for that */
  readonly why: string
  /** share of the rows */
  readonly missing: number
  /** distinct values, missing not counted */
  readonly distinct: number
  /** least and greatest value as they are written; null of categories and where there is none */
  readonly range: readonly [string, string] | null
  /** digits after the decimal sign; null where there is no such number */
  readonly decimals: number | null
  /** values that over 5 % of the rows hold, as they are written, and their share; of numbers and dates */
  readonly atoms: readonly Atom[]
  /** how it is learnt; '' where it is left out */
  readonly encoding: string
}

/**
 * Facts of all columns of a file, in their order.
 * @param told how those are encoded that a model is told; null or left out: it is told none
 */
export function columnFacts(
  known: readonly KnownColumn[],
  encoding: Encoding,
  told: Encoding | null = null,
): ColumnFacts[] {
  const texts = (of: Encoding, before: string): [string, string][] =>
    describeEncoding(of).map((text, i) => [of.columns[i].name, `${before}${text}`])
  const how = new Map([...texts(encoding, ''), ...(told ? texts(told, 'told, as ') : [])])
  return known.map(({ name, column, why }): ColumnFacts => {
    if (!column) {
      const nothing = { missing: 0, distinct: 0, range: null, decimals: null, atoms: [] }
      return { name, kind: 'ignore', why, ...nothing, encoding: '' }
    }
    return { name, kind: column.kind, why, ...valueFacts(column), encoding: how.get(name) ?? '' }
  })
}

function valueFacts(column: TableColumn): Pick<ColumnFacts, 'missing' | 'distinct' | 'range' | 'decimals' | 'atoms'> {
  if (isCategory(column)) {
    const { codes, levels } = column
    const missing = codes.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0)
    return { missing: missing / codes.length, distinct: levels.length, range: null, decimals: null, atoms: [] }
  }
  const { values, format } = column
  const rowOf = new Map<number, { row: number; count: number }>()
  let [least, most] = [-1, -1]
  let missing = 0
  values.forEach((value, row) => {
    if (Number.isNaN(value)) {
      missing++
      return
    }
    const found = rowOf.get(value)
    if (found) found.count++
    else rowOf.set(value, { row, count: 1 })
    if (least < 0 || value < values[least]) least = row
    if (most < 0 || value > values[most]) most = row
  })
  const text = textOf(column)
  const atoms = [...rowOf.values()]
    .filter(({ count }) => count > ATOM_SHARE * values.length)
    .sort((a, b) => b.count - a.count)
    .map(({ row, count }) => ({ value: text(row), share: count / values.length }))
  return {
    missing: missing / values.length,
    distinct: rowOf.size,
    range: least < 0 ? null : [text(least), text(most)],
    decimals: column.kind === 'date' ? null : (format?.decimals ?? null),
    atoms,
  }
}

const percent = (share: number): string => `${(100 * share).toPrecision(share < 0.0995 ? 2 : 3)} %`
const MOST_ATOMS = 3

/** A line for each column. */
export function factsLines(facts: readonly ColumnFacts[]): string[] {
  const names = facts.map(({ name }) => oneLine(cut(name, 30)))
  const width = Math.max(...names.map((name) => name.length))
  return facts.map(({ kind, why, missing, distinct, range, atoms, encoding }, i) => {
    const start = `${names[i].padEnd(width)}  ${kind.padEnd(8)}  ${why}`
    if (kind === 'ignore') return `${start}; left out`
    const parts = [start]
    if (missing > 0) parts.push(`${percent(missing)} missing`)
    if (range) parts.push(`${distinct} distinct from ${range[0]} to ${range[1]}`)
    // of few values all are atoms, which says nothing
    if (atoms.length > 0 && atoms.length < distinct) {
      const shown = atoms.slice(0, MOST_ATOMS).map(({ value, share }) => `${show(value)} in ${percent(share)}`)
      parts.push(`atoms ${shown.join(', ')}${atoms.length > MOST_ATOMS ? ' …' : ''}`)
    }
    return `${parts.join('; ')} → ${encoding}`
  })
}
