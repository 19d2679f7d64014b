/**
 * What a person writes in the section `data` of a config.
 *
 * Written by scripts/configuration-docs.mjs from the schema in src/config/; change that, not this file.
 */

/** A picture as a density on the plane; dark pixels are mass. */
export interface ImageDensityDataOptions {
  /** A picture as a density on the plane; dark pixels are mass. */
  kind: 'image-density'
  /** The picture, relative to the config file. */
  path: string
  /** Training rows: fresh independent draws. Takes a whole number from 1 on. Default: 100000. */
  train?: number
  /** Validation rows, 0 for none. Takes a whole number of draws. Default: 0. */
  validation?: number
  /** Test rows, 0 for none. Takes a whole number of draws. Default: 10000. */
  test?: number
  /** Scale each column to mean 0 and standard deviation 1 of the training rows. Default: false. */
  standardise?: boolean
}

/** A toy set from a formula. */
export interface ToyDataOptions {
  /** A toy set from a formula. */
  kind: 'toy'
  /** Which toy set. */
  name:
    | 'gaussian'
    | 'moons'
    | 'checkerboard'
    | 'spirals'
    | 'eight-gaussians'
    | 'pinwheel'
    | 'rings'
    | 'mixture'
    | 'sheet'
  /** Standard deviation of the set's noise. Left out: the set's own. Takes a number above 0. */
  noise?: number
  /** Dimensions of mixture or sheet. Left out: 6 and 8. Takes a whole number from 2 to 64. */
  dimension?: number
  /** Mean of the gaussian. Takes a list of numbers. */
  mean?: readonly number[]
  /** Covariance of the gaussian, row by row. Takes a list of lists of numbers. */
  covariance?: readonly (readonly number[])[]
  /** Training rows: fresh independent draws. Takes a whole number from 1 on. Default: 100000. */
  train?: number
  /** Validation rows, 0 for none. Takes a whole number of draws. Default: 0. */
  validation?: number
  /** Test rows, 0 for none. Takes a whole number of draws. Default: 10000. */
  test?: number
  /** Scale each column to mean 0 and standard deviation 1 of the training rows. Default: false. */
  standardise?: boolean
}

/** A table of numbers as text, packed by gzip or not. */
export interface CsvDataOptions {
  /** A table of numbers as text, packed by gzip or not. */
  kind: 'csv'
  /** The file, relative to the config file. */
  path: string
  /**
   * The columns to take, in this order. Left out: all, but those of condition. Takes a non-empty list of columns, by
   * name or number from 0.
   */
  columns?: readonly (string | number)[]
  /**
   * Columns that the model is told of each row, and does not make: samples are of given ones (docs/conditional.md).
   * Takes a non-empty list of columns, by name or number from 0.
   */
  condition?: readonly (string | number)[]
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /**
   * Test rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of them
   * (below 1), or 0 for none. Default: 0.1.
   */
  test?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /** Scale each column to mean 0 and standard deviation 1 of the training rows. Default: true. */
  standardise?: boolean
  /** Whether the first line holds the names of the columns. Left out: it is told from the values. */
  header?: boolean
  /**
   * Memory that a training may take. Rows that need more are learnt from window by window out of a file. Left out: half
   * of the machine's.
   */
  memory?: string
}

/** An array in NumPy's format; [n, C, H, W] are pictures. */
export interface NpyDataOptions {
  /** An array in NumPy's format; [n, C, H, W] are pictures. */
  kind: 'npy'
  /** The file, relative to the config file. */
  path: string
  /**
   * The columns to take, in this order. Left out: all, but those of condition. Takes a non-empty list of columns, by
   * name or number from 0.
   */
  columns?: readonly (string | number)[]
  /**
   * Columns that the model is told of each row, and does not make: samples are of given ones (docs/conditional.md).
   * Takes a non-empty list of columns, by name or number from 0.
   */
  condition?: readonly (string | number)[]
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /**
   * Test rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of them
   * (below 1), or 0 for none. Default: 0.1.
   */
  test?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /** Scale each column to mean 0 and standard deviation 1 of the training rows. Default: true. */
  standardise?: boolean
  /** Classes of the rows: a .npy file of whole numbers, relative to the config file. */
  labels?: string
  /** What a row is. Left out: pictures where the array has four dimensions and one or three channels, else points. */
  rows?: 'points' | 'pictures'
  /**
   * Side of the squares that pictures are made into: cut to their centre, then smaller by area average. Left out: as
   * they are. Takes a whole number from 1 on.
   */
  size?: number
  /**
   * Mirror pictures left to right at random in the first sub-flow; what is pushed keeps one of its two orientations.
   * Default: false.
   */
  flips?: boolean
  /** Read only so many pictures, evenly spaced in their order. Left out: all. Takes a whole number from 1 on. */
  limit?: number
  /**
   * Memory that a training may take. Rows that need more are learnt from window by window out of a file. Left out: half
   * of the machine's.
   */
  memory?: string
}

/** A table of mixed columns (numbers, categories, dates, holes) in CSV or Parquet. */
export interface TableDataOptions {
  /** A table of mixed columns (numbers, categories, dates, holes) in CSV or Parquet. */
  kind: 'table'
  /** The file, relative to the config file. */
  path: string
  /**
   * What columns are, by name, where that is told wrongly from their values; ignore leaves one out. Takes a list of
   * columns; of a table a mapping from names to kinds.
   */
  columns?: Readonly<
    Record<
      string,
      | 'number'
      | 'integer'
      | 'category'
      | 'boolean'
      | 'date'
      | 'ignore'
      | {
          /** How a date is written, as strptime has it. */
          date: string
        }
    >
  >
  /**
   * How columns of numbers are learnt: as normals by their quantiles, or with mean 0 and standard deviation 1. Default:
   * quantile.
   */
  numbers?: 'quantile' | 'standardise'
  /** Whether the first line holds the names of the columns. Left out: it is told from the values. */
  header?: boolean
  /** The decimal sign in a table of text. Left out: points, and commas where commas do not separate columns. */
  decimal?: 'point' | 'comma'
  /**
   * Texts that stand for a missing value. Takes a list of texts. Default: ["", "NA", "N/A", "NaN", "nan", "null",
   * "NULL"].
   */
  missing?: readonly string[]
  /**
   * Columns that the model is told of each row, and does not make: samples are of given ones (docs/conditional.md).
   * Takes a non-empty list of columns, by name or number from 0.
   */
  condition?: readonly (string | number)[]
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /**
   * Test rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of them
   * (below 1), or 0 for none. Default: 0.1.
   */
  test?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /**
   * Memory that a training may take. Rows that need more are learnt from window by window out of a file. Left out: half
   * of the machine's.
   */
  memory?: string
}

/** A folder of PNG, JPEG and WebP files. */
export interface ImagesDataOptions {
  /** A folder of PNG, JPEG and WebP files. */
  kind: 'images'
  /** The folder, relative to the config file; folders in it are classes. */
  path: string
  /** A folder of test pictures. Left out: the test rows are split off. */
  testPath?: string
  /** Channels that pictures are read as. Default: rgb. */
  channels?: 'rgb' | 'grey'
  /**
   * Side of the squares that pictures are made into: cut to their centre, then smaller by area average. Left out: as
   * they are. Takes a whole number from 1 on.
   */
  size?: number
  /**
   * Mirror pictures left to right at random in the first sub-flow; what is pushed keeps one of its two orientations.
   * Default: false.
   */
  flips?: boolean
  /** Read only so many pictures, evenly spaced in their order. Left out: all. Takes a whole number from 1 on. */
  limit?: number
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /**
   * Test rows: a count, a fraction, or 0 for none. Left out: all of data.testPath where that is given, else a tenth.
   * Takes a count of rows (a whole number) or a fraction of them (below 1), or 0 for none.
   */
  test?: number
}

/** IDX files, the format of MNIST, packed by gzip or not. */
export interface IdxDataOptions {
  /** IDX files, the format of MNIST, packed by gzip or not. */
  kind: 'idx'
  /** The file of pictures, relative to the config file. */
  path: string
  /** The file of their classes. */
  labels?: string
  /** A file of test pictures. Left out: the test rows are split off. */
  testPath?: string
  /** The file of their classes. */
  testLabels?: string
  /**
   * Side of the squares that pictures are made into: cut to their centre, then smaller by area average. Left out: as
   * they are. Takes a whole number from 1 on.
   */
  size?: number
  /**
   * Mirror pictures left to right at random in the first sub-flow; what is pushed keeps one of its two orientations.
   * Default: false.
   */
  flips?: boolean
  /** Read only so many pictures, evenly spaced in their order. Left out: all. Takes a whole number from 1 on. */
  limit?: number
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /**
   * Test rows: a count, a fraction, or 0 for none. Left out: all of data.testPath where that is given, else a tenth.
   * Takes a count of rows (a whole number) or a fraction of them (below 1), or 0 for none.
   */
  test?: number
}

/** The binary version of CIFAR-10. */
export interface Cifar10DataOptions {
  /** The binary version of CIFAR-10. */
  kind: 'cifar10'
  /** The folder of data_batch_1.bin … test_batch.bin, relative to the config file. */
  path: string
  /**
   * Side of the squares that pictures are made into: cut to their centre, then smaller by area average. Left out: as
   * they are. Takes a whole number from 1 on.
   */
  size?: number
  /**
   * Mirror pictures left to right at random in the first sub-flow; what is pushed keeps one of its two orientations.
   * Default: false.
   */
  flips?: boolean
  /** Read only so many pictures, evenly spaced in their order. Left out: all. Takes a whole number from 1 on. */
  limit?: number
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction of all, or 0 for none. Takes a count of rows (a whole number) or a fraction of
   * them (below 1), or 0 for none. Default: 0.
   */
  validation?: number
  /** Shuffle the rows by the seed before they are split; else train comes first and test last. Default: true. */
  shuffle?: boolean
  /**
   * Test rows: a count, a fraction, or 0 for none. Left out: all of test_batch.bin. Takes a count of rows (a whole
   * number) or a fraction of them (below 1), or 0 for none.
   */
  test?: number
}

/** POWER, GAS, MINIBOONE or BSDS300 of the archive of masked autoregressive flows, prepared as published. */
export interface MafDataOptions {
  /** POWER, GAS, MINIBOONE or BSDS300 of the archive of masked autoregressive flows, prepared as published. */
  kind: 'maf'
  /** Which set. */
  name: 'power' | 'gas' | 'miniboone' | 'bsds300'
  /** The folder data of the archive, a file of the set, or a folder of prepared parts. */
  path: string
  /**
   * Training rows: a count, or a fraction of all. Left out: all that the other parts leave. Takes a count of rows (a
   * whole number) or a fraction of them (below 1).
   */
  train?: number
  /**
   * Validation rows: a count, a fraction, or 0 for none. Left out: all of the published part. Takes a count of rows (a
   * whole number) or a fraction of them (below 1), or 0 for none.
   */
  validation?: number
  /**
   * Test rows: a count, a fraction, or 0 for none. Left out: all of the published part. Takes a count of rows (a whole
   * number) or a fraction of them (below 1), or 0 for none.
   */
  test?: number
}

/** What is learned, by `kind`. Files are split: a part is a count of rows, or a fraction below 1. */
export type DataOptions =
  | ImageDensityDataOptions
  | ToyDataOptions
  | CsvDataOptions
  | NpyDataOptions
  | TableDataOptions
  | ImagesDataOptions
  | IdxDataOptions
  | Cifar10DataOptions
  | MafDataOptions
