/**
 * The arm64 build of the native engine, and its kernels' parity cases run under qemu-user: `npm run test:arm64`. Needs
 * CMake, a cross compiler and qemu (Debian: g++-aarch64-linux-gnu, qemu-user); without them it says so loudly and leaves,
 * with LFM_REQUIRE_ARM64=1 it fails.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { prepareBuildFolder, recordBuild, sourcesOf } from './build-folder.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(join(root, 'package.json'))
const found = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
const firstOf = (commands) => commands.find(found)

const compiler = firstOf(['aarch64-linux-gnu-g++', 'aarch64-linux-gnu-g++-12'])
const emulator = process.arch === 'arm64' ? '' : firstOf(['qemu-aarch64', 'qemu-aarch64-static'])
const missing = [
  !found('cmake') && 'cmake',
  !compiler && 'aarch64-linux-gnu-g++ (Debian: g++-aarch64-linux-gnu)',
  emulator === undefined && 'qemu-aarch64 (Debian: qemu-user)',
].filter(Boolean)
if (missing.length > 0) {
  process.stderr.write(`\n*** SKIPPED: the arm64 build and its kernel tests: ${missing.join(', ')} not found\n`)
  process.exit(process.env.LFM_REQUIRE_ARM64 === '1' ? 1 : 0)
}

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const out = join(root, 'build', 'arm64')
prepareBuildFolder(root, out)
const sources = sourcesOf(root)
const includes = [require('node-addon-api').include_dir, require('node-api-headers').include_dir]
run(
  'cmake',
  ...['-S', root, '-B', out, '-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64', '-DLFM_PARITY=ON'],
  `-DCMAKE_CXX_COMPILER=${compiler}`,
  `-DLFM_NODE_API_INCLUDES=${includes.join(';').replaceAll('"', '')}`,
)
run('cmake', '--build', out, '--parallel', '2')
recordBuild(out, sources)
const vectors = join(out, 'vectors.bin')
run(process.execPath, '--import', 'tsx', join('test', 'parity', 'write-vectors.ts'), vectors)
const libraries = '/usr/aarch64-linux-gnu'
const program = [join(out, 'lfm-parity'), vectors]
if (emulator) run(emulator, ...(existsSync(libraries) ? ['-L', libraries] : []), ...program)
else run(program[0], vectors)
