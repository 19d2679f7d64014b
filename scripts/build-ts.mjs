/**
 * Compiles src/ into a fresh dist/ and marks the command line as executable. A file that src/ no longer has must not
 * stay in dist/, so the folder is made anew. The package for browsers goes into one file as well (build-browser.mjs). Vega goes into one file, dist/plot/vega.js: as packages it is 60 with 17
 * programs, of which nobody who installs this one has any use.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildBrowser } from './build-browser.mjs'
import { bundledLicences } from './bundled-licences.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')

async function bundleVega() {
  const { metafile } = await build({
    entryPoints: [join(root, 'src', 'plot', 'vega.ts')],
    outfile: join(dist, 'plot', 'vega.js'),
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    metafile: true,
    legalComments: 'none',
    // asked for where it is installed, to measure text; Vega estimates it without
    external: ['canvas'],
    logLevel: 'error',
  })
  writeFileSync(join(dist, 'plot', 'vega.LICENSES.txt'), bundledLicences(Object.keys(metafile.inputs)))
}

const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
rmSync(dist, { recursive: true, force: true })
const tsc = join(dirname(manifest), 'bin', 'tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (existsSync(join(dist, 'cli', 'main.js'))) chmodSync(join(dist, 'cli', 'main.js'), 0o755)
if (status === 0) {
  await bundleVega()
  writeFileSync(join(dist, 'browser', 'index.LICENSES.txt'), bundledLicences(await buildBrowser()))
}
process.exitCode = status ?? 1
