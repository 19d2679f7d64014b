/**
 * Fetches a file of the npm package `vega-datasets`, which is no dependency: npm brings it into a folder of its own that is removed
 * again. It goes into data/ of the clone; where the package is installed in a project, into data/ of the folder that the command is
 * given in, as with MNIST (fetch-mnist.mjs).
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * @param {string} name of the file
 * @param {string} example the config in examples/ that learns from it
 * @param {string | undefined} into a folder; default data/
 */
export function fetchTable(name, example, into) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const installed = /[\\/]node_modules[\\/]/.test(root)
  const folder = resolve(into ?? join(installed ? process.cwd() : root, 'data'))
  const path = join(folder, name)
  if (existsSync(path)) {
    console.log(`${path} is there.`)
    return
  }
  const work = mkdtempSync(join(tmpdir(), 'lfm-vega-datasets-'))
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
    if (installed && !into) {
      console.log(`For an example: mkdir -p examples && cp ${join(root, 'examples', example)} examples/`)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
