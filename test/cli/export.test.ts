/** `lfm export`: a run as files for other programs, and what is refused; nothing is left where it is. */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { LocalFlow } from '../../src/index.js'
import { noise } from '../export/models.js'
import { built, engine, json, lfm, readText, workFolder } from './lfm.js'

const toy = `
data:  { kind: toy, name: moons, train: 500, test: 50, standardise: true }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 20 }
ode:   { steps: 2 }
device: ${engine}
`
const work = workFolder({ 'toy.yaml': toy, 'wide.yaml': toy.replace('[16]', '[32]') })
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

describe('to pytorch', () => {
  it('writes a folder that is loaded, exported and imported again', async () => {
    json(await lfm(['export', 'run', '--to', 'pytorch', '--out', 'torch', '--licence', 'MIT', '--json'], inWork))
    expect(readdirSync(join(work, 'torch')).sort()).toEqual([
      'config.json',
      'model.py',
      'subflow-1.safetensors',
      'subflow-2.safetensors',
    ])
    json(await lfm(['import', 'torch', '--out', 'again', '--json'], inWork))
    const [first, ...others] = await Promise.all(
      ['run', 'torch', 'again'].map(async (folder) => {
        await using flow = await LocalFlow.load(join(work, folder))
        return (await flow.sample(9)).values
      }),
    )
    expect(others).toEqual([first, first])
    // columns and scale have come along: rows of data are matched by name
    await lfm(['sample', 'again', '-n', '4', '-o', 'a.csv'], inWork)
    expect(readText(work, 'a.csv').split('\n')[0]).toBe('x,y')
    expect((await lfm(['score', 'again', 'a.csv', '-o', '-'], inWork)).code).toBe(0)
  })
})

describe('to hf', () => {
  it('writes a folder with a card that says what was measured, by how many evaluations', async () => {
    const { nll } = json<{ nll: number }>(await lfm(['evaluate', 'run', '--samples', '0', '--json'], inWork))
    json(await lfm(['export', 'run', '--to', 'hf', '--out', 'hub', '--licence', 'CC-BY-4.0', '--json'], inWork))
    expect(readdirSync(join(work, 'hub/onnx')).sort()).toEqual(['field-1.onnx', 'field-2.onnx', 'sampler.onnx'])
    const card = readText(work, 'hub/README.md')
    expect(card).toMatch(/^---\nlicense: cc-by-4\.0\nlibrary_name: local-flow-matching\n/)
    expect(card).toMatch(/\*\*Data:\*\* .*moons.*, 500 rows; columns x, y/)
    const measured = /\| negative log-likelihood, nats \| ([\d.]+) \| (\d+) \| 50 test rows, rk4/.exec(card)
    expect(Number(measured?.[1])).toBeCloseTo(nll, 2)
    expect(Number(measured?.[2])).toBe(16)

    await using flow = await LocalFlow.load(join(work, 'run'))
    await using loaded = await LocalFlow.load(join(work, 'hub'))
    expect((await loaded.sample(9)).values).toEqual((await flow.sample(9)).values)
    const z = noise(2 * 7)
    const { values } = await flow.decode({ values: z, shape: [7, 2] })
    expect(farthest(await sampled(join(work, 'hub/onnx/sampler.onnx'), z), Float32Array.from(values))).toBeLessThan(
      1e-4,
    )
  })

  it('names a file that was tampered with, whichever it is', async () => {
    const path = join(work, 'hub/onnx/field-2.onnx')
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1] ^= 1
    writeFileSync(path, bytes)
    await expect(LocalFlow.load(join(work, 'hub'))).rejects.toThrow(
      /onnx\/field-2\.onnx is damaged: its content is not what was written/,
    )
  })
})

describe('weights that PyTorch trained', () => {
  it('become a run by a config, one file for each sub-flow', async () => {
    await using flow = await LocalFlow.load(join(work, 'run'))
    const weights = ['torch/subflow-1.safetensors', 'torch/subflow-2.safetensors']
    const args = ['import', ...weights, '--config', 'toy.yaml', '--out', 'imported', '--json']
    expect(json(await lfm(args, inWork))).toEqual({
      out: 'imported',
      subFlows: 2,
      parameters: flow.field.parameterCount,
      rowShape: [2],
    })
    await using imported = await LocalFlow.load(join(work, 'imported'))
    expect((await imported.sample(9)).values).toEqual((await flow.sample(9)).values)
  })

  it.each<[string[], RegExp, number?]>([
    [['torch/subflow-1.safetensors'], /^lfm: --config must be given beside weights/, 2],
    [
      ['torch/subflow-1.safetensors', '--config', 'toy.yaml'],
      /has the networks of 1 sub-flows, but its options are of 2\./,
    ],
    [
      ['torch/subflow-1.safetensors', 'torch/subflow-2.safetensors', '--config', 'wide.yaml'],
      /^lfm: The checkpoint is of another architecture: net\.0\.weight should have the shape \[32, 3\], but has \[16, 3\]/,
    ],
    [['toy.yaml', 'toy.yaml', '--config', 'toy.yaml'], /^lfm: toy\.yaml is damaged or no safetensors file/],
    [
      ['nowhere.safetensors', '--config', 'toy.yaml'],
      /^lfm: nowhere\.safetensors cannot be read: there is no such file/,
    ],
    [['torch', '--config', 'toy.yaml'], /^lfm: A folder that was exported is imported alone, without --config/, 2],
    [['run'], /^lfm: run holds no exported model/],
    [['torch', '--out', 'run'], /^lfm: run already holds a run\./],
  ])('lfm import %j is refused', async (args, message, code = 1) => {
    const ended = await lfm(['import', '--out', 'never', ...args], inWork)
    expect(ended.stderr).toMatch(message)
    expect(ended.code).toBe(code)
    expect(existsSync(join(work, 'never'))).toBe(false)
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
    await refused(
      ['run', '--to', 'keras', '--out', 'new'],
      /'keras' is invalid\. Allowed choices are onnx, pytorch, hf/,
      2,
    )
  })

  it('a solver without a list of steps', async () => {
    await refused(
      ['run', '--to', 'onnx', '--out', 'new', '--solver', 'dopri5'],
      /^lfm: dopri5 finds its steps while it goes/,
    )
    expect(existsSync(join(work, 'new'))).toBe(false)
  })
})
