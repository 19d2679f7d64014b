/**
 * The package as a stranger's project meets it: its types compile by themselves, with every library file checked and without
 * those of Node; CommonJS loads it; esbuild leaves it outside a bundle, where it finds its shaders and its engine.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { built, engine } from '../cli/lfm.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'lfm-stranger-'))
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

beforeAll(() => {
  built()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/local-flow-matching'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, 'program.ts'),
    `import { type Config, data, LocalFlow, metrics, openDevice } from 'local-flow-matching'
import { matMul, tensor, zeros } from 'local-flow-matching/kernels'

export const config: Config = {
  data: { kind: 'csv', path: 'points.csv' },
  model: { activation: 'softplus20' },
  flow: { gammas: [0.1, null], interpolant: 'trig', time: { beta: [2, 1] } },
}
export async function samples(): Promise<ArrayLike<number>> {
  const x = { values: data.toy('moons').sample(200, 1), shape: [200, 2] }
  await using flow = await LocalFlow.train(x, { train: { steps: 2, batch: 100 }, device: 'reference' })
  const { values } = await flow.sample(10)
  return metrics.slicedWasserstein(values, values, 2) === 0 ? values : x.values
}
export async function product(): Promise<unknown> {
  const device = await openDevice('native')
  using a = tensor(device, [1, 2, 3, 4], [2, 2])
  using b = zeros(device, [2, 2])
  return (await matMul(a, b)).read()
}
`,
  )
  writeFileSync(
    join(folder, 'page.ts'),
    `import { LocalFlow } from 'local-flow-matching/browser'
export const loaded = (): Promise<LocalFlow> => LocalFlow.load('runs/demo')
`,
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('types compile with skipLibCheck off', () => {
  const [program, page] = ['program.ts', 'page.ts']
  // without Node's types, a signal to abort is the DOM's
  test.each<[string, string[], object]>([
    ['for Node’s own modules', [program, page], { module: 'nodenext', lib: ['es2022', 'dom'] }],
    ['for a bundler', [program, page], { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'] }],
    [
      'with the types of Node and no DOM',
      [program],
      { module: 'nodenext', lib: ['es2022'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
    ],
  ])('%s', (_, files, options) => {
    const strict = { target: 'es2022', types: [], strict: true, skipLibCheck: false }
    const compilerOptions = { ...strict, noEmit: true, preserveSymlinks: true, ...options }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})

test('CommonJS loads it by require', () => {
  const program = `const { LocalFlow } = require('local-flow-matching')
const { tensor } = require('local-flow-matching/kernels')
console.log(typeof LocalFlow.train, typeof tensor)`
  writeFileSync(join(folder, 'program.cjs'), program)
  expect(execFileSync(process.execPath, [join(folder, 'program.cjs')], { encoding: 'utf8', stdio: 'pipe' })).toBe(
    'function function\n',
  )
})

const kernelProgram = `import { matMul, openDevice, tensor } from 'local-flow-matching/kernels'
const device = await openDevice(process.argv[2])
const a = tensor(device, [1, 2, 3, 4], [2, 2])
console.log([...(await (await matMul(a, a)).read())].join())
await device.dispose()`
const flowProgram = `import { LocalFlow } from 'local-flow-matching'
await LocalFlow.load('nowhere')`

describe('esbuild', () => {
  async function bundle(program: string, external: string[]): Promise<string> {
    const [entry, outfile] = [join(folder, 'entry.js'), join(folder, 'bundle.mjs')]
    writeFileSync(entry, program)
    // packages in CommonJS ask for Node's modules by require
    const banner = {
      js: "import { createRequire as from } from 'node:module'; globalThis.require = from(import.meta.url)",
    }
    const node = { platform: 'node', format: 'esm', logLevel: 'error', banner } as const
    await build({ ...node, entryPoints: [entry], outfile, bundle: true, external })
    return outfile
  }

  test.each(['reference', engine])('bundles a program that leaves the package outside: %s', async (kind) => {
    const outfile = await bundle(kernelProgram, ['local-flow-matching'])
    const ran = spawnSync(process.execPath, [outfile, kind], { cwd: folder, encoding: 'utf8' })
    expect(ran.stderr).toBe('')
    expect(ran.stdout).toBe('7,10,15,22\n')
  })

  test.each([
    ['kernels', kernelProgram],
    ['flows', flowProgram],
  ])('%s inside a bundle say that they were taken from their folder', async (_, program) => {
    // what has no JavaScript of its own to bundle, and what is only there where it was installed
    const outfile = await bundle(program, [
      'webgpu',
      'sharp',
      '@resvg/resvg-js',
      'onnxruntime-node',
      'h5wasm',
      'canvas',
    ])
    const ran = spawnSync(process.execPath, [outfile, 'native'], { cwd: folder, encoding: 'utf8' })
    expect(ran.status).toBe(1)
    expect(ran.stderr).toContain("external: ['local-flow-matching']")
  })
})
