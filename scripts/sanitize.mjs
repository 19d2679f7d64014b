/**
 * Builds the native engine with the compiler's sanitizers and runs under them what uses it: `npm run sanitize`. Needs g++ (or
 * clang) with its libraries, CMake, and Linux on x86-64.
 *
 *     node scripts/sanitize.mjs [address] [thread]      default: both
 *
 * address: AddressSanitizer and UndefinedBehaviourSanitizer; without Node the parity cases on four threads on each instruction
 * set, buffers of exactly the operands' sizes, devices that work at the same time and end in the middle, and LeakSanitizer; in
 * Node the engine's own tests, the parity of all kernels through the addon, the addon's own face, threads that end. thread:
 * ThreadSanitizer, without Node, whose own code it does not know: the parity cases and the devices again. Faults that are planted
 * must be found: a kernel that reads behind a buffer (without Node and in it), an integer that overflows, a race. The first fault
 * that is found elsewhere ends a run.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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

/** Runs what must be stopped by a sanitizer, and not by anything else. */
function mustFind(report, command, args, env) {
  console.log(`\n=== planted: ${[command, ...args].join(' ')}`)
  const { status, stderr } = spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8' })
  const found = stderr.split('\n').find((line) => report.test(line))
  if (status === 0 || found === undefined) {
    console.error(`${stderr.slice(-2000)}\nThe planted fault was not found: this build proves nothing.`)
    process.exit(1)
  }
  console.log(`Found: ${found.trim()}`)
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

const targets = ['baseline', 'avx2', 'avx512']

/** The parity cases in a file for the program that needs no Node. */
function writeVectors(out) {
  const vectors = join(out, 'vectors.bin')
  must(process.execPath, ['--import', 'tsx', join('test', 'parity', 'write-vectors.ts'), vectors])
  return vectors
}

function address() {
  const out = build('address,undefined', 'sanitize-address')
  const program = join(out, 'lfm-parity')
  const undefinedOptions = { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' }
  const bare = { LFM_THREADS: '4', ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1', ...undefinedOptions }
  for (const target of targets) {
    mustFind(/AddressSanitizer: heap-buffer-overflow/, program, ['--outside'], { ...bare, LFM_CPU: target })
  }
  mustFind(/runtime error: signed integer overflow/, program, ['--overflow'], bare)
  must(program, ['--queues'], bare)
  const vectors = writeVectors(out)
  for (const target of targets) must(program, [vectors], { ...bare, LFM_CPU: target })

  const inNode = {
    LFM_ADDON: join(out, 'Release', 'lfm.node'),
    LFM_REQUIRE_NATIVE: '1',
    LD_PRELOAD: `${libraryOf('libasan.so')} ${libraryOf('libubsan.so')}`,
    // V8 keeps its memory to itself, so what it never frees is no leak; test/trust/leaks.test.ts looks for ours
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0:allocator_may_return_null=1',
    ...undefinedOptions,
  }
  mustFind(
    /AddressSanitizer: heap-buffer-overflow/,
    process.execPath,
    [join('test', 'trust', 'planted.mjs'), 'outside'],
    inNode,
  )
  const suites = [
    'test/native',
    'test/trust/addon.test.ts',
    'test/trust/threads.test.ts',
    ...['native-baseline', 'native-avx2', 'native-avx512', 'composites-native'].map(
      (name) => `test/parity/${name}.test.ts`,
    ),
  ]
  must(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...suites], inNode)
}

function thread() {
  const out = build('thread', 'sanitize-thread')
  const program = join(out, 'lfm-parity')
  // newer kernels spread addresses further than the sanitizer's shadow reaches
  const [command, ...still] = existsSync('/usr/bin/setarch') ? ['setarch', '-R', program] : [program]
  const env = { LFM_THREADS: '4', TSAN_OPTIONS: 'halt_on_error=1:exitcode=66' }
  mustFind(/ThreadSanitizer: data race/, command, [...still, '--race'], env)
  must(command, [...still, '--queues'], env)
  const vectors = writeVectors(out)
  for (const target of targets) must(command, [...still, vectors], { ...env, LFM_CPU: target })

  const [racing, others] = racesInNode(out, still, ['planted.mjs', 'race'])
  if (racing.length === 0) {
    console.error('The race that was planted in Node was not found: this build proves nothing.')
    process.exit(1)
  }
  console.log(`Found: ${/SUMMARY: .*/.exec(racing[0])?.[0]} (${others.length} reports of Node alone)`)
  for (const mode of ['devices', 'end', 'terminate', 'calls', 'overlap', 'collect', 'reload', 'exit']) {
    const [ours, nodes] = racesInNode(out, still, ['worker.mjs', mode, '4'])
    if (ours.length > 0) {
      console.error(ours.join('\n'))
      process.exit(1)
    }
    console.log(`No race of the engine (${nodes.length} reports of Node alone)`)
  }
}

/**
 * Runs a script of test/trust/ in Node with the addon that was built for ThreadSanitizer. Node and V8 were not: the sanitizer does
 * not see how their own threads agree, so that it reports races of theirs that are none. Returns the reports in which one of
 * the two accesses is the engine's, and the others.
 */
function racesInNode(out, still, [script, ...args]) {
  const log = join(out, 'races')
  for (const name of readdirSync(out).filter((one) => one.startsWith('races.'))) rmSync(join(out, name))
  const command = [...(still.length > 0 ? ['setarch', '-R'] : []), process.execPath, '--expose-gc']
  const line = [...command, join('test', 'trust', script), ...args]
  const preload = { LD_PRELOAD: libraryOf('libtsan.so'), LFM_ADDON: join(out, 'Release', 'lfm.node') }
  const options = { TSAN_OPTIONS: `halt_on_error=0:exitcode=0:log_path=${log}`, LFM_THREADS: '4' }
  must(line[0], line.slice(1), { ...preload, ...options })
  const reports = readdirSync(out)
    .filter((name) => name.startsWith('races.'))
    .flatMap((name) => readFileSync(join(out, name), 'utf8').split(/^={18}$/m))
    .filter((text) => text.includes('WARNING: ThreadSanitizer'))
  const accesses = (text) => text.split(/^ {2}(?:Location|Mutex|Thread) /m)[0]
  const isOurs = (text) => accesses(text).includes('lfm.node')
  return [reports.filter(isOurs), reports.filter((text) => !isOurs(text))]
}

const asked = process.argv.slice(2)
if (asked.length === 0 || asked.includes('address')) address()
if (asked.length === 0 || asked.includes('thread')) thread()
console.log('\nSanitizers: clean')
