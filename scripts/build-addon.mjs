/**
 * Builds the native engine into build/Release/lfm.node: with cmake-js where CMake is found, else with node-gyp, which
 * comes with npm. Needs a C++17 compiler (g++ or clang) and no network: headers come from node-api-headers.
 *
 *     node scripts/build-addon.mjs [--static-runtime] [--out build] [--gyp]
 *
 * --static-runtime links the C++ runtime into the addon and strips it (for prebuilt files); --gyp takes node-gyp even
 * where CMake is there.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { prepareBuildFolder, recordBuild, sourcesOf } from './build-folder.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(join(root, 'package.json'))

const found = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

const resolved = (request) => {
  try {
    return require.resolve(request)
  } catch {
    return null
  }
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options })
  if (error) throw error
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} ended with status ${status}.`)
}

function buildWithCMake(cmakeJs, { staticRuntime, out }) {
  const folder = resolve(root, out)
  const other = prepareBuildFolder(root, folder)
  if (other !== null) console.log(`${folder} was made for the sources in ${other}. It is built anew.`)
  const sources = sourcesOf(root)
  const includes = [require('node-addon-api').include_dir, require('node-api-headers').include_dir].map((folder) =>
    // CMake reads a backslash as the beginning of something else
    folder.replaceAll('\\', '/'),
  )
  run(process.execPath, [
    cmakeJs,
    'compile',
    '--out',
    out,
    `--CDLFM_NODE_API_INCLUDES=${includes.join(';').replaceAll('"', '')}`,
    `--CDLFM_STATIC_RUNTIME=${staticRuntime ? 'ON' : 'OFF'}`,
  ])
  recordBuild(folder, sources)
}

/** npm names its own node-gyp to install scripts; outside of them it lies in npm's folder beside the running Node. */
function nodeGyp() {
  const candidates = [
    process.env.npm_config_node_gyp,
    resolved('node-gyp/bin/node-gyp.js'),
    ...['lib/node_modules', 'node_modules'].map((folder) =>
      join(dirname(dirname(process.execPath)), folder, 'npm/node_modules/node-gyp/bin/node-gyp.js'),
    ),
  ]
  const path = candidates.find((candidate) => candidate && existsSync(candidate))
  if (!path) throw new Error('neither cmake with cmake-js nor node-gyp was found')
  return path
}

function buildWithGyp() {
  // node-gyp would download Node's headers; the Node-API ones from npm are all that the addon includes
  const prefix = dirname(dirname(process.execPath))
  const local = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
  run(process.execPath, [nodeGyp(), 'rebuild', ...local])
}

/** Builds the addon and returns its path. Throws an Error whose message says which command failed. */
export function buildAddon({ staticRuntime = false, out = 'build', gyp = false } = {}) {
  // without "binary": { "napi_versions": [8] } in package.json cmake-js would download all of Node's headers
  const offline = require('./package.json').binary?.napi_versions !== undefined
  const cmakeJs = gyp || !offline ? null : resolved('cmake-js/bin/cmake-js')
  if (cmakeJs && found('cmake')) buildWithCMake(cmakeJs, { staticRuntime, out })
  else buildWithGyp()
  const built = resolve(root, out, 'Release', 'lfm.node')
  if (!existsSync(built)) throw new Error(`the build ended, but ${built} is not there.`)
  return built
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { argv } = process
  const out = argv.includes('--out') ? argv[argv.indexOf('--out') + 1] : 'build'
  const path = buildAddon({ staticRuntime: argv.includes('--static-runtime'), gyp: argv.includes('--gyp'), out })
  console.log(`The native engine is built: ${path}`)
}
