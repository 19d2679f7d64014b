/**
 * Licences of everything that is installed with the package, or that it is built and tested with: `npm run licences`. Reads
 * package-lock.json, and the package.json of each package that is there. Ends with an error where a package that users get has
 * a licence that is not on the list, or none.
 *
 *     node scripts/licences.mjs [--all]      --all: what only the development needs as well
 */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const all = process.argv.includes('--all')

/**
 * Licences that a package under MIT may bring along. LGPL-3.0-or-later is libvips, which sharp loads as a library of its own
 * that anybody can replace; MPL-2.0 (resvg) asks for the sources of its own files alone, which are public.
 */
const accepted = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Apache-2.0',
  'MPL-2.0',
  'BlueOak-1.0.0',
  'Zlib',
  'Unlicense',
  'CC0-1.0',
  'LGPL-3.0-or-later',
  'Python-2.0',
]
const isAccepted = (licence) =>
  licence
    .replace(/[()]/g, '')
    .split(/ AND /)
    .every((part) => part.split(/ OR /).some((one) => accepted.includes(one)))

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))

/** What a package says itself, where the lock file says nothing. */
function own(path) {
  const file = join(root, path, 'package.json')
  if (!existsSync(file)) return null
  const { license, licenses } = JSON.parse(readFileSync(file, 'utf8'))
  return license?.type ?? license ?? licenses?.map(({ type }) => type).join(' OR ') ?? null
}

const rows = Object.entries(packages)
  .filter(([path, { dev, link }]) => path !== '' && !link && (all || !dev))
  .map(([path, { version, license }]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    return { name, version, licence: license ?? own(path) ?? 'none said' }
  })
  .sort((a, b) => (a.name < b.name ? -1 : 1))

const width = Math.max(...rows.map(({ name, version }) => name.length + version.length + 1))
for (const { name, version, licence } of rows) console.log(`${`${name} ${version}`.padEnd(width)}  ${licence}`)
const counts = new Map()
for (const { licence } of rows) counts.set(licence, (counts.get(licence) ?? 0) + 1)
const summary = [...counts].sort(([, a], [, b]) => b - a).map(([licence, count]) => `${licence} ${count}`)
console.log(`\n${rows.length} packages: ${summary.join(', ')}`)
const refused = all ? [] : rows.filter(({ licence }) => !isAccepted(licence))
for (const { name, licence } of refused) console.error(`${name}: ${licence} is not on the list in scripts/licences.mjs`)
process.exitCode = refused.length > 0 ? 1 : 0
