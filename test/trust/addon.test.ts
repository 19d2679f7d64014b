/**
 * The addon's own face, below the one that users see: what would end the process is refused, and memory that JavaScript
 * can take away is never touched by the engine's thread.
 */

import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../src/device/native/binding.js'
import { kernels } from '../../src/kernels/registry.js'
import { mlpBackward } from '../../src/networks/mlp/mlp_backward.js'
import { mlpForward } from '../../src/networks/mlp/mlp_forward.js'
import { mlpTangents } from '../../src/networks/mlp/mlp_tangents.js'
import { integrate } from '../../src/ode/integrate.js'
import { describeNative } from './machines.js'

describeNative('the native addon', () => {
  const addon = () => loadAddon()
  const operation = (kernel: string, operands: object, attributes = {}) => ({ kernel, operands, attributes })
  const none = new Float32Array(0)

  /** A run of some hundred milliseconds: total += part, again and again. */
  const busy = () => {
    const device = new (addon().Device)()
    const [total, part] = [device.createBuffer(1 << 20), device.createBuffer(1 << 20)]
    part.write(new Float32Array(1 << 20).fill(1), 0)
    const shape = [1 << 20]
    const program = device.compile({
      operations: [operation('accumulate', { total: [0, 0, shape], part: [1, 0, shape] }) as never],
      buffers: [total, part],
      slots: [],
      constants: none,
    })
    return { device, total, part, program }
  }

  test('an operand that a kernel needs is missed by its name, for every kernel', () => {
    const device = new (addon().Device)()
    const buffer = device.createBuffer(64)
    const compile = (kernel: string, operands: object) =>
      device.compile({
        operations: [operation(kernel, operands) as never],
        buffers: [buffer],
        slots: [],
        constants: none,
      })
    const composites = [integrate, mlpBackward, mlpForward, mlpTangents]
    const known = new Set(addon().info().kernels)
    const contracts = [...kernels.values(), ...composites].filter(({ name }) => known.has(name))
    expect(contracts.length).toBeGreaterThan(30)
    for (const { name, operands } of contracts) {
      const entries = Object.entries(operands) as [string, { optional?: boolean }][]
      const given = (names: string[]) => Object.fromEntries(names.map((one) => [one, [0, 0, [1]]]))
      const needed = entries.filter(([, { optional }]) => !optional).map(([one]) => one)
      for (const missing of needed) {
        const others = needed.filter((one) => one !== missing)
        expect(() => compile(name, given(others)), `${name} ${missing}`).toThrow(
          new RegExp(`${name}: operand ${missing} is missing`),
        )
      }
      // what may be left out is not missed: something else is wrong with such a call, or nothing
      expect(() => {
        try {
          compile(name, given(needed)).dispose()
        } catch (error) {
          if (/is missing/.test((error as Error).message)) throw error
        }
      }, name).not.toThrow()
    }
  })

  test('an array to write is looked at before it is touched', () => {
    const buffer = new (addon().Device)().createBuffer(4)
    for (const values of [
      new Float32Array(new SharedArrayBuffer(16)),
      new Float64Array(4),
      new Uint8Array(16),
      [1, 2, 3, 4],
      {},
      undefined,
    ]) {
      expect(() => buffer.write(values as never, 0)).toThrow(/values must be a Float32Array or Uint32Array/)
    }
    const taken = new Float32Array(4)
    structuredClone(taken.buffer, { transfer: [taken.buffer] })
    expect(() => buffer.write(taken, 0)).toThrow(/must not be shared or transferred/)
    expect(() => buffer.read(0, 5, false)).toThrow(/do not lie in a buffer of 4/)
    expect(() => buffer.read(2 ** 40, 1, false)).toThrow(/do not lie in a buffer/)
    expect(() => buffer.read(Number.NaN, 1, false)).toThrow(/offset must be/)
  })

  test('what is read and what is timed is nobody’s before the run is over', async () => {
    const { total, program } = busy()
    const clock = new Float64Array(1)
    const stop = new (addon().Stop)()
    const run = program.run(200, stop, clock)
    const read = total.read(0, 1 << 20, false)
    // the memory of the clock goes away in the middle of the run
    structuredClone(clock.buffer, { transfer: [clock.buffer] })
    for (let i = 0; i < 50; i++) new Float64Array(1 << 14).fill(Number.NaN)
    expect(await run).toBe(200)
    const values = await read
    expect(values.every((value) => value === 200)).toBe(true)
    const again = new Float64Array(1)
    await program.run(3, stop, again)
    expect(again[0]).toBeGreaterThan(0)
  })

  test('a run is stopped by a word that cannot be transferred', async () => {
    const { program } = busy()
    const stop = new (addon().Stop)()
    const run = program.run(2 ** 40, stop)
    setTimeout(() => stop.set(), 5)
    expect(await run).toBeLessThan(2 ** 40)
    for (const word of [new Int32Array(1), {}, undefined, Object.create(addon().Stop.prototype)]) {
      expect(() => program.run(1, word as never)).toThrow(/stop must be a Stop/)
    }
    for (const times of [-1, 0.5, Number.NaN, 2 ** 50, '1', undefined]) {
      expect(() => program.runNow(times as never)).toThrow(/times must be a whole number/)
    }
  })

  test('buffers of another device, or of none, are refused', async () => {
    const { device, total, part, program } = busy()
    const other = new (addon().Device)().createBuffer(1 << 20)
    const spec = { operations: [], slots: [], constants: none }
    expect(() => device.compile({ ...spec, buffers: [other] })).toThrow(/of another device/)
    expect(() => total.copyTo(0, other, 0, 1)).toThrow(/of another device/)
    const disguised = Object.setPrototypeOf(new (addon().Stop)(), Object.getPrototypeOf(total))
    for (const no of [disguised, Object.create(Object.getPrototypeOf(total)), {}, null]) {
      expect(() => device.compile({ ...spec, buffers: [no as never] })).toThrow(/A buffer of the native device/)
    }
    // a run goes on with memory that was disposed of behind it
    const run = program.run(100, new (addon().Stop)())
    part.dispose()
    total.dispose()
    expect(await run).toBe(100)
    expect(() => program.run(1, new (addon().Stop)())).toThrow(/disposed/)
    expect(() => device.compile({ ...spec, buffers: [total] })).toThrow(/disposed/)
    expect(() => total.read(0, 1, false)).toThrow(/disposed/)
    const bare = new (total.constructor as new () => typeof total)()
    expect(() => bare.read(0, 1, false)).toThrow(/disposed/)
  })

  describe('nonsense', () => {
    const nonsense = [
      undefined,
      null,
      0,
      -1,
      Number.NaN,
      'x',
      [],
      {},
      () => 0,
      Symbol('s'),
      2n ** 70n,
      new Float32Array(1),
    ]

    test('is refused by an error, wherever a program has room for it', () => {
      const device = new (addon().Device)()
      const buffer = device.createBuffer(64)
      const right = () => ({
        operations: [operation('accumulate', { total: [0, 0, [64]], part: [0, 0, [64]] })] as unknown[],
        buffers: [buffer] as unknown[],
        slots: [4] as unknown[],
        constants: none as unknown,
      })
      const compile = (program: unknown): unknown => device.compile(program as never)
      for (const value of nonsense) {
        const places: ((program: ReturnType<typeof right>) => unknown)[] = [
          () => value,
          (p) => ({ ...p, operations: value }),
          (p) => ({ ...p, operations: [value] }),
          (p) => ({ ...p, buffers: value }),
          (p) => ({ ...p, buffers: [value] }),
          (p) => ({ ...p, slots: [value] }),
          (p) => ({ ...p, constants: value }),
          (p) => ({ ...p, operations: [operation(value as never, {})] }),
          (p) => ({ ...p, operations: [operation('accumulate', value as never)] }),
          (p) => ({ ...p, operations: [operation('accumulate', { total: value, part: [0, 0, [64]] })] }),
          (p) => ({ ...p, operations: [operation('accumulate', { total: [value, 0, [64]], part: [0, 0, [64]] })] }),
          (p) => ({ ...p, operations: [operation('accumulate', { total: [0, value, [64]], part: [0, 0, [64]] })] }),
          (p) => ({ ...p, operations: [operation('accumulate', { total: [0, 0, value], part: [0, 0, [64]] })] }),
          (p) => ({ ...p, operations: [operation('accumulate', { total: [0, 0, [value]], part: [0, 0, [64]] })] }),
        ]
        for (const [i, place] of places.entries()) {
          try {
            compile(place(right()))
          } catch (error) {
            expect(error, `${String(value)} in place ${i}`).toBeInstanceOf(Error)
          }
        }
      }
      const { testMath, testPhilox, testQuota, fmaPeak, info } = addon()
      for (const value of nonsense.filter((one) => !['symbol', 'object'].includes(typeof one))) {
        for (const call of [
          () => testMath('exp', value as never),
          () => testPhilox(value as never, value as never),
          () => fmaPeak(value as never, value as never),
        ]) {
          expect(call).toThrow(Error)
        }
        testQuota(value as never)
      }
      expect(info().threads).toBeGreaterThan(0)
    })
  })
})
