/**
 * Compiles src/ into a fresh dist/ and marks the command line as executable. A file that src/ no longer has must not
 * stay in dist/, so the folder is made anew. The package for browsers goes into one file as well (build-browser.mjs).
 *
 * Some packages go into dist/ as one file each, so that who installs this one has what is used of them and no more: Vega is 60
 * packages with 17 programs, yaml 230 files; of hyparquet and its kin a sixth is used. Declarations
 * that no entry of the package leads to are taken away again: three of five, some in the words of those packages.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildBrowser } from './build-browser.mjs'
import { bundledLicences } from './bundled-licences.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')

/** Files of src/ that hold what is used of packages, and for what. */
const bundled = {
  'plot/vega': 'node',
  'data/tables/parquet': 'node',
  // for Node it is CommonJS, which asks for Node's modules by require; the other form is the same code
  'files/yaml': 'neutral',
}

async function bundle(name, platform) {
  const { metafile } = await build({
    entryPoints: [join(root, 'src', `${name}.ts`)],
    outfile: join(dist, `${name}.js`),
    absWorkingDir: root,
    bundle: true,
    platform,
    format: 'esm',
    target: 'node20',
    minify: true,
    metafile: true,
    legalComments: 'none',
    // asked for where it is installed, to measure text; Vega estimates it without
    external: ['canvas'],
    logLevel: 'error',
  })
  writeFileSync(join(dist, `${name}.LICENSES.txt`), bundledLicences(Object.keys(metafile.inputs)))
}

/** Takes away the declarations that no entry of package.json leads to. */
function pruneDeclarations() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const reached = new Set()
  const open = Object.values(exports).flatMap(({ types }) => (types ? [join(root, types)] : []))
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const [, from] of readFileSync(path, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
      open.push(join(dirname(path), `${from}.d.ts`))
    }
  }
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const path = join(dist, name)
    if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(path)
  }
}

const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
rmSync(dist, { recursive: true, force: true })
const tsc = join(dirname(manifest), 'bin', 'tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (existsSync(join(dist, 'cli', 'main.js'))) chmodSync(join(dist, 'cli', 'main.js'), 0o755)
if (status === 0) {
  for (const [name, platform] of Object.entries(bundled)) await bundle(name, platform)
  writeFileSync(join(dist, 'browser', 'index.LICENSES.txt'), bundledLicences(await buildBrowser()))
  pruneDeclarations()
}
process.exitCode = status ?? 1
