/**
 * Builds the native engine with the compiler's sanitizers and runs under them what uses it: `npm run sanitize`. Needs g++ (or
 * clang) with its libraries, CMake, and Linux on x86-64.
 *
 *     node scripts/sanitize.mjs [address] [thread]      default: both
 *
 * address: AddressSanitizer and UndefinedBehaviourSanitizer, in Node: the engine's own tests, the parity of all kernels on each
 * instruction set, the addon's own face, threads that end. thread: ThreadSanitizer, without Node, whose own code it does not
 * know: the parity cases on four threads, devices that work at the same time and end in the middle; and a planted race, which it
 * must find. The first fault ends a run.
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

function run(command, args, env = {}) {
  console.log(`\n=== ${[command, ...args].join(' ')}`)
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, env: { ...process.env, ...env } })
  if (error) throw error
  return status ?? 1
}

function must(...call) {
  const status = run(...call)
  if (status !== 0) process.exit(status)
}

const includesOf = () => [require('node-addon-api').include_dir, require('node-api-headers').include_dir]
const withoutQuotes = (paths) => paths.join(';').replaceAll('"', '')

/** Builds with a sanitizer, the program of the parity cases beside the addon. Returns the folder. */
function build(sanitizer, name) {
  const out = join(root, 'build', name)
  prepareBuildFolder(root, out)
  const sources = sourcesOf(root)
  must('cmake', [
    ...['-S', root, '-B', out, '-DLFM_PARITY=ON', `-DLFM_SANITIZE=${sanitizer}`],
    `-DLFM_NODE_API_INCLUDES=${withoutQuotes(includesOf())}`,
  ])
  must('cmake', ['--build', out, '--parallel', process.env.LFM_JOBS ?? '2'])
  recordBuild(out, sources)
  return out
}

/** The sanitizer's library, which must be there before anything else in a process whose program was not built with it. */
function libraryOf(name) {
  const { stdout } = spawnSync(process.env.CXX ?? 'g++', [`-print-file-name=${name}`], { encoding: 'utf8' })
  return stdout.trim()
}

function address() {
  const out = build('address,undefined', 'sanitize-address')
  const addon = join(out, 'Release', 'lfm.node')
  const suites = [
    'test/native',
    'test/trust/addon.test.ts',
    'test/trust/threads.test.ts',
    ...['native-baseline', 'native-avx2', 'native-avx512', 'composites-native'].map(
      (name) => `test/parity/${name}.test.ts`,
    ),
  ]
  must(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...suites], {
    LFM_ADDON: addon,
    LFM_REQUIRE_NATIVE: '1',
    LD_PRELOAD: `${libraryOf('libasan.so')} ${libraryOf('libubsan.so')}`,
    // V8 keeps its memory to itself, so what it never frees is no leak; test/trust/leaks.test.ts looks for ours
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0:allocator_may_return_null=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  })
}

function thread() {
  const out = build('thread', 'sanitize-thread')
  const program = join(out, 'lfm-parity')
  const vectors = join(out, 'vectors.bin')
  must(process.execPath, ['--import', 'tsx', join('test', 'parity', 'write-vectors.ts'), vectors])
  // newer kernels spread addresses further than the sanitizer's shadow reaches
  const [command, ...still] = existsSync('/usr/bin/setarch') ? ['setarch', '-R', program] : [program]
  const env = { LFM_THREADS: '4', TSAN_OPTIONS: 'halt_on_error=1:exitcode=66' }
  if (run(command, [...still, '--race'], env) !== 66) {
    console.error('The planted race was not found: this build proves nothing.')
    process.exit(1)
  }
  console.log('The planted race was found.')
  must(command, [...still, '--queues'], env)
  for (const target of ['baseline', 'avx2', 'avx512']) must(command, [...still, vectors], { ...env, LFM_CPU: target })
}

const asked = process.argv.slice(2)
if (asked.length === 0 || asked.includes('address')) address()
if (asked.length === 0 || asked.includes('thread')) thread()
console.log('\nSanitizers: clean')
