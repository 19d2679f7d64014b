/**
 * Makes the addon that the package ships: a release build with the C++ runtime inside and stripped, in
 * prebuilds/<platform>-<architecture>/lfm.node. It then needs the C library alone (glibc, of the version printed), and
 * any Node with Node-API 8. To serve old systems, run it on an old one.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { buildAddon } from './build-addon.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The newest version of glibc that a library asks for, or null where that cannot be told. */
function newestGlibc(path) {
  const { status, stdout } = spawnSync('objdump', ['-T', path], { encoding: 'utf8' })
  if (status !== 0) return null
  const versions = [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [Number(major), Number(minor)])
  versions.sort(([a, b], [c, d]) => a - c || b - d)
  return versions.at(-1)?.join('.') ?? null
}

const built = buildAddon({ staticRuntime: true, out: join('build', 'prebuild') })
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
const target = join(folder, 'lfm.node')
mkdirSync(folder, { recursive: true })
copyFileSync(built, target)
const { cpuTarget, supportedTargets } = createRequire(import.meta.url)(target).info()
const glibc = newestGlibc(target)
console.log(
  `${target}: ${Math.round(statSync(target).size / 1024)} KiB${glibc ? `, glibc from ${glibc}` : ''}; ` +
    `here ${cpuTarget} of ${supportedTargets.join(', ')}`,
)
