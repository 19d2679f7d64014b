/**
 * The package's install script: makes sure that the native engine is there. Where an addon loads (prebuilt, or built
 * before) nothing is done; else it is built, and where that fails one paragraph says so and the installation goes on:
 * the reference device then serves. LFM_REQUIRE_NATIVE=1 makes a failure an error, LFM_SKIP_NATIVE=1 skips it all.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { buildAddon } from './build-addon.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Whether an addon loads, asked of a fresh process: one that does not fit the machine could end this one. */
const loads = (path) =>
  existsSync(path) &&
  spawnSync(process.execPath, ['-e', 'require(process.argv[1]).info()', path], { stdio: 'ignore' }).status === 0

function install() {
  const places = [
    join(root, 'build', 'Release', 'lfm.node'),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'lfm.node'),
  ]
  if (places.some(loads)) return
  const built = buildAddon()
  if (!loads(built)) throw new Error(`${built} was built but does not load`)
}

if (process.env.LFM_SKIP_NATIVE !== '1') {
  try {
    install()
  } catch (error) {
    console.error(
      `local-flow-matching: the native engine could not be built for ${process.platform}-${process.arch} ` +
        `(${error.message.trim().replace(/\.$/, '')}). The package works without it: WebGPU where there is a GPU, else the ` +
        'reference device, which is slow. To have it, install a C++17 compiler and CMake or Python 3, then run ' +
        `"npm rebuild local-flow-matching" (in a clone: "node scripts/build-addon.mjs").`,
    )
    if (process.env.LFM_REQUIRE_NATIVE === '1') process.exitCode = 1
  }
}
