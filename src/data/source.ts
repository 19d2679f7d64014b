/** What a data set is once it is read or drawn, and what the readers of sources give. */

import type { Density } from './density.js'
import type { RowKind } from './kinds.js'
import type { LargeRows } from './large.js'
import type { Scaler } from './scaler.js'
import type { DataConfig } from './schema.js'
import type { Parts } from './split.js'
import type { Encoding } from './tables/encoding.js'
import type { ColumnFacts } from './tables/report.js'
import type { Table } from './tables/table.js'
import type { ToldTables } from './tables/told.js'
import type { Tensor } from './tensor.js'

/** A data set that was read or drawn: its parts in the units of the source, and what is known of it. */
export interface LoadedData extends Parts {
  /** Of the training part; null where columns are not standardised. The parts hold raw values: the caller applies it. */
  scaler: Scaler | null
  /** The truth, in the units of the parts, where it is known. */
  density: Density | null
  /** Names of the columns, where there are any. */
  columns: string[] | null
  /** Classes of the rows of each part, where there are any; of use where `model.classes` is true. */
  labels: PartLabels | null
  /** Columns that a model is told of each row, numbers in their own units or columns of a table; null: none. */
  condition: PartConditions | ToldTables | null
  /** What a row is. */
  rowKind: RowKind
  /** Whether pictures are mirrored at random in the first sub-flow. */
  flips: boolean
  /** One line for people. */
  description: string
  /** What a reader should know of the data and of how they were read; one sentence each. */
  remarks: string[]
  /** A table of mixed columns, of which the parts above are the encoding; left out: rows are what they are. */
  table?: LoadedTable
  /** all training rows, where they are more than memory holds: `train`, and the table's, are then the first of them */
  large?: LargeRows
}

/** How many training rows there are. */
export const trainingRows = ({ train, large }: Pick<LoadedData, 'train' | 'large'>): number =>
  large?.rows ?? train.shape[0]

/** A table of mixed columns: its parts as they are, and how they are encoded. */
export interface LoadedTable {
  /** fitted on the training rows */
  readonly encoding: Encoding
  /** the rows that are learnt from */
  readonly train: Table
  /** what settings are chosen by; null where there is none */
  readonly validation: Table | null
  /** what a finished model is measured on; null where there is none */
  readonly test: Table | null
  /** what each column is, and how it is encoded; those that are left out too */
  readonly columns: readonly ColumnFacts[]
}

/** Classes of the rows of each part, [n], numbered from 0; null for a part that has none. */
export type PartLabels = { readonly [part in keyof Parts]: Uint16Array | null }

/** Conditions of the rows of each part, [n, C]; null for a part that has none. */
export type PartConditions = { readonly [part in keyof Parts]: Tensor | null } & {
  /** names of the columns, where there are any */
  readonly names: readonly string[] | null
}

export type ConfigOf<K extends DataConfig['kind']> = Extract<DataConfig, { kind: K }>
export type Source = Omit<LoadedData, 'scaler' | 'labels' | 'condition' | 'flips' | 'rowKind' | 'remarks'> &
  Partial<Pick<LoadedData, 'labels' | 'condition' | 'flips' | 'rowKind' | 'remarks' | 'scaler'>>
