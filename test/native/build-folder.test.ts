/** Build folders that came with a copied or moved checkout, or whose sources have old times: by CMake itself, on a program of one line. */

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

// a script in plain JavaScript, so its type is said here
const {
  prepareBuildFolder,
  recordBuild,
  sourcesOf,
}: {
  prepareBuildFolder(root: string, folder: string): string | null
  recordBuild(folder: string, sources: object): void
  sourcesOf(root: string): object
} = await import(String(new URL('../../scripts/build-folder.mjs', import.meta.url)))

const cmake = spawnSync('cmake', ['--version']).status === 0
if (!cmake) process.stderr.write('\n*** NOT TESTED: build folders of copied checkouts, since there is no CMake\n')

let work: string
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'lfm-build-'))
})
afterEach(() => rmSync(work, { recursive: true, force: true }))

const said = (root: string): string => execFileSync(join(root, 'build', 'say'), { encoding: 'utf8' })
const says = (root: string, word: string, time = new Date()): void => {
  const file = join(root, 'native', 'say.cc')
  writeFileSync(file, `#include <cstdio>\nint main() { std::puts("${word}"); }\n`)
  utimesSync(file, time, time)
}
/** What scripts/build-addon.mjs does, with cmake in the place of cmake-js: that configures only where there is no cache. */
const build = (root: string, prepared = true): string | null => {
  const folder = join(root, 'build')
  const other = prepared ? prepareBuildFolder(root, folder) : null
  const sources = sourcesOf(root)
  if (!existsSync(join(folder, 'CMakeCache.txt'))) execFileSync('cmake', ['-S', root, '-B', folder])
  execFileSync('cmake', ['--build', folder])
  recordBuild(folder, sources)
  return other
}

describe.skipIf(!cmake)('a build folder', { timeout: 120_000 }, () => {
  let first: string
  beforeEach(() => {
    first = join(work, 'first')
    mkdirSync(join(first, 'native'), { recursive: true })
    const lines = ['cmake_minimum_required(VERSION 3.19)', 'project(say CXX)', 'add_executable(say native/say.cc)']
    writeFileSync(join(first, 'CMakeLists.txt'), lines.join('\n'))
    says(first, 'old')
    expect(build(first)).toBe(null)
    expect(said(first)).toBe('old\n')
  })

  test('that was made for another checkout is made anew, and that one stays as it is', () => {
    const second = join(work, 'second')
    cpSync(first, second, { recursive: true, preserveTimestamps: true })
    says(second, 'new')
    // without the check the old folder is built, which is what the check is for
    build(second, false)
    expect(said(second)).toBe('old\n')
    expect(build(second)).toBe(first)
    expect([said(second), said(first)]).toEqual(['new\n', 'old\n'])
  })

  test('is built again for a source that changed and has an older time, and for no other', () => {
    const other = join(first, 'native', 'other.h')
    const hourAgo = new Date(Date.now() - 3_600_000)
    writeFileSync(other, '')
    utimesSync(other, hourAgo, hourAgo)
    build(first)
    utimesSync(other, hourAgo, hourAgo)
    says(first, 'new', hourAgo)
    execFileSync('cmake', ['--build', join(first, 'build')])
    expect(said(first)).toBe('old\n')
    build(first)
    expect(said(first)).toBe('new\n')
    expect(statSync(other).mtimeMs).toBeCloseTo(hourAgo.getTime(), -1)
  })

  test('that nobody carried over is kept', () => {
    writeFileSync(join(first, 'build', 'kept'), '')
    expect(build(first)).toBe(null)
    expect(existsSync(join(first, 'build', 'kept'))).toBe(true)
  })
})
