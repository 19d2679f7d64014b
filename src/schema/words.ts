/**
 * The words of the schema: each value says what it must be (for errors) and what it is for (for the documentation).
 */

import * as z from 'zod'

/** Items of a list in a config, at most: sub-flows, columns, heights. */
const MOST_ITEMS = 10_000
/** Sub-flows of a chain, at most. */
export const MOST_SUB_FLOWS = 1000
/** Steps of a solver through one sub-flow, at most. */
export const MOST_SOLVER_STEPS = 100_000

/** Gives a schema its words. */
export const key = <S extends z.ZodType>(schema: S, expects: string, description?: string): S =>
  schema.meta({ expects, description }) as S

/** 'a, b or c' */
export const either = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

export const choice = <const T extends readonly [string, ...string[]]>(names: T, description?: string) =>
  key(z.enum(names), either(names), description)
export const positive = (description?: string) => key(z.number().positive(), 'a number above 0', description)
export const notNegative = (description?: string) => key(z.number().nonnegative(), 'a number from 0 on', description)
/** @param most where more would cost time or memory without end before anything else could refuse it */
export const count = (description?: string, most?: number) =>
  most === undefined
    ? key(z.int().min(1), 'a whole number from 1 on', description)
    : key(z.int().min(1).max(most), `a whole number from 1 to ${most}`, description)
export const flag = (description?: string) => key(z.boolean(), 'true or false', description)
export const text = (description?: string) => key(z.string().min(1), 'a text', description)
export const listOf = <S extends z.ZodType>(item: S, expects: string, description?: string, most = MOST_ITEMS) =>
  key(z.array(item).min(1).max(most), expects, description)

/** A value for all sub-flows, or a list with one for each. */
export const oneOrEach = <S extends z.ZodType>(item: S, expects: string, description: string) =>
  key(
    z.union([item, z.array(item).min(1).max(MOST_SUB_FLOWS)]),
    `${expects}, or a list of these with one for each sub-flow`,
    description,
  )

/** A number that can be switched off; off is 0 in the resolved config. */
export const offOr = <S extends z.ZodType<number>>(item: S, expects: string, description: string) =>
  key(
    z
      .union([item, z.literal('off'), z.literal(false), z.null()])
      .transform((value) => (typeof value === 'number' ? value : 0)),
    `${expects}, or off`,
    description,
  )
