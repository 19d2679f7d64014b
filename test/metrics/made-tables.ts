/** Small tables for tests. */

import type { CategoryColumn, NumberColumn, Table, TableColumn } from '../../src/data/tables/table.js'
import { RandomStream, streams } from '../../src/random/stream.js'

export const numbers = (
  name: string,
  values: readonly number[],
  kind: NumberColumn['kind'] = 'number',
): NumberColumn => ({
  name,
  kind,
  values: Float64Array.from(values),
})

/** null is missing; levels in the order in which they come */
export function categories(name: string, values: readonly (string | null)[]): CategoryColumn {
  const levels = [...new Set(values.filter((value) => value !== null))]
  return { name, kind: 'category', codes: Int32Array.from(values, (value) => levels.indexOf(value ?? '')), levels }
}

export const table = (...columns: TableColumn[]): Table => {
  const [first] = columns
  return { rows: 'codes' in first ? first.codes.length : first.values.length, columns }
}

/** n rows, each made of its own draws */
export const rowsOf = <T>(n: number, seed: number, row: (random: RandomStream) => T): T[] => {
  const random = new RandomStream(seed, streams.sample)
  return Array.from({ length: n }, (_, i) => row(random.row(i)))
}

/** x and y normal with a correlation, z their sign of x y as a category, some y missing where x is high. */
export function mixed(n: number, seed: number, correlation = 0.8): Table {
  const rows = rowsOf(n, seed, (random) => {
    const x = random.normal()
    const y = correlation * x + Math.sqrt(1 - correlation ** 2) * random.normal()
    return { x, y: random.uniform() < (x > 1 ? 0.5 : 0.05) ? NaN : y, z: x * y > 0 ? 'same' : 'other' }
  })
  return table(
    numbers(
      'x',
      rows.map(({ x }) => x),
    ),
    numbers(
      'y',
      rows.map(({ y }) => y),
    ),
    categories(
      'z',
      rows.map(({ z }) => z),
    ),
  )
}
