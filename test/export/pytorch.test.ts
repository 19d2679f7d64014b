/** Models for PyTorch: what model.py computes from an exported folder is what the library computes, and the way back. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { diskReader } from '../../src/export/disk.js'
import type { ExportedCondition, ExportedModel, ExportOptions } from '../../src/export/exporter.js'
import { readFolder as readFrom, subFlowName } from '../../src/export/folder.js'
import { fromOfficial, officialTensors } from '../../src/export/weights.js'
import { writeExport } from '../../src/export/write.js'
import { decodeSafetensors } from '../../src/files/safetensors.js'
import type { ConditionOptions } from '../../src/model/condition.js'
import type { NamedTensor } from '../../src/networks/network.js'
import { networkFor } from '../../src/networks/registry.js'
import {
  choicesModel,
  classes,
  columns,
  decoded,
  farthest,
  modelOf,
  noise,
  parametersOf,
  rk4,
  rowLength,
  sequenceModel,
  studentOf,
  velocity,
} from './models.js'
import { askPython, pythonWith } from './python.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-pytorch-'))
afterAll(() => rmSync(work, { recursive: true }))

const TOLERANCE = 1e-4

const readFolder = (folder: string) => readFrom(diskReader(folder), folder)

let folders = 0
async function exported(model: ExportedModel, options: ExportOptions = {}): Promise<string> {
  const folder = join(work, `model-${folders++}`)
  await writeExport(model, 'pytorch', folder, options)
  return folder
}

const table = { hidden: [9, 7], activation: 'softplus20' }
const scaler = { mean: [100, -3, 0.5], std: [20, 0.01, 1] }
const unet = { kind: 'unet', width: 8, multipliers: [1, 2], depth: 1, attention: [2], headChannels: 4, groups: 4 }
const unetOf = (changes: object, condition: ExportedCondition | null = null): ExportedModel =>
  modelOf({ ...unet, ...changes }, [2, 4, 4], {
    gammas: [null],
    sample: { ...rk4, solver: 'midpoint', steps: 2 },
    condition,
  })

describe('the names of parameters', () => {
  it('of an MLP are those of the official code', () => {
    const { network, stages } = modelOf(table, [3])
    expect(officialTensors(network, 'mlp', stages[0]).map(({ name, shape }) => [name, shape])).toEqual([
      ['net.0.weight', [9, 4]],
      ['net.0.bias', [9]],
      ['net.1.weight', [7, 9]],
      ['net.1.bias', [7]],
      ['net.2.weight', [3, 7]],
      ['net.2.bias', [3]],
    ])
  })

  it.each<[string, ExportedModel]>([
    ['an MLP', modelOf(table, [3])],
    ['a UNet', unetOf({})],
    ['a UNet of sequences', sequenceModel(null)],
  ])('of %s lead back to its parameters, an output scale multiplied in', async (_, model) => {
    const { network, section, stages } = model
    const [stage] = stages
    const tensors = (outputScale: number) => officialTensors(network, section.kind, { ...stage, outputScale })
    expect(fromOfficial(network, section.kind, tensors(1))).toEqual(stage.parameters)
    const parameters = fromOfficial(network, section.kind, tensors(1.5))
    const x = noise(2 * network.dimension)
    const t = Float32Array.of(0.2, 0.9)
    const scaled = await velocity(model, { ...stage, outputScale: 1.5 }, x, t)
    expect(farthest(await velocity(model, { ...stage, parameters, outputScale: 1 }, x, t), scaled)).toBeLessThan(1e-5)
  })
})

describe('a folder', () => {
  it('is read again as what it was written from', async () => {
    const model = { ...modelOf(table, [3], { scaler }), columns: ['a', 'b', 'c'] }
    const folder = await exported(model, { licence: 'MIT' })
    const { subFlows, ...read } = await readFolder(folder)
    const { rowShape, rowKind, columns, raw } = model
    expect(read).toEqual({ rowShape, rowKind, columns, raw, scaler, condition: null, encoding: null })
    expect(subFlows.map((tensors) => [...tensors.keys()].length)).toEqual([6, 6])
    const { metadata } = decodeSafetensors(readFileSync(join(folder, subFlowName(1))))
    expect(metadata).toEqual({ format: 'pt', sub_flow: '2 of 2, 1 at the data', licence: 'MIT' })
  })

  it.each([columns, classes])('keeps what a model is told: $kind', async (condition) => {
    const model = modelOf(table, [3], { condition })
    const folder = await exported(model)
    const read = await readFolder(folder)
    expect(read.condition).toEqual(condition)
    const [tensors] = read.subFlows
    const named = [...tensors].map(([name, tensor]) => ({ name, ...tensor })) as NamedTensor[]
    expect(fromOfficial(model.network, 'mlp', named)).toEqual(model.stages[0].parameters)
    // a folder of before there were conditions does not speak of one
    const path = join(folder, 'config.json')
    const { condition: _, ...config } = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify(config))
    expect((await readFolder(folder)).condition).toBe(null)
  })

  const tampered = async (file: string, change: (bytes: Buffer) => Buffer): Promise<string> => {
    const folder = await exported(modelOf(table, [3]))
    const path = join(folder, file)
    writeFileSync(path, change(readFileSync(path)))
    return folder
  }
  const flipped = (bytes: Buffer): Buffer => {
    bytes[bytes.length - 2] ^= 1
    return bytes
  }
  const edited =
    (from: string | RegExp, to: string) =>
    (bytes: Buffer): Buffer =>
      Buffer.from(bytes.toString().replace(from, to))

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['subflow-2.safetensors', flipped, /subflow-2\.safetensors is damaged: its content is not what was written/],
    ['model.py', flipped, /model\.py is damaged: its content is not what was written/],
    [
      'subflow-1.safetensors',
      (bytes) => bytes.subarray(9),
      /subflow-1\.safetensors is damaged: it has \d+ bytes, but \d+/,
    ],
    ['subflow-1.safetensors', (bytes) => Buffer.concat([bytes, bytes]), /it has more bytes, but \d+ were written/],
    ['config.json', edited('"format": 1', '"format": 9'), /was written by a newer version .*\(format 9;/],
    ['config.json', edited('local-flow-matching', 'diffusers'), /holds no model of local-flow-matching/],
    [
      'config.json',
      edited('"subflow-1.safetensors"', '"../subflow-1.safetensors"'),
      /config\.json is damaged: sub_flows\.0\.file/,
    ],
    ['config.json', edited('"row_shape": [', '"row_shape": [0,'), /config\.json is damaged: row_shape\.0/],
    [
      'config.json',
      edited('"condition": null', '"condition": { "kind": "classes", "classes": [1, 1], "dropout": 0 }'),
      /config\.json is damaged: condition: its columns or classes do not fit together/,
    ],
    ['config.json', (bytes) => bytes.subarray(9), /config\.json is damaged: it is no JSON/],
  ])('in which %s was changed is refused (%#)', async (file, change, message) => {
    await expect(readFolder(await tampered(file, change))).rejects.toThrow(message)
  })

  it('without what only Python needs is read', async () => {
    const folder = await exported(modelOf(table, [3]))
    rmSync(join(folder, 'model.py'))
    expect((await readFolder(folder)).subFlows).toHaveLength(2)
    rmSync(join(folder, 'subflow-1.safetensors'))
    await expect(readFolder(folder)).rejects.toThrow(/subflow-1\.safetensors cannot be read: there is no such file/)
  })
})

const python = pythonWith('torch', 'python3-torch', 'models in PyTorch')

describe.skipIf(!python)('in PyTorch', () => {
  const program = `
import json, sys, torch
sys.path.insert(0, sys.argv[1])
from model import LocalFlow
flow = LocalFlow(sys.argv[1])
given = json.load(open(sys.argv[2]))
z = torch.tensor(given["z"]).reshape(given["shape"])
extra = given["extra"] and torch.tensor(given["extra"]).reshape(len(z), -1)
v = flow.sub_flows[0](torch.tensor(given["t"]), z.reshape(len(z), -1), extra)
told = given["told"]
print(json.dumps({
  "samples": flow.decode(z, **told).flatten().tolist(),
  "v": v.flatten().tolist(),
  "drawn": list(flow.sample(3, **told).shape),
}))
`
  /** The same under Python's names: class is a word of its own. */
  const inPython = ({ cond, class: labels }: ConditionOptions, extra: object): object => ({
    ...(cond !== undefined && { cond }),
    ...(labels !== undefined && { labels }),
    ...extra,
  })

  /** @param here options that Python is given in place of the exported ones */
  async function agrees(
    model: ExportedModel,
    options: ExportOptions = {},
    told: ConditionOptions = {},
    here: Pick<ExportOptions, 'guidance'> = {},
  ): Promise<void> {
    const folder = await exported(model, options)
    const z = noise(3 * rowLength(model.rowShape))
    const t = Float32Array.of(0, 0.3, 1)
    const given = join(work, 'given.json')
    // what the network of the first sub-flow takes beside time and rows, whatever it is
    const { condition } = model.network
    const extra = condition > 0 ? noise(3 * condition, 9) : undefined
    const asked = { z: [...z], shape: [3, ...model.rowShape], t: [...t], extra: extra ? [...extra] : null }
    writeFileSync(given, JSON.stringify({ ...asked, told: inPython(told, here) }))
    const { samples, v, drawn } = askPython(python!, program, [folder, given])
    expect(farthest(Float32Array.from(samples), await decoded(model, z, { ...options, ...here }, told))).toBeLessThan(
      TOLERANCE,
    )
    // what a network gives is not yet a velocity where it is logits
    const { segments: _, ...logits } = model
    expect(farthest(Float32Array.from(v), await velocity(logits, model.stages[0], z, t, extra))).toBeLessThan(TOLERANCE)
    expect(drawn).toEqual([3, ...model.rowShape])
  }

  it('an MLP, and a chain by two-step Adams–Bashforth in the chain’s angle', async () => {
    await agrees(modelOf(table, [3], { scaler }), { solver: 'ab2', clock: 'angle', evaluations: 8 })
  })

  it('an MLP with all its options', async () => {
    await agrees(
      modelOf({ ...table, activation: 'gelu', time: 'every', fourier: [1, 2.5] }, [3], { gammas: [0.1, 0.3, null] }),
    )
  })

  it.each(['map', 'terminal', 'average'] as const)('students of the kind %s', async (kind) => {
    await agrees(studentOf(kind))
  })

  it('an average velocity by as many jumps as are asked for', async () => {
    await agrees(studentOf('average'), { evaluations: 5 })
  })

  it('a UNet that takes a second time', async () => {
    const model = unetOf({ width: 9, groups: 3, headChannels: 9 })
    const network = networkFor(model.section, model.rowShape, { secondTime: true })
    const stage = { parameters: parametersOf(network, 4), outputScale: 1, gamma: null, angle: null }
    await agrees({ ...model, network, stages: [{ ...stage, jump: { kind: 'average' } }], jumps: 2 })
  })

  const rows = {
    cond: [
      [260, -0.012],
      [300, -0.01],
      [310, -0.013],
    ],
  }
  it('networks that give logits of choices, told nothing or under guidance', async () => {
    await agrees(choicesModel(), { solver: 'ab2', evaluations: 9 })
    await agrees(choicesModel(classes), { guidance: 2 }, { class: [8, 3, 5] })
  })

  it('a model that is told columns, with guidance exported or asked for, and without', async () => {
    const model = modelOf({ ...table, fourier: [2] }, [3], { condition: columns })
    await agrees(model, {}, rows)
    await agrees(modelOf({ ...table, conditionAt: 'every' }, [3], { condition: columns }), { guidance: 2 }, rows)
    await agrees(model, { guidance: [2, 0.5] }, { cond: [300, -0.011] })
    await agrees(model, { guidance: 2 }, rows, { guidance: 1.5 })
    await agrees(model, { guidance: 0 })
    await agrees(modelOf(table, [3], { condition: { ...columns, dropout: 0 } }), {}, rows)
  })

  it('a model that is told classes, of an MLP and of a UNet', async () => {
    await agrees(modelOf(table, [3], { condition: classes }), { guidance: 2 }, { class: [8, 3, 5] })
    await agrees(unetOf({}, classes), { guidance: 2 }, { class: 5 })
  })

  it.each<[string, object, string]>([
    ['no condition', {}, 'This model is told a condition: give labels.'],
    ['another class', { labels: 4 }, 'The classes are [3, 5, 8].'],
    ['columns', { cond: [1, 2] }, 'This model is told nothing of that kind.'],
  ])('a model of classes refuses %s', async (_, told, message) => {
    const folder = await exported(modelOf(table, [3], { condition: classes }))
    const asked = `import json, sys
sys.path.insert(0, sys.argv[1])
from model import LocalFlow
try:
    LocalFlow(sys.argv[1]).sample(2, **json.loads(sys.argv[2]))
except ValueError as error:
    print(json.dumps(str(error)))`
    expect(askPython(python!, asked, [folder, JSON.stringify(told)])).toBe(message)
  })

  it.each([
    [{}],
    [{ scaleShift: true, width: 9, groups: 3, headChannels: 9 }],
    [{ residualResampling: true, depth: 2 }],
  ])('a UNet with %j', async (changes) => {
    await agrees(unetOf(changes))
  })

  it('a UNet of sequences, told columns', async () => {
    await agrees(sequenceModel(columns), { guidance: 2 }, rows)
  })
})

it('a solver that finds its steps while it goes is refused', async () => {
  await expect(exported(modelOf(table, [3]), { solver: 'dopri5' })).rejects.toThrow(
    /^dopri5 finds its steps while it goes/,
  )
})
