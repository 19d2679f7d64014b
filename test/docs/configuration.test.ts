/** docs/configuration.md is written from the schema; a key that changes and a file that does not are told apart here. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configKeys, resolveConfig } from '../../src/config/index.js'

// a script in plain JavaScript, so its type is said here
const { configurationDocs }: { configurationDocs(keys: unknown, resolve: unknown): string } = await import(
  String(new URL('../../scripts/configuration-docs.mjs', import.meta.url))
)

test('docs/configuration.md says what the schema says (write it by: node scripts/configuration-docs.mjs)', () => {
  const file = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  expect(file).toBe(configurationDocs(configKeys(), resolveConfig))
})

test('every key of the schema has a row', () => {
  const rows = configurationDocs(configKeys(), resolveConfig).match(/^\| `[\w.]+` \|/gm) ?? []
  expect(rows).toHaveLength(configKeys().length)
})
