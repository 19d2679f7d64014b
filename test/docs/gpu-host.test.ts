/**
 * The Dockerfile for GPU hosts, which no machine of ours can build: what it names is there, and it brings the libraries
 * that the folder for bare hosts brings.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const dockerfile = read('scripts/gpu-host/Dockerfile').replace(/\\\n/g, ' ')
const lines = (instruction: string): string[] =>
  [...dockerfile.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].map(([, rest]) => rest.trim())
const manifest = JSON.parse(read('package.json')) as {
  files: string[]
  bin: Record<string, string>
  scripts: Record<string, string>
}

test('what it copies from the checkout is there, and what it copies from a stage is that stage’s folder', () => {
  const copies = lines('COPY').map((line) => line.split(/\s+/))
  expect(copies.length).toBeGreaterThan(1)
  const stages = lines('FROM').flatMap((line) => /AS (\w+)$/.exec(line)?.[1] ?? [])
  for (const words of copies) {
    const stage = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
    const [...sources] = words.filter((word) => !word.startsWith('--')).slice(0, -1)
    if (stage) {
      expect(stages).toContain(stage)
      expect(sources).toEqual(lines('WORKDIR').slice(0, 1))
    } else for (const source of sources) expect(existsSync(join(root, source)), source).toBe(true)
  }
})

test('what it starts is the command of the package, and the scripts that it runs are the package’s', () => {
  expect(lines('ENTRYPOINT')).toEqual([`["node", "${manifest.bin.lfm}"]`])
  const scripts = [...dockerfile.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name)
  expect(scripts.length).toBeGreaterThan(0)
  for (const name of scripts) expect(manifest.scripts).toHaveProperty(name)
  for (const [path] of dockerfile.matchAll(/examples\/[\w.-]+/g)) expect(existsSync(join(root, path)), path).toBe(true)
})

test('what is kept from the build is built there, or not needed', () => {
  const ignored = read('scripts/gpu-host/Dockerfile.dockerignore').split('\n').filter(Boolean)
  // node_modules by npm ci, dist by npm run build; prebuilt files are for who has no compiler
  const needed = manifest.files.filter((path) => !path.startsWith('!') && !['dist', 'prebuilds'].includes(path))
  expect(needed.filter((path) => ignored.includes(path))).toEqual([])
  for (const path of needed) expect(existsSync(join(root, path)), path).toBe(true)
})

test('its libraries are among those of the folder for bare hosts', () => {
  const [, packed] = /const libraryPackages =\s*'([^']*)'/.exec(read('scripts/gpu-host/pack.mjs'))!
  const installed = lines('RUN')
    .at(-1)!
    .split(/\s+/)
    .filter((word) => /^lib/.test(word))
  expect(installed.length).toBeGreaterThan(5)
  expect(installed.filter((name) => !packed.split(' ').includes(name))).toEqual([])
})

test('the suites that a GPU host runs are all that open a WebGPU device of their own', () => {
  const [, list] = /^webgpu_suites='([^']*)'/m.exec(read('scripts/gpu-host/run.sh'))!
  const filters = list.split(/\s+/)
  const suites = (readdirSync(join(root, 'test'), { recursive: true }) as string[])
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
  // those of the method and of the command line run on every engine, and are long
  const own = suites.filter((path) => /^test\/(webgpu|parity|bench)\//.test(path) && /adapterOrSkip/.test(read(path)))
  expect(own.filter((path) => !filters.some((filter) => path.includes(filter)))).toEqual([])
  for (const filter of filters)
    expect(
      suites.some((path) => path.includes(filter)),
      filter,
    ).toBe(true)
  expect(own).toContain('test/parity/half.test.ts')
  expect(own).toContain('test/parity/composites-webgpu.test.ts')
})
