/**
 * Every fenced block of the README and of docs/ is run as it stands, or says why not, in a comment above it that a reader of the
 * page does not see:
 *
 *     <!-- runs -->
 *     <!-- runs with train: --set train.steps=5; compare: --seeds 1 -->
 *     <!-- not run: needs an hour -->
 *
 * `train:` and `compare:` are options that are added to each `lfm` command of that name, so that it takes seconds. The blocks of a
 * page run one after another in one folder, in which `examples` are those of the repository; what a reader has there already is
 * made by first/PAGE.sh. YAML is a config, unless `<!-- not a config: … -->` says what else it is. Programs that import the package need no word (readme.test.ts runs them), and neither do blocks of no
 * language, which are no code.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig, resolveConfig } from '../../src/config/index.js'
import { built } from '../cli/lfm.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

interface Block {
  page: string
  line: number
  language: string
  code: string
  /** the comment above it */
  words: string
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/(?:^<!-- ((?:(?!-->).)*) -->\n)?^```(\w*)\n(.*?)^```$/gms)].map(
    ({ index, 1: words = '', 2: language, 3: code }) => ({
      ...{ page, language, code, words: words.trim() },
      line: text.slice(0, index).split('\n').length,
    }),
  )
}

/** Options that are added to commands, by name. */
type Added = Readonly<Record<string, string>>

/** How a block is run; null where its words say that it is not, undefined where they say nothing that is understood. */
function wayOf({ words }: Block): Added | null | undefined {
  if (/^not run: \S/.test(words)) return null
  if (words === 'runs') return {}
  const ways = /^runs with (.+)$/s
    .exec(words)?.[1]
    .split('; ')
    .map((part) => /^(train|compare): (.+)$/s.exec(part))
  return ways?.every((way) => way !== null)
    ? Object.fromEntries(ways.map(([, name, added]) => [name, added]))
    : undefined
}

/** Milliseconds of the commands of a block, at most. */
const LONGEST = 600_000

const blocks = pages.flatMap(blocksOf)
const inPackage = ({ code }: Block): boolean => code.includes("from 'local-flow-matching")
const known = ['', 'sh', 'ts', 'js', 'yaml', 'python', 'json']

test('every block says how it is run, or why not', () => {
  expect(blocks.length).toBeGreaterThan(20)
  const silent = blocks.filter((block) => {
    const { language } = block
    if (!known.includes(language)) return true
    if (language === '' || language === 'yaml') return false
    if (language === 'sh') return wayOf(block) === undefined
    return !(language === 'ts' && inPackage(block)) && wayOf(block) !== null
  })
  expect(silent.map(({ page, line, language }) => `${page}:${line} ${language}`)).toEqual([])
})

const configs = blocks.filter(({ language, words }) => language === 'yaml' && !/^not a config: \S/.test(words))
test.each(configs)('$page:$line is a config', ({ code, page }) => {
  expect(resolveConfig(parseConfig(code, { path: page })).train.steps.length).toBeGreaterThan(0)
})

/** `lfm` as a shell function, with the options that are added. */
const shell = (added: Added, code: string): string => `set -e
lfm() {
  case "$1" in
    train) "$NODE" "$LFM" "$@" ${added.train ?? ''} ;;
    compare) "$NODE" "$LFM" "$@" ${added.compare ?? ''} ;;
    *) "$NODE" "$LFM" "$@" ;;
  esac
}
${code}`

const run = blocks.filter((block) => block.language === 'sh' && wayOf(block))
describe.each([...new Set(run.map(({ page }) => page))])('%s', { timeout: LONGEST }, (page) => {
  const folder = mkdtempSync(join(tmpdir(), 'lfm-docs-'))
  const inShell = (added: Added, code: string): void => {
    const env = { ...process.env, NODE: process.execPath, LFM: join(root, 'dist/cli/main.js') }
    const options = { cwd: folder, env, encoding: 'utf8', timeout: LONGEST } as const
    const { status, stderr, stdout } = spawnSync('bash', ['-c', shell(added, code)], options)
    expect(status, `${stdout}\n${stderr}`).toBe(0)
  }
  const own = run.filter((block) => block.page === page)

  beforeAll(() => {
    built()
    symlinkSync(join(root, 'examples'), join(folder, 'examples'))
    const first = join(root, 'test/docs/first', `${basename(page, '.md')}.sh`)
    if (existsSync(first)) inShell(wayOf(own[0])!, readFileSync(first, 'utf8'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each(own)('the commands of line $line run', (block) => inShell(wayOf(block)!, block.code))
})
