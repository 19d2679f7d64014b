/** The keys of the section `data`: where the rows come from, and how they are split. */

import * as z from 'zod'
import { choice, count, either, flag, key, listOf, positive, text } from '../schema/words.js'
import { rowKindNames } from './kinds.js'
import { mafNames } from './maf.js'
import { bytesOf } from './memory.js'
import { spaceNames, spaceSets } from './spaces.js'
import { numberEncodings } from './tables/encoding.js'
import { columnKinds, missingTexts } from './tables/kinds.js'
import { toyNames } from './toy.js'

const partExpects = 'a count of rows (a whole number) or a fraction of them (below 1)'
const part = (description: string) =>
  key(
    z
      .number()
      .nonnegative()
      .refine((value) => value < 1 || Number.isInteger(value)),
    `${partExpects}, or 0 for none`,
    description,
  )
const trainPart = () =>
  key(
    z
      .number()
      .positive()
      .refine((value) => value < 1 || Number.isInteger(value)),
    partExpects,
    'Training rows: a count, or a fraction of all. Left out: all that the other parts leave.',
  ).optional()
const draws = (description: string) => key(z.int().min(0), 'a whole number of draws', description)
const samplerParts = {
  train: count('Training rows: fresh independent draws.').default(100_000),
  validation: draws('Validation rows, 0 for none.').default(0),
  test: draws('Test rows, 0 for none.').default(10_000),
  standardise: flag('Scale each column to mean 0 and standard deviation 1 of the training rows.').default(false),
}
const memoryKey = key(
  z.string().refine((value) => bytesOf(value) !== null),
  'a size, as 2 GB or 512 MiB',
  'Memory that a training may take. Rows that need more are learnt from window by window out of a file. Left out: half of the ' +
    "machine's.",
).optional()

const fileParts = {
  path: text('The file, relative to the config file.'),
  columns: listOf(
    key(z.union([z.string().min(1), z.int().min(0)]), 'a name or a number from 0'),
    'a non-empty list of columns, by name or number from 0',
    'The columns to take, in this order. Left out: all, but those of condition.',
  ).optional(),
  condition: listOf(
    key(z.union([z.string().min(1), z.int().min(0)]), 'a name or a number from 0'),
    'a non-empty list of columns, by name or number from 0',
    'Columns that the model is told of each row, and does not make: samples are of given ones (docs/conditional.md).',
  ).optional(),
  train: trainPart(),
  validation: part('Validation rows: a count, a fraction of all, or 0 for none.').default(0),
  test: part('Test rows: a count, a fraction of all, or 0 for none.').default(0.1),
  shuffle: flag('Shuffle the rows by the seed before they are split; else train comes first and test last.').default(
    true,
  ),
  standardise: flag('Scale each column to mean 0 and standard deviation 1 of the training rows.').default(true),
}

const headerKey = flag(
  'Whether the first line holds the names of the columns. Left out: it is told from the values.',
).optional()

const pictureParts = {
  size: count(
    'Side of the squares that pictures are made into: cut to their centre, then smaller by area average. Left out: as they are.',
  ).optional(),
  flips: flag(
    'Mirror pictures left to right at random in the first sub-flow; what is pushed keeps one of its two orientations.',
  ).default(false),
  limit: count('Read only so many pictures, evenly spaced in their order. Left out: all.').optional(),
  train: trainPart(),
  validation: part('Validation rows: a count, a fraction of all, or 0 for none.').default(0),
  shuffle: flag('Shuffle the rows by the seed before they are split; else train comes first and test last.').default(
    true,
  ),
}
/** Test rows of pictures that may have test files of their own. */
const testPart = (whole: string) =>
  part(`Test rows: a count, a fraction, or 0 for none. Left out: ${whole}.`).optional()
const ownOrTenth = 'all of data.testPath where that is given, else a tenth'

/** Rows of a part that a published split has, from its beginning. */
const ofPublished = (name: string) =>
  part(`${name} rows: a count, a fraction, or 0 for none. Left out: all of the published part.`).optional()

const toyKinds = ['gaussian', ...toyNames, ...spaceNames] as const
const numbers = z.array(key(z.number(), 'a number'))

export const dataSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z
      .literal('image-density')
      .meta({ description: 'A picture as a density on the plane; dark pixels are mass.' }),
    path: text('The picture, relative to the config file.'),
    ...samplerParts,
  }),
  z.strictObject({
    kind: z.literal('toy').meta({ description: 'A toy set from a formula.' }),
    name: choice(toyKinds, 'Which toy set.'),
    noise: positive("Standard deviation of the set's noise. Left out: the set's own.").optional(),
    dimension: key(
      z.int().min(2).max(64),
      'a whole number from 2 to 64',
      `Dimensions of ${either(spaceNames)}. Left out: ${spaceNames.map((name) => `${spaceSets[name].dimension}`).join(' and ')}.`,
    ).optional(),
    mean: key(numbers.min(1), 'a list of numbers', 'Mean of the gaussian.').optional(),
    covariance: key(
      z.array(numbers).min(1),
      'a list of lists of numbers',
      'Covariance of the gaussian, row by row.',
    ).optional(),
    ...samplerParts,
  }),
  z.strictObject({
    kind: z.literal('csv').meta({ description: 'A table of numbers as text, packed by gzip or not.' }),
    ...fileParts,
    header: headerKey,
    memory: memoryKey,
  }),
  z.strictObject({
    kind: z.literal('npy').meta({ description: "An array in NumPy's format; [n, C, H, W] are pictures." }),
    ...fileParts,
    labels: text('Classes of the rows: a .npy file of whole numbers, relative to the config file.').optional(),
    rows: choice(
      rowKindNames,
      'What a row is. Left out: pictures where the array has four dimensions and one or three channels, else points.',
    ).optional(),
    size: pictureParts.size,
    flips: pictureParts.flips,
    limit: pictureParts.limit,
    memory: memoryKey,
  }),
  z.strictObject({
    kind: z
      .literal('table')
      .meta({ description: 'A table of mixed columns (numbers, categories, dates, holes) in CSV or Parquet.' }),
    path: fileParts.path,
    columns: key(
      z.record(
        z.string(),
        key(
          z.union([z.enum(columnKinds), z.strictObject({ date: text('How a date is written, as strptime has it.') })]),
          `${either(columnKinds)}, or { date: '%Y-%m-%d' }`,
        ),
      ),
      'a list of columns; of a table a mapping from names to kinds',
      'What columns are, by name, where that is told wrongly from their values; ignore leaves one out.',
    ).optional(),
    numbers: choice(
      numberEncodings,
      'How columns of numbers are learnt: as normals by their quantiles, or with mean 0 and standard deviation 1.',
    ).default('quantile'),
    header: headerKey,
    decimal: choice(
      ['point', 'comma'],
      'The decimal sign in a table of text. Left out: points, and commas where commas do not separate columns.',
    ).optional(),
    missing: key(
      z.array(key(z.string(), 'a text')).max(1000),
      'a list of texts',
      'Texts that stand for a missing value.',
    ).default([...missingTexts]),
    condition: fileParts.condition,
    train: fileParts.train,
    validation: fileParts.validation,
    test: fileParts.test,
    shuffle: fileParts.shuffle,
    memory: memoryKey,
  }),
  z.strictObject({
    kind: z.literal('images').meta({ description: 'A folder of PNG, JPEG and WebP files.' }),
    path: text('The folder, relative to the config file; folders in it are classes.'),
    testPath: text('A folder of test pictures. Left out: the test rows are split off.').optional(),
    channels: choice(['rgb', 'grey'], 'Channels that pictures are read as.').default('rgb'),
    ...pictureParts,
    test: testPart(ownOrTenth),
  }),
  z.strictObject({
    kind: z.literal('idx').meta({ description: 'IDX files, the format of MNIST, packed by gzip or not.' }),
    path: text('The file of pictures, relative to the config file.'),
    labels: text('The file of their classes.').optional(),
    testPath: text('A file of test pictures. Left out: the test rows are split off.').optional(),
    testLabels: text('The file of their classes.').optional(),
    ...pictureParts,
    test: testPart(ownOrTenth),
  }),
  z.strictObject({
    kind: z.literal('cifar10').meta({ description: 'The binary version of CIFAR-10.' }),
    path: text('The folder of data_batch_1.bin … test_batch.bin, relative to the config file.'),
    ...pictureParts,
    test: testPart('all of test_batch.bin'),
  }),
  z.strictObject({
    kind: z.literal('maf').meta({
      description:
        'POWER, GAS, MINIBOONE or BSDS300 of the archive of masked autoregressive flows, prepared as published.',
    }),
    name: choice(mafNames, 'Which set.'),
    path: text('The folder data of the archive, a file of the set, or a folder of prepared parts.'),
    train: trainPart(),
    validation: ofPublished('Validation'),
    test: ofPublished('Test'),
  }),
])

export type DataConfig = z.output<typeof dataSchema>
