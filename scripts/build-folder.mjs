/**
 * What a build folder may hold that the build tool does not notice. CMake keeps the folder of its sources: in a checkout
 * that was copied or moved it goes on building the old one's. And it tells by times what changed: sources that came with
 * older times than the objects, as copies and archives have them, are not built at all.
 */

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** In a build folder: the sources of its last finished build, with the hash of each one's content. */
const RECORD = 'lfm-sources.json'

const real = (path) => (existsSync(path) ? realpathSync(path) : path)

/** What a build of the sources in `root` depends on: files and the hashes of their contents. */
export function sourcesOf(root) {
  const files = readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, path, name }) => relative(root, join(parentPath ?? path, name)))
  const hash = (file) =>
    createHash('sha256')
      .update(readFileSync(join(root, file)))
      .digest('hex')
  return Object.fromEntries(['CMakeLists.txt', ...files.sort()].map((file) => [file, hash(file)]))
}

/**
 * Makes a build folder fit for building the sources in `root`: removes it where CMake made it for another folder of
 * sources or in another place, and gives sources whose content is not that of the last build the present time. Returns
 * the folder that it was made for, where it was another, else null.
 */
export function prepareBuildFolder(root, folder) {
  const cache = join(folder, 'CMakeCache.txt')
  if (!existsSync(cache)) return null
  const text = readFileSync(cache, 'utf8')
  const entry = (name) => new RegExp(`^${name}:INTERNAL=(.*)$`, 'm').exec(text)?.[1]
  const [sources, place] = [entry('CMAKE_HOME_DIRECTORY'), entry('CMAKE_CACHEFILE_DIR')]
  if (real(sources ?? '') !== real(root) || real(place ?? '') !== real(folder)) {
    rmSync(folder, { recursive: true })
    return sources ?? 'an unknown folder'
  }
  const record = join(folder, RECORD)
  if (!existsSync(record)) return null
  const built = JSON.parse(readFileSync(record, 'utf8'))
  const now = new Date()
  for (const [file, hash] of Object.entries(sourcesOf(root))) {
    if (built[file] !== hash) utimesSync(join(root, file), now, now)
  }
  return null
}

/** Writes down what a finished build was of: `sourcesOf` before it began. */
export const recordBuild = (folder, sources) =>
  writeFileSync(join(folder, RECORD), `${JSON.stringify(sources, null, 2)}\n`)
