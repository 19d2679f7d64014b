/** `lfm export`: a run as files for other programs, and what is refused; nothing is left where it is. */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { LocalFlow } from '../../src/index.js'
import { noise } from '../export/models.js'
import { built, engine, json, lfm, workFolder } from './lfm.js'

const work = workFolder({
  'toy.yaml': `
data:  { kind: toy, name: moons, train: 500, test: 50, standardise: true }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 20 }
ode:   { steps: 2 }
device: ${engine}
`,
})
const inWork = { cwd: work }

beforeAll(async () => {
  built()
  json(await lfm(['train', 'toy.yaml', '--out', 'run', '--json'], inWork))
})

/** A sampler's values for z [n, 2]. */
async function sampled(path: string, z: Float32Array): Promise<Float32Array> {
  const session = await InferenceSession.create(path)
  const { samples } = await session.run({ noise: new Tensor('float32', z, [z.length / 2, 2]) })
  await session.release()
  return samples.data as Float32Array
}

const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

describe('to onnx', () => {
  it('writes files that compute what the run computes, by the solver asked for', async () => {
    const args = ['export', 'run', '--to', 'onnx', '--out', 'files', '--solver', 'ab2', '--evaluations', '6', '--json']
    const { files, bytes } = json<{ files: string[]; bytes: number }>(await lfm(args, inWork))
    expect(files).toEqual(['field-1.onnx', 'field-2.onnx', 'sampler.onnx'])
    expect(readdirSync(join(work, 'files')).sort()).toEqual(files)
    expect(files.reduce((sum, file) => sum + readFileSync(join(work, 'files', file)).length, 0)).toBe(bytes)

    await using flow = await LocalFlow.load(join(work, 'run'))
    const z = noise(2 * 7)
    const { values } = await flow.decode({ values: z, shape: [7, 2] }, { solver: 'ab2', evaluations: 6 })
    const got = await sampled(join(work, 'files/sampler.onnx'), z)
    expect(farthest(got, Float32Array.from(values))).toBeLessThan(1e-4)

    await flow.export({ to: 'onnx', out: join(work, 'by-program'), solver: 'ab2', evaluations: 6 })
    expect(readFileSync(join(work, 'by-program/sampler.onnx'))).toEqual(readFileSync(join(work, 'files/sampler.onnx')))
  })
})

describe('what is refused', () => {
  const refused = async (args: string[], message: RegExp, code = 1): Promise<void> => {
    const before = readdirSync(work)
    const ended = await lfm(['export', ...args], inWork)
    expect(ended.stderr).toMatch(message)
    expect(ended.code).toBe(code)
    expect(readdirSync(work)).toEqual(before)
  }

  it('a run that is not finished', async () => {
    cpSync(join(work, 'run'), join(work, 'half'), { recursive: true })
    const path = join(work, 'half/manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    manifest.progress = { subFlow: 2, step: 5, phase: 'train' }
    manifest.extra.scales.pop()
    writeFileSync(path, JSON.stringify(manifest))
    await refused(
      ['half', '--to', 'onnx', '--out', 'new'],
      /^lfm: The run in half is not finished: it stands at step 5 of sub-flow 2 of 2\..*--resume/,
    )
  })

  it('a folder that is there, which stays as it is', async () => {
    mkdirSync(join(work, 'mine'))
    writeFileSync(join(work, 'mine/notes.txt'), 'mine')
    await refused(
      ['run', '--to', 'onnx', '--out', 'mine/'],
      /^lfm: mine\/ is there already, and nothing in it was changed/,
    )
    expect(readFileSync(join(work, 'mine/notes.txt'), 'utf8')).toBe('mine')
  })

  it('a folder that cannot be made', async () => {
    await refused(
      ['run', '--to', 'onnx', '--out', 'toy.yaml/new'],
      /^lfm: toy\.yaml\/new cannot be written: a part of its path is no folder\./,
    )
  })

  it('a form that is not there', async () => {
    await refused(['run', '--to', 'keras', '--out', 'new'], /'keras' is invalid\. Allowed choices are onnx/, 2)
  })

  it('a solver without a list of steps', async () => {
    await refused(
      ['run', '--to', 'onnx', '--out', 'new', '--solver', 'dopri5'],
      /^lfm: dopri5 finds its steps while it goes/,
    )
    expect(existsSync(join(work, 'new'))).toBe(false)
  })
})
