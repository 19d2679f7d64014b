/** The keys of the section `data`: where the rows come from, and how they are split. */

import { z } from 'zod'
import { toyNames } from '../data/toy.js'
import { choice, count, flag, key, listOf, positive, text } from './words.js'

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
const fileParts = {
  path: text('The file, relative to the config file.'),
  columns: listOf(
    key(z.union([z.string().min(1), z.int().min(0)]), 'a name or a number from 0'),
    'a non-empty list of columns, by name or number from 0',
    'The columns to take, in this order. Left out: all.',
  ).optional(),
  train: trainPart(),
  validation: part('Validation rows: a count, a fraction of all, or 0 for none.').default(0),
  test: part('Test rows: a count, a fraction of all, or 0 for none.').default(0.1),
  shuffle: flag('Shuffle the rows by the seed before they are split; else train comes first and test last.').default(
    true,
  ),
  standardise: flag('Scale each column to mean 0 and standard deviation 1 of the training rows.').default(true),
}

const toyKinds = ['gaussian', ...toyNames] as const
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
    mean: key(numbers.min(1), 'a list of numbers', 'Mean of the gaussian.').optional(),
    covariance: key(
      z.array(numbers).min(1),
      'a list of lists of numbers',
      'Covariance of the gaussian, row by row.',
    ).optional(),
    ...samplerParts,
  }),
  z.strictObject({ kind: z.literal('csv').meta({ description: 'A table of numbers as text.' }), ...fileParts }),
  z.strictObject({ kind: z.literal('npy').meta({ description: "An array in NumPy's format." }), ...fileParts }),
])

export type DataConfig = z.output<typeof dataSchema>
