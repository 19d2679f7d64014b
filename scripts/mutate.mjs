/**
 * Mutation testing of the numerics: makes the changes of scripts/mutations.mjs one at a time, in a worktree of the commit that
 * is checked out, runs the tests that should notice, and says which did. A mutation that no test notices *survives*:
 * either it changes nothing that can be seen, or a test is missing.
 *
 *     node scripts/mutate.mjs [--only TEXT] [--jobs 1] [--survivors] [--results build/mutations.json] [--scratch FOLDER]
 *     node scripts/mutate.mjs --check        whether every mutation still finds its place
 *     node scripts/mutate.mjs --table        what the results file holds
 *
 * --only takes mutations whose file or text holds TEXT. Results are kept: a run that was cut goes on, and what was killed is
 * not tried again; --survivors tries those that survived and no others. --scratch keeps the worktrees, with their native builds, for
 * the next run. Tests on WebGPU are left out, native ones must run; each suite is first seen to pass as it is. Of the
 * native engine the object that was touched is compiled, for the machine's own instruction set; that needs Ninja.
 */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mutations } from './mutations.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** A suite that takes longer than this hangs: the mutation is noticed. */
const SUITE_SECONDS = 300

/** Suites that are running, to be ended with this process. */
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const { pid } of running) process.kill(-pid, 'SIGKILL')
    process.exit(1)
  })
}

const idOf = ({ edits }) => createHash('sha256').update(JSON.stringify(edits)).digest('hex').slice(0, 10)
const changeOf = ({ edits }) => edits.map(([, from, to]) => `${from} → ${to}`).join('; ')

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: root, ...options })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr || stdout}`)
  return stdout
}

const textOf = (file) => (existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '')

/** Edits of a mutation that do not stand exactly once in their files: the source has changed since it was written. */
const misplaced = ({ edits }) =>
  edits
    .map(([file, from]) => ({ file, from, times: textOf(file).split(from).length - 1 }))
    .filter(({ times }) => times !== 1)
    .map(({ file, from, times }) => `${file} has ${times} of: ${from}`)

/** A worktree with the packages of this one and an addon of its own. */
function openScratch(folder, commit) {
  if (existsSync(join(folder, '.git'))) {
    run('git', ['checkout', '-q', '--force', '--detach', commit], { cwd: folder })
  } else {
    run('git', ['worktree', 'add', '-q', '--force', '--detach', folder, commit])
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  }
  const { status } = spawnSync(process.execPath, ['scripts/build-addon.mjs'], { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`the native engine could not be built in ${folder}`)
  const addon = createRequire(import.meta.url)(join(folder, 'build/Release/lfm.node'))
  return { folder, target: addon.info().supportedTargets[0] }
}

/** Compiles the objects of a native mutation again and links the addon; false where they do not compile. */
function buildObjects({ folder, target }, objects) {
  const build = join(folder, 'build')
  if (!existsSync(join(build, 'build.ninja')))
    throw new Error('mutations of the native engine need Ninja (ninja-build)')
  const files = objects.map((object) => `CMakeFiles/lfm_${target}.dir/native/${object}.cc.o`)
  const compiled = spawnSync('ninja', files, { cwd: build, encoding: 'utf8' })
  if (compiled.status !== 0) return false
  const link = run('ninja', ['-t', 'commands', 'Release/lfm.node'], { cwd: build, maxBuffer: 1 << 26 })
  run('sh', ['-c', link.trimEnd().split('\n').at(-1)], { cwd: build })
  return true
}

const isNative = ([file]) => file.startsWith('native/')
const objectsOf = ({ edits, objects }) =>
  edits.some(isNative) ? (objects ?? [edits.find(isNative)[0].replace(/^native\/|\.cc$/g, '')]) : []

/** Runs one test file: how many tests passed, and the first that did not. */
async function runSuite({ folder, target }, test, filter) {
  const output = join(folder, 'build', 'suite.json')
  rmSync(output, { force: true })
  const file = `test/${test.replace('TARGET', target)}.test.ts`
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, '--bail=1', '--reporter=json', `--outputFile=${output}`]
  const child = spawn(process.execPath, filter ? [...args, '-t', filter] : args, {
    cwd: folder,
    stdio: 'ignore',
    detached: true,
    // no Vulkan driver, so no WebGPU
    env: { ...process.env, LFM_REQUIRE_NATIVE: '1', LFM_REQUIRE_WEBGPU: '', VK_DRIVER_FILES: '/dev/null', CI: '1' },
  })
  running.add(child)
  let hung = false
  const timer = setTimeout(() => {
    hung = true
    process.kill(-child.pid, 'SIGKILL')
  }, 1000 * SUITE_SECONDS)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  running.delete(child)
  if (hung) return { passed: 0, failure: `${test}: hangs` }
  if (!existsSync(output)) return { passed: 0, failure: code === 0 ? null : `${test}: ended with ${code}` }
  const { testResults, numPassedTests } = JSON.parse(readFileSync(output, 'utf8'))
  const assertions = testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = assertions.find(({ status }) => status === 'failed')
  const broken = testResults.find(({ status, message }) => status === 'failed' && message)
  const what = failed?.fullName ?? broken?.message.split('\n')[0]
  return { passed: numPassedTests, failure: what === undefined ? null : `${test}: ${what}` }
}

class Results {
  constructor(path, commit) {
    this.path = path
    this.kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { passing: {}, mutations: {} }
    this.commit = commit
  }

  save() {
    mkdirSync(dirname(this.path), { recursive: true })
    writeFileSync(this.path, JSON.stringify(this.kept, null, 1))
  }

  of(mutation) {
    return this.kept.mutations[idOf(mutation)]
  }

  set(mutation, result) {
    const [file] = mutation.edits[0]
    this.kept.mutations[idOf(mutation)] = { file, change: changeOf(mutation), commit: this.commit, ...result }
    this.save()
  }

  /** Whether a suite was seen to pass as it is, and nothing that it looks at has changed since. */
  passes(key, test) {
    const before = this.kept.passing[key]
    if (before === undefined || before === this.commit) return before !== undefined
    const places = ['src', 'native', `test/${test}*`]
    return spawnSync('git', ['diff', '--quiet', before, this.commit, '--', ...places], { cwd: root }).status === 0
  }

  pass(key) {
    this.kept.passing[key] = this.commit
    this.save()
  }
}

async function tryMutation(scratch, mutation, results) {
  const { tests, filter } = mutation
  for (const test of tests) {
    const key = `${test} ${filter ?? ''}`
    if (results.passes(key, test)) continue
    const { failure } = await runSuite(scratch, test, filter)
    if (failure) return { result: 'broken', by: `without the mutation, ${failure}` }
    results.pass(key)
  }
  const originals = new Map()
  const objects = objectsOf(mutation)
  try {
    for (const [file, from, to] of mutation.edits) {
      const path = join(scratch.folder, file)
      const text = readFileSync(path, 'utf8')
      if (!originals.has(path)) originals.set(path, text)
      writeFileSync(
        path,
        text.replace(from, () => to),
      )
    }
    if (objects.length > 0 && !buildObjects(scratch, objects)) return { result: 'broken', by: 'it does not compile' }
    let ran = 0
    for (const test of tests) {
      const { passed, failure } = await runSuite(scratch, test, filter)
      if (failure) return { result: 'killed', by: failure }
      ran += passed
    }
    return ran > 0 ? { result: 'survived', by: null } : { result: 'broken', by: 'no test ran' }
  } finally {
    for (const [path, text] of originals) writeFileSync(path, text)
    if (objects.length > 0) buildObjects(scratch, objects)
  }
}

function summary(results, chosen) {
  const tried = chosen.map((mutation) => ({ ...results.of(mutation), mutation })).filter(({ result }) => result)
  const of = (what) => tried.filter(({ result }) => result === what)
  const lines = [...of('survived'), ...of('broken')].map(
    ({ file, change, result, by }) => `${result}  ${file}\n    ${change}${by ? `\n    ${by}` : ''}`,
  )
  const counted = of('killed').length + of('survived').length
  const share = counted > 0 ? ` (${((100 * of('survived').length) / counted).toFixed(1)} %)` : ''
  const untried = chosen.length - tried.length
  lines.push(
    `${of('killed').length} killed, ${of('survived').length} survived${share}, ${of('broken').length} broken, ` +
      `${untried} not tried, of ${chosen.length}`,
  )
  return lines.join('\n')
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      only: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      survivors: { type: 'boolean', default: false },
      results: { type: 'string', default: join(root, 'build/mutations.json') },
      scratch: { type: 'string' },
      check: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
    },
  })
  const lost = mutations.flatMap(misplaced)
  for (const line of lost) console.log(line)
  if (options.check) {
    if (lost.length === 0) console.log(`All ${mutations.length} mutations find their place.`)
    process.exitCode = lost.length > 0 ? 1 : 0
    return
  }
  const commit = run('git', ['rev-parse', 'HEAD']).trim()
  const results = new Results(options.results, commit)
  const wanted = ({ edits }) => !options.only || JSON.stringify(edits).includes(options.only)
  const chosen = mutations.filter((mutation) => wanted(mutation) && misplaced(mutation).length === 0)
  if (options.table) {
    console.log(summary(results, chosen))
    return
  }
  const again = (was) =>
    was?.result === 'broken' || (options.survivors ? was?.result === 'survived' : was === undefined)
  // in the order of their hashes: a run that is cut has tried some of everything
  const queue = chosen.filter((mutation) => again(results.of(mutation))).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
  const base = options.scratch ?? mkdtempSync(join(tmpdir(), 'lfm-mutate-'))
  const folders = Array.from({ length: Number(options.jobs) }, (_, i) => join(base, `${i + 1}`))
  try {
    const scratches = folders.map((folder) => openScratch(folder, commit))
    let done = 0
    const total = queue.length
    const work = async (scratch) => {
      for (let mutation = queue.shift(); mutation; mutation = queue.shift()) {
        const began = performance.now()
        const result = await tryMutation(scratch, mutation, results)
        const seconds = Math.round((performance.now() - began) / 1000)
        results.set(mutation, { ...result, seconds })
        const [file] = mutation.edits[0]
        console.log(`${++done}/${total} ${result.result.padEnd(8)} ${seconds} s  ${file}  ${changeOf(mutation)}`)
        if (result.by) console.log(`      ${result.by}`)
      }
    }
    await Promise.all(scratches.map(work))
  } finally {
    if (!options.scratch) {
      for (const folder of folders) spawnSync('git', ['worktree', 'remove', '--force', folder], { cwd: root })
      rmSync(base, { recursive: true, force: true })
    }
  }
  console.log(summary(results, chosen))
}

await main()
