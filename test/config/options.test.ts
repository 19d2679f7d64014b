/** The types of options that editors show are written from the schema: same keys, same types, the words of every key. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { configKeys } from '../../src/config/index.js'
import type { Config, TrainOptions } from '../../src/config/options.js'
import { configSchema, type optionsSchema } from '../../src/config/schema.js'

// a script in plain JavaScript, so its type is said here
const { optionTypes }: { optionTypes(schema: z.ZodType): Record<string, string> } = await import(
  String(new URL('../../scripts/option-types.mjs', import.meta.url))
)
const files = optionTypes(configSchema)
const text = Object.values(files).join('\n')

test.each(Object.keys(files))(
  '%s says what the schema says (write it by: node scripts/configuration-docs.mjs)',
  (path) => {
    expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(files[path])
  },
)

test('every key of the schema has words in front of it', () => {
  const names = new Set([...text.matchAll(/\*\/\n\s+(\w+)\??:/g)].map(([, name]) => name))
  expect(configKeys().filter(({ path }) => !names.has(path.slice(path.lastIndexOf('.') + 1)))).toEqual([])
  // none stands without
  expect(text.match(/^\s+\w+\??: /gm)).toHaveLength([...text.matchAll(/\*\/\n\s+(\w+)\??: /g)].length)
})

test('names are unions: what a key takes is known before it is run', () => {
  const options: TrainOptions = { model: { kind: 'mlp', activation: 'softplus7.5' }, train: { schedule: 'cosine' } }
  // @ts-expect-error no activation has this name
  options.model = { kind: 'mlp', activation: 'sofplus' }
  // @ts-expect-error a unet has no hidden layers
  options.model = { kind: 'unet', hidden: [8] }
  // @ts-expect-error the paper's notation is not a key
  options.flow = { gamma: [0.1, null] }
  expect(text).toMatch(/softplus\$\{number\}/)
})

/** Lists that may be written to, as the schema reads them. */
type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> }
/** Laws of times are wider in the schema, which makes them from a table. */
type ButFlow<T> = Omit<T, 'flow'>

test('what the types take, the schema takes, and the other way round', () => {
  // that these compile is the test
  const asTheSchemaReads = (written: Mutable<TrainOptions>): z.input<typeof optionsSchema> => written
  const asEditorsShow = (written: ButFlow<z.input<typeof configSchema>>): ButFlow<Config> => written
  const data = { kind: 'toy', name: 'moons' } as const
  expect(configSchema.parse({ ...asTheSchemaReads({}), ...asEditorsShow({ data }) }).data).toMatchObject(data)
})
