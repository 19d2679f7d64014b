/** The autotuner: what it asks, what it remembers, and that its choice is used, reported and reproduced. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { DeviceBuffer } from '../../src/device/device.js'
import { type CompilesOn, compileProgram } from '../../src/device/webgpu/compile.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { type Findings, forgetful } from '../../src/device/webgpu/findings.js'
import type { Line } from '../../src/device/webgpu/line.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import type { Pipelines, Prepared } from '../../src/device/webgpu/pipelines.js'
import type { Launch } from '../../src/device/webgpu/plans.js'
import type { AdapterTarget, ProductShape } from '../../src/device/webgpu/target.js'
import { candidatesFor, Tuner, withRows } from '../../src/device/webgpu/tuner.js'
import { chooseVariant, variants } from '../../src/device/webgpu/variants.js'
import { convert } from '../../src/kernels/convert.js'
import { kernels } from '../../src/kernels/registry.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { addIntegration } from '../../src/ode/integrate.js'
import { methods } from '../../src/ode/methods.js'
import { localSteps } from '../../src/ode/steps.js'
import { type Operation, type Program, ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from './adapter.js'

const name = await adapterOrSkip()

/** Layers of these widths on B rows, one after the other. */
function layers(make: (length: number) => DeviceBuffer, B: number, widths: readonly number[]): Program {
  const builder = new ProgramBuilder()
  const tensor = (...shape: number[]) =>
    builder.tensor(make(shape.reduce((product, extent) => product * extent, 1)), shape)
  let x = tensor(B, widths[0])
  for (let i = 1; i < widths.length; i++) {
    const y = tensor(B, widths[i])
    builder.add(
      kernels.get('linear_forward')!,
      { x, weight: tensor(widths[i], widths[i - 1]), bias: tensor(widths[i]), y },
      { activation: 'silu', beta: 1, scale: 1 },
    )
    x = y
  }
  return builder.build()
}

const target: AdapterTarget = { software: true, lanes: 8, workgroupBytes: 32768, f16: false, units: null, forced: {} }

/** A layer's forward product. */
const forward = (columns: number, inner: number): ProductShape => ({
  kernel: 'linear_forward',
  rows: null,
  columns,
  inner,
  left: 'inner',
  right: 'inner',
})

describe('choices of variants', () => {
  const shape = forward(64, 30)

  test('what is forced goes before what was measured, and that before the suggestion', () => {
    const tuned = () => 'subgroup32'
    expect(chooseVariant(shape, target)).toBe('subgroup16')
    expect(chooseVariant(shape, { ...target, tuned })).toBe('subgroup32')
    expect(chooseVariant(shape, { ...target, tuned, forced: { linear_forward: 'storage' } })).toBe('storage')
  })

  test('a choice from a manifest holds for its own widths alone', () => {
    const forced = { linear_forward: 'storage@64x30 narrow@2x30' }
    expect(chooseVariant(shape, { ...target, forced })).toBe('storage')
    expect(chooseVariant(forward(2, 30), { ...target, forced })).toBe('narrow')
    expect(chooseVariant(forward(128, 30), { ...target, forced })).toBe('subgroup16')
    expect(() => chooseVariant(shape, { ...target, forced: { linear_forward: 'tiny@64x30' } })).toThrow(/'tiny@64x30'/)
  })
})

test('a processor with four lanes, as SwiftShader has, takes the core without loops over an invocation’s rows', () => {
  expect(chooseVariant(forward(64, 32), { ...target, lanes: 4 })).toBe('quads8')
  expect(chooseVariant(forward(64, 32), target)).toBe('lanes16')
  expect(chooseVariant(forward(64, 30), { ...target, lanes: 4 })).toBe('subgroup16')
})

describe('the operation that is measured', () => {
  const shapes = (operation: Operation): Record<string, readonly number[]> =>
    Object.fromEntries(Object.entries(operation.operands).map(([key, tensor]) => [key, tensor!.shape]))
  const operation = (kernel: string, operands: Record<string, number[]>, attributes = {}): Operation => {
    const builder = new ProgramBuilder()
    const tensors = Object.entries(operands).map(([key, shape]) => [key, builder.temporary(shape)])
    return { contract: kernels.get(kernel)!, operands: Object.fromEntries(tensors), attributes }
  }

  test('has the widths of the one that is asked about, and few rows', () => {
    const forward = { x: [5000, 32], weight: [64, 32], bias: [64], t: [1], time_weight: [64], y: [5000, 64] }
    const few = { ...forward, x: [256, 32], y: [256, 64] }
    expect(shapes(withRows(operation('linear_forward', forward), 256))).toEqual(few)
    const gradient = { x: [100, 64], dy: [100, 100], dweight: [100, 64], dbias: [100] }
    expect(shapes(withRows(operation('linear_backward_weight', gradient), 256))).toEqual({
      x: [256, 64],
      dy: [256, 100],
      dweight: [100, 64],
      dbias: [100],
    })
  })

  test('has all tangents of its rows', () => {
    const tangent = { dx: [600, 16], weight: [64, 16], saved: [200, 64], dy: [600, 64] }
    expect(shapes(withRows(operation('linear_tangent', tangent), 256))).toMatchObject({
      dx: [255, 16],
      saved: [85, 64],
      dy: [255, 64],
    })
  })

  test('has fewer pictures, by their pixels', () => {
    const pictures = {
      x: [500, 16, 16, 32],
      weight: [3, 3, 32, 64],
      bias: [64],
      shift: [500, 64],
      y: [500, 16, 16, 64],
    }
    expect(shapes(withRows(operation('conv2d', pictures), 8192))).toEqual({
      ...pictures,
      x: [32, 16, 16, 32],
      shift: [32, 64],
      y: [32, 16, 16, 64],
    })
  })

  test('has fewer rows of a transposed factor', () => {
    const product = { a: [300, 5000], b: [300, 70], y: [5000, 70] }
    expect(shapes(withRows(operation('mat_mul', product, { transposeA: true, transposeB: false }), 256))).toEqual({
      a: [300, 256],
      b: [300, 70],
      y: [256, 70],
    })
  })
})

describe.skipIf(!name)(`webgpu: the tuner on ${name}`, { timeout: 600_000 }, () => {
  let device: WebgpuDevice
  let memory: { create(length: number, dtype: 'f32'): DeviceBuffer }
  beforeAll(async () => {
    device = (await openWebgpu({ adapter: name })) as WebgpuDevice
    memory = { create: (length) => device.createBuffer(length) }
  })
  afterAll(() => device.dispose())

  /**
   * A tuner whose clock says that the n-th candidate of every question takes `times[n]`, but for the round that warms up and
   * one that somebody disturbs.
   */
  function tunerWith(
    findings: Findings,
    times: readonly number[],
    forced: AdapterTarget['forced'] = {},
    played: Partial<AdapterTarget> = {},
    refused: (launch: Launch) => boolean = () => false,
    changed: (launch: Launch) => Launch = (launch) => launch,
    budget?: { compiling: number; timing: number },
    progress?: (line: string) => void,
  ) {
    const { compilesOn, line } = device as unknown as { compilesOn: CompilesOn; line: Line }
    const { pipelines } = compilesOn
    const prepare = async (launch: Launch): Promise<Prepared> => {
      if (refused(launch)) throw new Error('no such pipeline')
      return pipelines.prepare(changed(launch))
    }
    const on = {
      ...compilesOn,
      pipelines: { prepare, text: (launch: Launch) => pipelines.text(launch) } as Pipelines,
      target: { ...compilesOn.target, forced, ...played },
    }
    let calls = 0
    const stopwatch = vi.fn(async () => {
      const [round, candidate] = [Math.floor(calls / times.length) % 4, calls % times.length]
      calls++
      return round === 0 ? 0 : round === 2 ? 100 : times[candidate]
    })
    const report = vi.fn()
    const tuner = new Tuner(on, line, findings, stopwatch, report, budget, progress)
    const chosen = async (program: Program): Promise<string> => {
      const compiled = await compileProgram(program, { ...on, target: { ...on.target, ...tuner.choices } })
      for (const buffer of compiled.owned) on.memory.release(buffer)
      return compiled.variants.linear_forward
    }
    return { tuner, stopwatch, report, chosen, on }
  }

  const candidates = (): string[] => {
    const { target } = (device as unknown as { compilesOn: CompilesOn }).compilesOn
    return candidatesFor(forward(64, 64), target)
  }
  const withProgram = async (B: number, widths: readonly number[], use: (program: Program) => Promise<void>) => {
    const made: DeviceBuffer[] = []
    const program = layers(
      (length) => {
        made.push(memory.create(length, 'f32'))
        return made.at(-1)!
      },
      B,
      widths,
    )
    await use(program)
    for (const buffer of made) buffer.dispose()
    expect(device.memory().buffers).toBe(0)
  }

  test('says that it measures, while that takes seconds', async () => {
    const said: string[] = []
    const { tuner, stopwatch } = tunerWith(forgetful(), [4, 1], {}, {}, undefined, undefined, undefined, (line) =>
      said.push(line),
    )
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      stopwatch.mockImplementationOnce(async () => {
        vi.advanceTimersByTime(11_000)
        return 1
      })
      await withProgram(100, [64, 64], async (program) => tuner.decide(program))
      vi.advanceTimersByTime(60_000)
    } finally {
      vi.useRealTimers()
    }
    expect(said).toHaveLength(2)
    expect(said[0]).toMatch(/^measuring which variants are the fastest on this adapter: operation 1, \d+ s\.$/)
  })

  test('takes the fastest, asks once for a class, and tells in one line', async () => {
    const findings = forgetful()
    const { tuner, stopwatch, report, chosen } = tunerWith(findings, [4, 1])
    await withProgram(100, [64, 64, 64], async (program) => {
      await tuner.decide(program)
      const [suggested, second] = candidates()
      expect(await chosen(program)).toBe(`${second}@64x64`)
      expect(second).not.toBe(suggested)
      expect(report).toHaveBeenCalledTimes(1)
      expect(report.mock.calls[0][0]).toMatch(/variants of 1 operations in \d+\.\d s/)
    })
    const calls = stopwatch.mock.calls.length
    // another number of rows is the same class
    await withProgram(7, [64, 64], async (program) => {
      await tuner.decide(program)
      expect(stopwatch).toHaveBeenCalledTimes(calls)
    })
    // and so it is in another process with the same findings
    const later = tunerWith(findings, [1, 4])
    await withProgram(100, [64, 64, 64], async (program) => {
      await later.tuner.decide(program)
      expect(later.stopwatch).not.toHaveBeenCalled()
      expect(later.report).not.toHaveBeenCalled()
      expect(await later.chosen(program)).toBe(`${candidates()[1]}@64x64`)
    })
  })

  test('keeps the suggestion where another is hardly faster, and asks nothing that is forced', async () => {
    const { tuner, chosen } = tunerWith(forgetful(), [1, 0.97])
    await withProgram(100, [64, 64], async (program) => {
      await tuner.decide(program)
      expect(await chosen(program)).toBe(`${candidates()[0]}@64x64`)
    })
    const forced = tunerWith(forgetful(), [4, 1], { linear_forward: 'storage' })
    await withProgram(100, [64, 64], async (program) => {
      await forced.tuner.decide(program)
      expect(forced.stopwatch).not.toHaveBeenCalled()
      expect(await forced.chosen(program)).toBe('storage')
    })
  })

  test('what a driver does not compile is no candidate; where it compiles none, that is the error', async (context) => {
    const [suggested, second, ...more] = candidates()
    if (!second || more.length > 0) context.skip()
    const { target } = (device as unknown as { compilesOn: CompilesOn }).compilesOn
    const constants = (variant: string) => JSON.stringify(variants[variant](target.lanes).constants)
    const refusing = (...names: string[]) =>
      tunerWith(forgetful(), [4], {}, {}, ({ constants: given }) =>
        names.some(
          (variant) => JSON.stringify({ ...given, ...JSON.parse(constants(variant)) }) === JSON.stringify(given),
        ),
      )
    for (const [refused, taken] of [
      [second, suggested],
      [suggested, second],
    ]) {
      const { tuner, chosen } = refusing(refused)
      await withProgram(100, [64, 64], async (program) => {
        await tuner.decide(program)
        expect(await chosen(program)).toBe(`${taken}@64x64`)
      })
    }
    await withProgram(100, [64, 64], async (program) => {
      await expect(refusing(suggested, second).tuner.decide(program)).rejects.toThrow('no such pipeline')
    })
  })

  test('one that computes something else is not taken, however fast it is, and is named', async (context) => {
    const [suggested, second, ...more] = candidates()
    if (!second || more.length > 0) context.skip()
    const { target } = (device as unknown as { compilesOn: CompilesOn }).compilesOn
    const isOf = (variant: string, { constants: given }: Launch): boolean =>
      Object.entries(variants[variant](target.lanes).constants).every(([name, value]) => given[name] === value)
    for (const [wrong, taken] of [
      [second, suggested],
      [suggested, second],
    ]) {
      // the activation of another layer
      const changed = (launch: Launch): Launch => (isOf(wrong, launch) ? { ...launch, activation: 'relu' } : launch)
      const { tuner, stopwatch, chosen, report } = tunerWith(forgetful(), [1], {}, {}, () => false, changed)
      await withProgram(100, [64, 64], async (program) => {
        await tuner.decide(program)
        expect(await chosen(program)).toBe(`${taken}@64x64`)
        expect(report.mock.calls[0][0]).toMatch(
          new RegExp(`linear_forward: ${wrong} computed other numbers .* storage`),
        )
        // only the other one is timed
        expect(stopwatch).toHaveBeenCalledTimes(4)
      })
    }
  })

  test('what there was no time for is not remembered, and asked again by the next device', async () => {
    const findings = forgetful()
    const remembered = vi.spyOn(findings, 'set')
    const hurried = tunerWith(findings, [4, 1], {}, {}, undefined, undefined, { compiling: 1, timing: 1e9 })
    await withProgram(100, [64, 64, 32], async (program) => {
      await hurried.tuner.decide(program)
      // the first question used up the time of the second
      expect(remembered).toHaveBeenCalledTimes(1)
      expect(hurried.report.mock.calls[0][0]).toMatch(/variants of 1 operations .* 1 more are measured the next time/)
      const later = tunerWith(findings, [4, 1])
      await later.tuner.decide(program)
      expect(remembered).toHaveBeenCalledTimes(2)
      expect(await later.chosen(program)).toBe(`${candidates()[1]}@64x64 ${candidates()[1]}@32x64`)
    })
  })

  test('a composite is measured whole and expanded, by its network and not by its rows', async () => {
    const findings = forgetful()
    const field = mlpNetwork({
      kind: 'mlp',
      dimension: 2,
      condition: 0,
      hidden: [32, 32],
      activation: 'silu',
      beta: 1,
      time: 'first',
      frequencies: [],
    })
    const integrate = async (B: number, times: readonly number[], forced = {}) => {
      // as on a GPU, where workgroup memory is worth a measurement
      const { tuner, stopwatch, on } = tunerWith(findings, times, forced, { software: false })
      const made: DeviceBuffer[] = []
      const builder = new ProgramBuilder()
      const tensor = (shape: number[]) => {
        made.push(device.createBuffer(shape.reduce((product, extent) => product * extent, 1)))
        return builder.tensor(made.at(-1)!, shape)
      }
      const operands = { parameters: tensor([field.parameterLength]), y: tensor([B, 2]), out: tensor([B, 2]) }
      addIntegration(builder, field, operands, [1], localSteps(methods.rk4, 0, 1, 3))
      const program = builder.build()
      await tuner.decide(program)
      const compiled = await compileProgram(program, { ...on, target: { ...on.target, ...tuner.choices } })
      for (const buffer of compiled.owned) on.memory.release(buffer)
      for (const buffer of made) buffer.dispose()
      expect(device.memory().buffers).toBe(0)
      return { variant: compiled.variants.integrate, calls: stopwatch.mock.calls.length }
    }
    // products stay as they are; of the composite the last candidate is the fastest
    const products = { linear_forward: 'storage' }
    expect(await integrate(100, [9, 9, 1], products)).toMatchObject({ variant: 'expanded', calls: 12 })
    expect(await integrate(7, [1, 9, 9], products)).toEqual({ variant: 'expanded', calls: 0 })
    expect(await integrate(7, [1, 9, 9], { ...products, integrate: 'fused' })).toEqual({ variant: 'fused', calls: 0 })
  })

  test('products of float16 are measured, remembered, and reported for their widths', async (context) => {
    const { target } = (device as unknown as { compilesOn: CompilesOn }).compilesOn
    if (!target.f16) context.skip()
    // as on a GPU with room for two of the variants
    const played = { software: false, workgroupBytes: 16384 }
    const of = { ...forward(16, 16), half: true } as const
    expect(candidatesFor(of, { ...target, ...played })).toEqual(['half64', 'half32'])
    expect(candidatesFor(of, target)).toEqual(['half32'])
    const layer = (B: number): Program => {
      const builder = new ProgramBuilder()
      const half = (...shape: number[]) => {
        const tensor = builder.temporary(shape, 'f16')
        builder.add(
          convert,
          { x: builder.constant(new Float32Array(shape[0] * shape[1]), shape), y: tensor },
          { to: 'f16' },
        )
        return tensor
      }
      const operands = { x: half(B, 16), weight: half(16, 16), bias: builder.constant(new Float32Array(16)) }
      const y = builder.temporary([B, 16], 'f16')
      builder.add(kernels.get('linear_forward')!, { ...operands, y }, { activation: 'relu', beta: 1, scale: 1 })
      return builder.build()
    }
    const findings = forgetful()
    const { tuner, stopwatch, chosen } = tunerWith(findings, [4, 1], {}, played)
    await tuner.decide(layer(40))
    expect(stopwatch).toHaveBeenCalledTimes(8)
    expect(await chosen(layer(40))).toBe('half32@16x16')
    const later = tunerWith(findings, [1, 4], {}, played)
    await later.tuner.decide(layer(7))
    expect(later.stopwatch).not.toHaveBeenCalled()
    expect(await later.chosen(layer(7))).toBe('half32@16x16')
    // a run that goes on is told of it
    const resumed = tunerWith(forgetful(), [1, 4], { linear_forward: 'lanes16@16x16 half32@16x16' }, played)
    await resumed.tuner.decide(layer(7))
    expect(resumed.stopwatch).not.toHaveBeenCalled()
    expect(await resumed.chosen(layer(7))).toBe('half32@16x16')
  })

  test('measures on a device, and a device that is told of the choices makes the same', async () => {
    const lines: string[] = []
    const findings = forgetful()
    const open = (variants = {}, autotune: 'on' | 'off' | 'again' = 'on') =>
      openWebgpu({
        ...{ adapter: name, autotune, findings, variants, onTuning: () => undefined },
        onWarning: (line) => lines.push(line),
      })
    const tuned = await open()
    const compile = async (on: Awaited<ReturnType<typeof open>>) => {
      const made: DeviceBuffer[] = []
      const make = (length: number): DeviceBuffer => {
        made.push(on.createBuffer(length))
        return made.at(-1)!
      }
      const executable = await on.compile(layers(make, 33, [16, 64, 2]))
      await executable.run()
      executable.dispose()
      for (const buffer of made) buffer.dispose()
      expect(on.memory().buffers).toBe(0)
      return executable.variants
    }
    const chosen = await compile(tuned)
    expect(chosen.linear_forward).toMatch(/^\w+@64x16 \w+@2x64$/)
    expect(lines).toHaveLength(1)
    await tuned.dispose()
    const resumed = await open(chosen, 'off')
    expect(await compile(resumed)).toEqual(chosen)
    await resumed.dispose()
    expect(lines).toHaveLength(1)
    // what is known is used, unless it is asked for anew
    const known = await open()
    expect(await compile(known)).toEqual(chosen)
    await known.dispose()
    expect(lines).toHaveLength(1)
    const again = await open({}, 'again')
    await compile(again)
    await again.dispose()
    expect(lines).toHaveLength(2)
  })
})
