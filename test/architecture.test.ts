/**
 * Who may look where: the imports of every pair of rooms against the table in docs/architecture.md, no circle of files, and
 * what a browser bundles without Node. A room is a folder of src/, or a part of it that the table names.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const src = join(root, 'src')

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'))

/** Files that a file names: imports and exports, of types too, and dynamic imports. */
const imports = new Map(
  files.map((file) => {
    const text = readFileSync(join(src, file), 'utf8')
    const named = [...text.matchAll(/(?:\bfrom\s+|\bimport\()'(\.{1,2}\/[^']+)'/g)].map(([, path]) =>
      normalize(join(dirname(file), path))
        .replaceAll('\\', '/')
        .replace(/\.js$/, '.ts'),
    )
    return [file, named] as const
  }),
)

/** The table: `| room | may import |`, in which every room that is named stands in a row of its own. */
const rows = [...readFileSync(join(root, 'docs/architecture.md'), 'utf8').matchAll(/^\| `([\w./-]+)` \| (.*) \|$/gm)]
const allowed = new Map(
  rows
    .filter(([, , cell]) => cell === 'nothing' || /^(?:`[\w./-]+`(?:, )?)+$/.test(cell))
    .map(([, room, cell]) => [room, new Set([...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name))]),
)

/** The room of a file: the longest one of the table that it lies in. */
function roomOf(file: string): string {
  const inside = [...allowed.keys()].filter((room) => file === room || file.startsWith(`${room}/`))
  return inside.sort((a, b) => b.length - a.length)[0] ?? `${file}, which is in no room of the table`
}

test('the table names every room, and no room that is not there', () => {
  expect(files.map(roomOf).filter((room) => !allowed.has(room))).toEqual([])
  expect([...allowed.keys()].filter((room) => !files.some((file) => roomOf(file) === room))).toEqual([])
  const named = [...allowed.values()].flatMap((rooms) => [...rooms])
  expect(named.filter((room) => !allowed.has(room))).toEqual([])
})

test('no file looks into a room that its own may not look into', () => {
  const found = [...imports].flatMap(([file, named]) =>
    named
      .filter((other) => roomOf(other) !== roomOf(file) && !allowed.get(roomOf(file))?.has(roomOf(other)))
      .map((other) => `${file} imports ${other}: ${roomOf(file)} may not look into ${roomOf(other)}`),
  )
  expect(found).toEqual([])
})

test('what the table allows is made use of', () => {
  const used = new Set(
    [...imports].flatMap(([file, named]) => named.map((other) => `${roomOf(file)} ${roomOf(other)}`)),
  )
  const unused = [...allowed].flatMap(([room, others]) =>
    [...others].map((other) => `${room} ${other}`).filter((pair) => !used.has(pair)),
  )
  expect(unused).toEqual([])
})

test('there is no circle of rooms, and none of files', () => {
  const circle = (next: (from: string) => Iterable<string>, starts: Iterable<string>): string[] => {
    const done = new Set<string>()
    const path: string[] = []
    const visit = (at: string): string[] => {
      if (path.includes(at)) return [...path.slice(path.indexOf(at)), at]
      if (done.has(at)) return []
      path.push(at)
      for (const other of next(at)) {
        const found = visit(other)
        if (found.length > 0) return found
      }
      path.pop()
      done.add(at)
      return []
    }
    for (const start of starts) {
      const found = visit(start)
      if (found.length > 0) return found
    }
    return []
  }
  expect(circle((room) => allowed.get(room) ?? [], allowed.keys())).toEqual([])
  expect(circle((file) => imports.get(file) ?? [], files)).toEqual([])
})

test('nobody below run/ takes values of the config', () => {
  const above = new Set(['run', 'cli', 'browser', 'config', 'index.ts'])
  const takers = [...imports].filter(
    ([file, named]) => !above.has(roomOf(file)) && named.some((other) => roomOf(other) === 'config'),
  )
  expect(takers.map(([file]) => file)).toEqual([])
})

test.each([
  'model/flow.ts',
  'recipes/run-recipe.ts',
  'recipes/registry.ts',
  'device/webgpu/device.ts',
  'browser/index.ts',
])('src/%s is bundled for a browser without Node', async (entry) => {
  const { warnings, outputFiles } = await build({
    entryPoints: [join(src, entry)],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
  expect(warnings).toEqual([])
  expect(outputFiles[0].text).not.toMatch(/from\s*["']node:|require\(/)
})
