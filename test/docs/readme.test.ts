/**
 * The README and docs/ do not rot: their TypeScript runs as it is printed, their command lines name commands and options
 * that exist, their links lead somewhere, and the files and symbols that they name are there.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { kernels } from '../../src/kernels/registry.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
const pages = ['README.md', ...docs]
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code)

const entries: Readonly<Record<string, string>> = {
  'local-flow-matching': 'src/index.ts',
  'local-flow-matching/kernels': 'src/single-kernels.ts',
}

/** Snippets that stand alone: those that import the package. */
const programs = pages.flatMap((page) =>
  blocks(page, 'ts')
    .filter((code) => code.includes("from 'local-flow-matching"))
    .map((code, i) => ({ name: `${page}, program ${i + 1}`, code })),
)

describe('programs', () => {
  test('the README has one', () => {
    expect(programs.some(({ name }) => name.startsWith('README.md'))).toBe(true)
  })

  test.each(programs)('$name runs', ({ code }) => {
    const folder = mkdtempSync(join(tmpdir(), 'lfm-readme-'))
    try {
      const local = code.replace(
        /from '(local-flow-matching[\w/]*)'/g,
        (_, name: string) => `from '${join(root, entries[name])}'`,
      )
      writeFileSync(join(folder, 'program.mts'), local)
      const tsx = join(root, 'node_modules/tsx/dist/cli.mjs')
      execFileSync(process.execPath, [tsx, join(folder, 'program.mts')], {
        cwd: folder,
        stdio: 'pipe',
        timeout: 100_000,
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** `lfm …` lines of shell blocks, without comments. */
const commands = pages.flatMap((page) =>
  [
    ...blocks(page, 'sh')
      .join('\n')
      .matchAll(/^(?:npx )?lfm (\w+)([^#\n]*)/gm),
  ].map(([, command, rest]) => ({
    page,
    command,
    options: [...rest.matchAll(/(?<=\s)(--?[a-z][\w-]*)/g)].map(([, option]) => option),
  })),
)

test('every lfm command and option of the documents exists', { timeout: 120_000 }, () => {
  expect(commands.length).toBeGreaterThan(4)
  for (const name of new Set(commands.map(({ command }) => command))) {
    const lfm = [join(root, 'node_modules/tsx/dist/cli.mjs'), join(root, 'src/cli/main.ts'), name, '--help']
    const help = execFileSync(process.execPath, lfm, { encoding: 'utf8' })
    expect(help).toContain(`lfm ${name}`)
    for (const { page, options } of commands.filter(({ command }) => command === name)) {
      for (const option of options) expect(help, `${page}: lfm ${name} ${option}`).toContain(option)
    }
  }
})

test('npm scripts that the documents name exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const page of pages) {
    for (const [, name] of read(page).matchAll(/npm run ([\w:-]+)/g)) {
      expect(Object.keys(scripts), `${page}: npm run ${name}`).toContain(name)
    }
  }
})

describe.each(pages)('%s', (page) => {
  const text = read(page)

  test('its links lead to files and headings that exist', () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [path, anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      expect(existsSync(join(root, file)), `link to ${target}`).toBe(true)
      if (anchor) expect(anchors(file), `heading #${anchor} of ${file}`).toContain(anchor)
    }
  })

  test('the files that it names exist', () => {
    const names = /`((?:src|shaders|native|scripts|test|bench|docs|examples)\/[\w./-]*|[\w-]+\.(?:json|gyp|txt))`/g
    // what a run or a build makes, not the repository
    const made = [
      'manifest.json',
      'config.json',
      'bench.json',
      'bench-checked.json',
      'bench-rose.json',
      'test.json',
      'prove.json',
      'row.json',
      'compare.json',
      'samples.json',
    ]
    for (const [, path] of text.matchAll(names)) {
      if (!made.includes(path)) expect(existsSync(join(root, path)), path).toBe(true)
    }
  })

  test('the symbols that it names beside a file are in it', () => {
    for (const [, path, list] of text.matchAll(/`((?:src|native|shaders)\/[\w./-]+\.\w+)`: ((?:`\w+`(?:, )?)+)/g)) {
      for (const [, symbol] of list.matchAll(/`(\w+)`/g)) {
        expect(read(path), `${symbol} in ${path}`).toMatch(new RegExp(`\\b${symbol}\\b`))
      }
    }
  })
})

/** Anchors of a page's headings, as GitHub makes them. */
const anchors = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

test('docs/kernels.md has a row for every kernel and composite', () => {
  const rows = [...read('docs/kernels.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  const composites = ['src/networks', 'src/ode']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((f) => `${folder}/${f}`),
    )
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(file).matchAll(/kind: 'composite',\s+name: '(\w+)'/g)])
    .map(([, name]) => name)
  expect(composites.length).toBeGreaterThan(0)
  expect([...rows].sort()).toEqual([...kernels.keys(), ...composites].sort())
})
