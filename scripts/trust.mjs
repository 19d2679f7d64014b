/**
 * The suites of test/trust/: `npm run trust` in their short form, as all tests run them; `npm run trust -- --long` in the long
 * one, whose figures are in docs/trust.md; `npm run trust -- --soak 60` the soak of so many minutes. A name chooses a suite:
 * `npm run trust -- --long kills`. LFM_TRIES sets how often a long one tries.
 */

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const args = process.argv.slice(2)
const soak = args.indexOf('--soak')
const long = args.includes('--long')
const names = args.filter((arg) => !arg.startsWith('--'))

const [program, ...rest] =
  soak >= 0
    ? [join(root, 'test/trust/soak.mjs'), args[soak + 1] ?? '60']
    : [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        ...(names.length > 0 ? names.map((name) => `test/trust/${name}`) : ['test/trust/']),
      ]
const { status } = spawnSync(process.execPath, [program, ...rest], {
  stdio: 'inherit',
  cwd: root,
  env: { ...process.env, ...(long ? { LFM_TRUST: 'long' } : {}) },
})
process.exitCode = status ?? 1
