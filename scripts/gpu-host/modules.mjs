/**
 * Which npm packages, and which of their files, travel to a bare GPU host: what the library needs at run time, and what
 * the bench and the tests need. Types, maps, tests, other platforms' binaries and what only a build or a browser would
 * read stay behind. onnxruntime-node stays behind as well (its library alone is larger than all the rest): the bench says
 * so in one line.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Where the walk through the dependencies starts, in addition to the package's own run-time dependencies. */
const developmentRoots = [
  'benny',
  'csv-parse',
  'hyparquet',
  'hyparquet-compressors',
  'hyparquet-writer',
  'tsx',
  'vega',
  'vitest',
  'yaml',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-cpu',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-webgpu',
]

/** Packages that only a build or a style sheet asks for. */
const leftOut = [
  /^node-addon-api$/,
  /^node-api-headers$/,
  /^@types\//,
  /^@webgpu\/types$/,
  /^@oxc-project\/types$/,
  /^lightningcss/,
  /^fsevents$/,
]

/** Files that no program reads while it runs. */
const unread =
  /(\.(map|d\.[cm]?ts|flow|md|markdown|tsbuildinfo)|_test\.js|\.test\.js)$|^(test|tests|__tests__|docs?|man)\//i

/** Of these packages only the named files travel: the others hold the same thing again, in other forms. */
const only = {
  webgpu: /^(index\.js|package\.json|LICENSE.*|dist\/linux-x64\/.*)$/,
  // the program itself is the package of the platform
  esbuild: /^(package\.json|LICENSE\.md|lib\/main\.js)$/,
  // the operations one by one are what the bench takes the gradients from
  '@tensorflow/tfjs-core': /^(package\.json|LICENSE|dist\/(?!tf-core\.|miniprogram\/).*\.js|dist\/tf-core\.node\.js)$/,
  '@tensorflow/tfjs-backend-cpu': /^(package\.json|LICENSE|dist\/tf-backend-cpu\.node\.js)$/,
  '@tensorflow/tfjs-backend-wasm': /^(package\.json|LICENSE|dist\/tf-backend-wasm\.node\.js|dist\/.*\.wasm)$/,
  '@tensorflow/tfjs-backend-webgpu': /^(package\.json|LICENSE|dist\/tf-backend-webgpu\.node\.js)$/,
}

const read = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** The folder that `name` means to a module in `from`: the nearest node_modules on the way up. */
function resolvePackage(root, from, name) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (folder === root) return null
  }
}

/** Folders of all packages that are needed, without those nested in them. Throws where one is not installed. */
function packageFolders(root) {
  const own = read(root)
  const found = new Set()
  const visit = (from, name, optional) => {
    if (leftOut.some((pattern) => pattern.test(name))) return
    const folder = resolvePackage(root, from, name)
    if (!folder) {
      if (optional) return
      throw new Error(`the package '${name}' is not installed: run npm ci.`)
    }
    if (found.has(folder)) return
    found.add(folder)
    const { dependencies = {}, optionalDependencies = {} } = read(folder)
    for (const dependency of Object.keys(dependencies)) visit(folder, dependency, dependency in optionalDependencies)
    for (const dependency of Object.keys(optionalDependencies)) visit(folder, dependency, true)
  }
  for (const name of [...Object.keys(own.dependencies), 'webgpu', ...developmentRoots]) visit(root, name, false)
  return [...found].sort()
}

function* filesOf(folder, inside = '') {
  for (const entry of readdirSync(join(folder, inside), { withFileTypes: true })) {
    const path = inside ? `${inside}/${entry.name}` : entry.name
    // nested packages are folders of their own in the list
    if (entry.name === 'node_modules') continue
    if (entry.isDirectory()) yield* filesOf(folder, path)
    else if (entry.isFile()) yield path
  }
}

/** Paths, relative to `root`, of every file of node_modules that travels. */
export function moduleFiles(root) {
  return packageFolders(root).flatMap((folder) => {
    const wanted = only[read(folder).name]
    return [...filesOf(folder)]
      .filter((path) => (wanted ? wanted.test(path) && !unread.test(path) : !unread.test(path)))
      .map((path) => join(relative(root, folder), path))
  })
}
