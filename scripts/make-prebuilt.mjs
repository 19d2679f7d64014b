/**
 * Makes the addon that the package ships: a release build with the C++ runtime inside and stripped, in
 * prebuilds/<platform>-<architecture>/lfm.node. It then needs the C library alone (glibc, of the version printed), and
 * any Node with Node-API 8. To serve old systems, run it on an old one. Beside it lies provenance.json: the file's hash, the
 * compiler, its flags and the hash of every source, so that whoever doubts the file can build it again and compare
 * (docs/trust.md).
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { buildAddon } from './build-addon.mjs'
import { sourcesOf } from './build-folder.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The newest version of glibc that a library asks for, or null where that cannot be told. */
function newestGlibc(path) {
  const { status, stdout } = spawnSync('objdump', ['-T', path], { encoding: 'utf8' })
  if (status !== 0) return null
  const versions = [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [Number(major), Number(minor)])
  versions.sort(([a, b], [c, d]) => a - c || b - d)
  return versions.at(-1)?.join('.') ?? null
}

const firstLine = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' }).stdout?.split('\n')[0] || null

/** From what, by what and with what a file was built. */
function provenanceOf(path, out) {
  const cache = readFileSync(join(root, out, 'CMakeCache.txt'), 'utf8')
  const cached = (name) => new RegExp(`^${name}:[A-Z]+=(.*)$`, 'm').exec(cache)?.[1] ?? null
  const { lfm_flags: flags, ...lists } = JSON.parse(
    readFileSync(join(root, 'native', 'sources.json'), 'utf8'),
  ).variables
  return {
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
    bytes: statSync(path).size,
    platform: `${process.platform}-${process.arch}`,
    glibc: newestGlibc(path),
    compiler: firstLine(cached('CMAKE_CXX_COMPILER') ?? 'c++', '--version'),
    linker: firstLine('ld', '--version'),
    flags,
    targetFlags: Object.fromEntries(Object.entries(lists).filter(([name]) => /_flags$/.test(name))),
    link: '-static-libstdc++ -static-libgcc -Wl,-s -Wl,--gc-sections -Wl,--exclude-libs,ALL',
    version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
    commit: firstLine('git', '-C', root, 'rev-parse', 'HEAD'),
    command: 'npm run build:prebuilt',
    sources: sourcesOf(root),
  }
}

const built = buildAddon({ staticRuntime: true, out: join('build', 'prebuild') })
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
const target = join(folder, 'lfm.node')
mkdirSync(folder, { recursive: true })
copyFileSync(built, target)
const provenance = join(folder, 'provenance.json')
writeFileSync(provenance, `${JSON.stringify(provenanceOf(target, join('build', 'prebuild')), null, 2)}\n`)
const { cpuTarget, supportedTargets } = createRequire(import.meta.url)(target).info()
const glibc = newestGlibc(target)
console.log(
  `${target}: ${Math.round(statSync(target).size / 1024)} KiB${glibc ? `, glibc from ${glibc}` : ''}; ` +
    `here ${cpuTarget} of ${supportedTargets.join(', ')}`,
)
