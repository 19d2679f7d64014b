/**
 * Fetches the table of examples/birdstrikes.yaml: `node scripts/fetch-birdstrikes.mjs [FOLDER]`, by default data/ of the clone. Where
 * the package is installed in a project it is data/ of the folder that the command is given in, as with MNIST
 * (fetch-mnist.mjs). The file is of the npm package `vega-datasets`, which is no dependency: npm brings it into a folder of its own
 * that is removed again. It holds 10 000 strikes of birds on aircraft that were reported to the FAA, a work of the United States'
 * government, and is not part of this project.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const name = 'birdstrikes.csv'
const root = fileURLToPath(new URL('..', import.meta.url))
const installed = /[\\/]node_modules[\\/]/.test(root)
const folder = resolve(process.argv[2] ?? join(installed ? process.cwd() : root, 'data'))
const path = join(folder, name)

if (existsSync(path)) {
  console.log(`${path} is there.`)
} else {
  const work = mkdtempSync(join(tmpdir(), 'lfm-birdstrikes-'))
  try {
    const { status } = spawnSync(
      'npm',
      ['install', '--prefix', '.', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', 'vega-datasets@3.2.1'],
      { stdio: ['ignore', 'ignore', 'inherit'], cwd: work, shell: process.platform === 'win32' },
    )
    if (status !== 0) throw new Error('npm could not fetch vega-datasets; is there a network or a registry?')
    mkdirSync(folder, { recursive: true })
    copyFileSync(join(work, 'node_modules', 'vega-datasets', 'data', name), path)
    console.log(`The table is ${path}.`)
    if (installed && !process.argv[2]) {
      console.log(`For an example: mkdir -p examples && cp ${join(root, 'examples', 'birdstrikes.yaml')} examples/`)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
