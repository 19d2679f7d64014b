/**
 * A Parquet file written row group by row group: memory holds one group, and what is known of the groups before. That, as JSON, is
 * all that another process needs to go on. The bytes depend on columns and groups alone.
 */

import type { RowGroup, SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from './parquet.js'
import type { ColumnData } from './parquet-columns.js'

/** What is written so far, as plain data. */
export interface ParquetState {
  readonly elements: readonly SchemaElement[]
  readonly offset: number
  /** descriptions of the row groups, see `plain` */
  readonly groups: unknown
}

/** Numbers that JSON has no word for, under a name that no description of a group has. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, item) => {
      if (typeof item === 'bigint') return { $bigint: String(item) }
      return Object.is(item, -0) ? { $minusZero: true } : item
    }),
  )

const described = (value: unknown): RowGroup[] =>
  JSON.parse(JSON.stringify(value), (_, item) => {
    if (typeof item !== 'object' || item === null) return item
    if ('$bigint' in item) return BigInt(item.$bigint)
    return '$minusZero' in item ? -0 : item
  })

export class ParquetStream {
  private readonly bytes = new ByteWriter()
  private readonly writer: ParquetWriter

  private constructor(readonly elements: readonly SchemaElement[]) {
    const root = { name: 'root', num_children: elements.length }
    this.writer = new ParquetWriter({ writer: this.bytes, schema: [root, ...elements] })
  }

  /** A new file of such columns. */
  static begin = (elements: readonly SchemaElement[]): ParquetStream => new ParquetStream(elements)

  /** Goes on where another stream stood. */
  static resume({ elements, offset, groups }: ParquetState): ParquetStream {
    const stream = new ParquetStream(elements)
    const { bytes, writer } = stream
    bytes.index = 0
    bytes.offset = offset
    writer.row_groups = described(groups)
    writer.num_rows = writer.row_groups.reduce((sum, { num_rows }) => sum + num_rows, 0n)
    return stream
  }

  /** The bytes of a row group of its own. They are good until the next call. */
  group(columns: readonly ColumnData[]): Uint8Array {
    // an index of pages would have to be kept to the end, and is of no use in groups of this size
    const columnData = columns.map((column) => ({ ...column, offsetIndex: false }))
    this.writer.write({ columnData, rowGroupSize: columns[0].data.length })
    return this.taken()
  }

  /** The bytes that end the file. */
  end(): Uint8Array {
    this.writer.finish()
    return this.taken()
  }

  get state(): ParquetState {
    return { elements: this.elements, offset: this.bytes.offset, groups: plain(this.writer.row_groups) }
  }

  private taken(): Uint8Array {
    const bytes = this.bytes.getBytes()
    this.bytes.index = 0
    return bytes
  }
}
