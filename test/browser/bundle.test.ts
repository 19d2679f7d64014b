/** The package for browsers as a file: what it weighs, and what a minifier may not take from it. */

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { bundleForBrowser } from '../../scripts/build-browser.mjs'

const work = mkdtempSync(join(tmpdir(), 'lfm-bundle-'))
afterAll(() => rmSync(work, { recursive: true }))
const src = (path: string): string => new URL(`../../src/${path}`, import.meta.url).pathname

/** A file of src/ as a browser gets it. */
async function bundled(path: string): Promise<{ module: Record<string, unknown>; bytes: number }> {
  const outfile = join(work, `${path.replaceAll('/', '-')}.mjs`)
  await bundleForBrowser(src(path), { outfile })
  return { module: await import(pathToFileURL(outfile).href), bytes: statSync(outfile).size }
}

it('weighs at most 490 KB, shaders included', async () => {
  const { module, bytes } = await bundled('browser/index.ts')
  expect(module).toHaveProperty('LocalFlow')
  expect(bytes).toBeLessThan(490_000)
})

it('errors keep their names where classes have lost theirs', async () => {
  const { module } = await bundled('errors.ts')
  const base = module.LocalFlowError as new (message: string) => Error
  const classes = Object.entries(module).filter(
    (entry): entry is [string, typeof base] => entry[1] === base || (entry[1] as typeof base).prototype instanceof base,
  )
  expect(classes.length).toBeGreaterThan(8)
  for (const [name, Class] of classes) {
    expect(Class.name).not.toBe(name)
    expect(new Class('wrong').name).toBe(name)
  }
})

it('holds every shader, without comments', async () => {
  const { module } = await bundled('browser/shaders.ts')
  const readShader = module.readShader as (path: string) => Promise<string>
  const numeric = await readShader('include/numeric.wgsl')
  expect(numeric).toMatch(/^fn is_finite\(x: f32\) -> bool \{\n/)
  expect(numeric).not.toContain('//')
  await expect(readShader('no.wgsl')).rejects.toThrow('There is no shader no.wgsl')
})
