/** ONNX files of models: what runtimes compute from them is what the library computes. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as node from 'onnxruntime-node'
import * as web from 'onnxruntime-web'
import { afterAll, describe, expect, it } from 'vitest'
import type { ExportedCondition, ExportedModel, ExportOptions } from '../../src/export/exporter.js'
import { onnx } from '../../src/export/onnx/onnx.js'
import { integer, message } from '../../src/export/onnx/protobuf.js'
import { rademacher } from '../../src/kernels/rademacher.js'
import { type Condition, type ConditionOptions, conditionRows } from '../../src/model/condition.js'
import { modelSchema, networkFor, resolveModel } from '../../src/networks/registry.js'
import { fixedStepSolvers } from '../../src/ode/methods.js'
import {
  choicesModel,
  classes,
  columns,
  decoded,
  farthest,
  modelOf,
  noise,
  rk4,
  rowLength,
  sequenceModel,
  studentOf,
  velocity,
} from './models.js'
import { askPython, pythonWith } from './python.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-export-'))
afterAll(() => rmSync(work, { recursive: true }))

/** The greatest difference to the library's own numbers, in units of their size where that is above 1. */
const TOLERANCE = 1e-4

async function filesOf(model: ExportedModel, options: ExportOptions = {}): Promise<Map<string, Buffer>> {
  const files = await onnx(model, options)
  return new Map(files.map(({ path, content }) => [path, Buffer.concat([...(content as Iterable<Uint8Array>)])]))
}

type Runtime = typeof node | typeof web
/** One run of a file, inputs by name with their shapes. */
async function run(
  { InferenceSession, Tensor }: Runtime,
  file: Buffer,
  inputs: Record<string, [Float32Array | BigInt64Array, readonly number[]]>,
  output: string,
): Promise<{ values: Float32Array; shape: readonly number[] }> {
  const session = await InferenceSession.create(new Uint8Array(file), { logSeverityLevel: 4 } as object)
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, [values, shape]]) => [
      name,
      values instanceof BigInt64Array ? new Tensor('int64', values, shape) : new Tensor('float32', values, shape),
    ]),
  )
  const { [output]: result } = await session.run(feeds as never)
  await session.release()
  return { values: result.data as Float32Array, shape: result.dims }
}

/** A condition as inputs of a graph. */
function inputsOf({ cond, class: label }: ConditionOptions): Record<string, [Float32Array | BigInt64Array, number[]]> {
  if (cond) {
    const rows = cond as number[][]
    return { cond: [Float32Array.from(rows.flat()), [rows.length, rows[0].length]] }
  }
  const labels = label as number[] | undefined
  return labels ? { class: [BigInt64Array.from(labels, BigInt), [labels.length]] } : {}
}

/** Conditions of rows, each of another. */
const rowsOf =
  ({ kind }: Condition) =>
  (rows: number): ConditionOptions =>
    kind === 'classes'
      ? { class: Array.from({ length: rows }, (_, i) => [8, 3, 5][i % 3]) }
      : { cond: Array.from({ length: rows }, (_, i) => [260 + 30 * i, -0.012 + 0.001 * i]) }

/** How far samples of a runtime are from the library's, for batches of one row and of several. */
async function samplesApart(
  model: ExportedModel,
  options: ExportOptions = {},
  runtime: Runtime = node,
  told?: (rows: number) => ConditionOptions,
): Promise<number> {
  const sampler = (await filesOf(model, options)).get('sampler.onnx')!
  let most = 0
  for (const rows of [1, 5]) {
    const z = noise(rows * rowLength(model.rowShape))
    const shape = [rows, ...model.rowShape]
    const given = told?.(rows) ?? {}
    const got = await run(runtime, sampler, { noise: [z, shape], ...inputsOf(given) }, 'samples')
    expect(got.shape).toEqual(shape)
    const wanted = await decoded(model, z, options, given)
    expect(wanted.some((value, i) => Math.abs(value - z[i]) > 0.1)).toBe(true)
    most = Math.max(most, farthest(got.values, wanted))
  }
  return most
}

const table = { hidden: [9, 7], activation: 'softplus20' }
const scaler = { mean: [100, -3, 0.5], std: [20, 0.01, 1] }

describe('the sampler of an MLP', () => {
  it.each(['relu', 'elu', 'softplus', 'softplus20', 'silu', 'gelu', 'tanh'])('with %s', async (activation) => {
    expect(await samplesApart(modelOf({ ...table, activation }, [3]))).toBeLessThan(TOLERANCE)
  })

  it('with the time at every layer, Fourier features and standardised columns', async () => {
    const model = modelOf({ ...table, time: 'every', fourier: [1, 2.5] }, [3], { scaler })
    expect(await samplesApart(model)).toBeLessThan(TOLERANCE)
  })

  // DDIM goes by the angle alone
  const clocksOf = (solver: string) => (solver === 'ddim' ? (['angle'] as const) : (['local', 'angle'] as const))
  it.each(fixedStepSolvers.flatMap((solver) => clocksOf(solver).map((clock) => [solver, clock] as const)))(
    'by %s, even in the clock %s',
    async (solver, clock) => {
      const model = modelOf(table, [3], { gammas: [0.1, 0.3, null] })
      expect(await samplesApart(model, { solver, clock, evaluations: 13 })).toBeLessThan(TOLERANCE)
    },
  )

  it('does what its options say', async () => {
    const model = modelOf(table, [3])
    const z = noise(6)
    const inputs = { noise: [z, [2, 3]] as [Float32Array, number[]] }
    const few = (await filesOf(model, { solver: 'euler', steps: 1 })).get('sampler.onnx')!
    const wanted = await decoded(model, z)
    expect(farthest((await run(node, few, inputs, 'samples')).values, wanted)).toBeGreaterThan(1e-2)
  })
})

describe('the sampler of students', () => {
  it.each(['map', 'terminal', 'average'] as const)('that are of the kind %s', async (kind) => {
    expect(await samplesApart(studentOf(kind))).toBeLessThan(TOLERANCE)
  })
})

const unets = {
  plain: {},
  'with the time as scale and shift': { scaleShift: true },
  'with resampling in residual blocks': { residualResampling: true },
  'with an odd width': { width: 9, groups: 3, headChannels: 9 },
}
/** Two levels with attention on the lower one. */
const written = { kind: 'unet', width: 8, multipliers: [1, 2], depth: 1, attention: [2], headChannels: 4, groups: 4 }
const unetOf = (changes: object, condition: ExportedCondition | null = null): ExportedModel =>
  modelOf({ ...written, ...changes }, [2, 4, 4], {
    gammas: [null],
    sample: { ...rk4, solver: 'midpoint', steps: 2 },
    condition,
  })

describe('the sampler of a UNet', () => {
  it.each(Object.entries(unets))('%s', async (_, changes) => {
    expect(await samplesApart(unetOf(changes))).toBeLessThan(TOLERANCE)
  })

  it('by two-step Adams–Bashforth through the chain’s angle', async () => {
    expect(await samplesApart(unetOf({}), { solver: 'ab2', clock: 'angle', evaluations: 3 })).toBeLessThan(TOLERANCE)
  })
})

describe('a model whose networks give logits of choices', () => {
  it('is sampled, told nothing or under guidance', async () => {
    expect(await samplesApart(choicesModel(), { solver: 'ab2', evaluations: 9 })).toBeLessThan(TOLERANCE)
    const told = choicesModel(classes)
    expect(await samplesApart(told, { guidance: 2 }, node, rowsOf(classes))).toBeLessThan(TOLERANCE)
    expect(await samplesApart(choicesModel(), {}, web)).toBeLessThan(TOLERANCE)
  })

  it('has velocities, not logits, at times of each row', async () => {
    const model = choicesModel()
    const files = await filesOf(model)
    const t = Float32Array.of(0, 0.0012, 0.31, 0.998, 1)
    const x = noise(5 * 7, 2)
    for (const [i, stage] of model.stages.entries()) {
      const got = await run(node, files.get(`field-${i + 1}.onnx`)!, { x: [x, [5, 7]], t: [t, [5]] }, 'v')
      const { segments: _, ...logits } = model
      expect(farthest(got.values, await velocity(model, stage, x, t))).toBeLessThan(TOLERANCE)
      expect(farthest(got.values, await velocity(logits, stage, x, t))).toBeGreaterThan(0.1)
    }
  })
})

describe('the sampler of a conditional model', () => {
  it.each<[string, ExportedModel, (number | number[])[]]>([
    ['columns, an MLP', modelOf({ ...table, fourier: [2] }, [3], { scaler, condition: columns }), [1, 2.5, [3, 1]]],
    ['classes, an MLP', modelOf({ ...table, time: 'every' }, [3], { condition: classes }), [1, [0, 2]]],
    ['columns, a UNet', unetOf({}, columns), [1]],
    [
      'columns at every layer, an MLP',
      modelOf({ ...table, conditionAt: 'every' }, [3], { condition: columns }),
      [1, 2],
    ],
    ['classes, a UNet', unetOf({ residualResampling: true }, classes), [2.5]],
    ['columns, a UNet of sequences', sequenceModel(columns), [1, 2]],
  ])('of %s, with guidance and without', async (_, model, guidances) => {
    const told = rowsOf(model.condition!)
    for (const guidance of guidances) {
      expect(await samplesApart(model, { guidance }, node, told), `guidance ${guidance}`).toBeLessThan(TOLERANCE)
    }
  })

  it('takes no condition where its guidance is 0, which is none', async () => {
    const model = modelOf(table, [3], { condition: classes })
    expect(await samplesApart(model, { guidance: 0 })).toBeLessThan(TOLERANCE)
  })

  it('takes what may not be left out', async () => {
    const model = modelOf(table, [3], { condition: { ...columns, dropout: 0 } })
    expect(await samplesApart(model, {}, node, rowsOf(columns))).toBeLessThan(TOLERANCE)
    await expect(filesOf(model, { guidance: 2 })).rejects.toThrow(
      /^guidance needs a model that has learnt to go without/,
    )
  })

  it.each(['columns', 'classes'] as const)('does what it is told: %s', async (kind) => {
    const model = modelOf(table, [3], { condition: { columns, classes }[kind] })
    const sampler = (await filesOf(model)).get('sampler.onnx')!
    const noises: [Float32Array, number[]] = [noise(3), [1, 3]]
    const one = kind === 'columns' ? { cond: [[300, -0.01]] } : { class: [3] }
    const other = kind === 'columns' ? { cond: [[340, -0.01]] } : { class: [8] }
    const [a, b] = await Promise.all(
      [one, other].map((told) => run(node, sampler, { noise: noises, ...inputsOf(told) }, 'samples')),
    )
    expect(farthest(a.values, b.values)).toBeGreaterThan(1e-2)
  })

  it('refuses a class that it was not trained on', async () => {
    for (const condition of [classes, { ...classes, dropout: 0 }]) {
      const sampler = (await filesOf(modelOf(table, [3], { condition }))).get('sampler.onnx')!
      for (const label of condition.dropout ? [4n, -2n] : [4n, -1n]) {
        const inputs = { noise: [noise(3), [1, 3]], class: [BigInt64Array.of(label), [1]] } as never
        await expect(run(node, sampler, inputs, 'samples'), String(label)).rejects.toThrow(
          /indices element out of data bounds/,
        )
      }
    }
  })
})

describe('the velocity of a sub-flow', () => {
  it.each([
    ['an MLP', modelOf(table, [3], { scaler })],
    ['a UNet', unetOf({})],
  ])('of %s, at times of each row', async (_, model) => {
    const files = await filesOf(model)
    const { rowShape, stages } = model
    const rows = 3
    const D = rowLength(rowShape)
    const x = noise(rows * D, 2)
    const t = Float32Array.of(0, 0.4, 1)
    for (const [i, stage] of stages.entries()) {
      const got = await run(
        node,
        files.get(stages.length > 1 ? `field-${i + 1}.onnx` : 'field.onnx')!,
        { x: [x, [rows, ...rowShape]], t: [t, [rows]] },
        'v',
      )
      expect(got.shape).toEqual([rows, ...rowShape])
      expect(farthest(got.values, await velocity(model, stage, x, t))).toBeLessThan(TOLERANCE)
    }
  })

  it.each([
    ['columns, an MLP', modelOf(table, [3], { condition: columns })],
    ['classes, an MLP', modelOf(table, [3], { condition: classes })],
    ['classes, a UNet', unetOf({}, classes)],
  ])('takes a condition: %s, and what tells nothing', async (_, model) => {
    const { rowShape, condition, stages } = model
    const x = noise(5 * rowLength(rowShape), 1)
    const t = Float32Array.of(0, 0.1, 0.5, 0.7, 1)
    const told = rowsOf(condition!)(5)
    // the network's own numbers: those of the rows, and zeros for the last
    const cond = conditionRows(condition!, told, 5)!
    cond.fill(0, (4 / 5) * cond.length)
    if (condition!.kind === 'classes') (told.class as number[])[4] = -1
    else (told.cond as number[][])[4] = [Number.NaN, Number.NaN]
    const file = (await filesOf(model)).get(stages.length > 1 ? 'field-1.onnx' : 'field.onnx')!
    const got = await run(node, file, { x: [x, [5, ...rowShape]], t: [t, [5]], ...inputsOf(told) }, 'v')
    expect(farthest(got.values, await velocity(model, stages[0], x, t, cond))).toBeLessThan(TOLERANCE)
  })

  it('of a student takes a second time', async () => {
    const model = studentOf('average')
    const [x, t, second] = [
      noise(3 * 5, 1),
      Float32Array.of(0.2, 0.4, 0.5, 0.7, 1),
      Float32Array.of(0, 0.1, 0.5, 0.3, 0),
    ]
    const file = (await filesOf(model)).get('field.onnx')!
    const got = await run(node, file, { x: [x, [5, 3]], t: [t, [5]], cond: [second, [5, 1]] }, 'v')
    expect(farthest(got.values, await velocity(model, model.stages[0], x, t, second))).toBeLessThan(TOLERANCE)
  })

  it('has a number in its name where there are several sub-flows', async () => {
    const names = async (gammas: (number | null)[]) => [...(await filesOf(modelOf(table, [3], { gammas }))).keys()]
    expect(await names([null])).toEqual(['field.onnx', 'sampler.onnx'])
    expect(await names([0.1, null])).toEqual(['field-1.onnx', 'field-2.onnx', 'sampler.onnx'])
  })
})

it('a message may have as many fields as it likes', () => {
  const { parts, length } = message(1, new Array(300_000).fill(integer(1, 5)))
  expect(length).toBe(1 + 3 + 600_000)
  expect(parts.reduce((sum, part) => sum + part.length, 0)).toBe(length)
  expect([...Buffer.concat(parts).subarray(0, 6)]).toEqual([10, 0xc0, 0xcf, 0x24, 8, 5])
})

it('onnxruntime-web (wasm) computes the same', async () => {
  expect(await samplesApart(modelOf(table, [3], { scaler }), {}, web)).toBeLessThan(TOLERANCE)
  expect(await samplesApart(unetOf({ scaleShift: true }), {}, web)).toBeLessThan(TOLERANCE)
  for (const condition of [columns, classes]) {
    const model = modelOf(table, [3], { condition })
    expect(await samplesApart(model, { guidance: 2 }, web, rowsOf(condition))).toBeLessThan(TOLERANCE)
  }
  expect(await samplesApart(unetOf({}, classes), { guidance: 2 }, web, rowsOf(classes))).toBeLessThan(TOLERANCE)
})

const python = pythonWith('onnx', 'python3-onnx', 'the ONNX checker')

describe.skipIf(!python)('ONNX’s own checker', () => {
  const check = `
import json, sys, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
print(json.dumps({
  "opset": [[each.domain, each.version] for each in model.opset_import],
  "ir": model.ir_version,
  "metadata": {each.key: each.value for each in model.metadata_props},
  "batch": [each.type.tensor_type.shape.dim[0].dim_param for each in [*model.graph.input, *model.graph.output]],
  "bytes": sum(len(each.raw_data) for each in model.graph.initializer),
}))
`
  async function checked(model: ExportedModel, file: string, options: ExportOptions = {}) {
    const path = join(work, 'checked.onnx')
    writeFileSync(path, (await filesOf(model, options)).get(file)!)
    return askPython(python!, check, [path])
  }

  it('passes a sampler, which says what it is', async () => {
    const options = { solver: 'midpoint', evaluations: 12, licence: 'CC-BY-4.0' } as const
    expect(await checked(unetOf({ residualResampling: true }), 'sampler.onnx', options)).toMatchObject({
      opset: [['', 17]],
      ir: 8,
      batch: ['n', 'n'],
      metadata: { sub_flows: '1', solver: 'midpoint, 12 evaluations', evaluations: '12', licence: 'CC-BY-4.0' },
    })
  })

  it('passes a velocity, which says whose it is', async () => {
    expect(await checked(modelOf(table, [3], { scaler }), 'field-2.onnx')).toMatchObject({
      batch: ['n', 'n', 'n'],
      metadata: { sub_flow: '2 of 2, 1 at the data', mean: '[100,-3,0.5]', licence: 'not stated' },
    })
  })

  it('passes conditional ones', async () => {
    const options = { guidance: 2 }
    expect(await checked(unetOf({}, classes), 'sampler.onnx', options)).toMatchObject({
      batch: ['n', 'n', 'n'],
      metadata: { guidance: '[2]', evaluations: '8', condition: JSON.stringify(classes) },
    })
    expect(await checked(modelOf(table, [3], { condition: columns }), 'field-1.onnx')).toMatchObject({
      batch: ['n', 'n', 'n', 'n'],
      metadata: { condition: JSON.stringify(columns) },
    })
  })

  it('finds parameters in the file once, however often they are used', async () => {
    const [few, many] = await Promise.all(
      [2, 40].map((evaluations) => checked(modelOf(table, [3]), 'sampler.onnx', { solver: 'euler', evaluations })),
    )
    // what an evaluation adds is its time and its share
    expect(many.bytes - few.bytes).toBeLessThan(38 * 16)
    expect(few.bytes).toBeGreaterThan(4 * modelOf(table, [3]).network.parameterCount)
  })
})

describe('what cannot be exported', () => {
  const small = modelOf(table, [3])

  it('is a solver that finds its steps while it goes', async () => {
    await expect(filesOf(small, { solver: 'dopri5' })).rejects.toThrow(
      /^dopri5 finds its steps while it goes, but an exported sampler has a list of them: take --solver euler, midpoint, heun, rk4, ab2/,
    )
  })

  it('is a layer without a counterpart, which is named', async () => {
    const { network } = small
    const strange: ExportedModel = {
      ...small,
      network: {
        ...network,
        addVelocity: (builder, { out }) =>
          builder.add(
            rademacher,
            { first: builder.tensor({ dtype: 'u32', length: 1 }), y: out },
            { seedLow: 0, seedHigh: 0, stream: 0, probes: 1 },
          ),
      },
    }
    await expect(filesOf(strange)).rejects.toThrow(
      /^The model has a layer that cannot be exported to ONNX: rademacher\. Those that can be: .*linear_forward/,
    )
  })

  it('is a file of 2 GiB or more', async () => {
    const wide = { kind: 'unet', width: 1024, multipliers: [1, 2], groups: 32, headChannels: 64, attention: [] }
    const network = networkFor(resolveModel(modelSchema.parse(wide)), [3, 32, 32])
    // refused before a parameter is looked at
    const stages = [{ parameters: new Float32Array(0), outputScale: 1, gamma: null, angle: null }]
    await expect(filesOf({ ...small, network, stages, rowShape: [3, 32, 32] })).rejects.toThrow(
      /^field\.onnx would have \d+\.\d GiB, but an ONNX file holds less than 2 GiB\. Nothing was written/,
    )
  })
})
