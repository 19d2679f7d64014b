/** A device that chooses for another one of its adapter, as the first of several workers does. */

import { afterAll, describe, expect, test } from 'vitest'
import type { Device, ProgramChoices } from '../../src/device/device.js'
import type { CompilesOn } from '../../src/device/webgpu/compile.js'
import type { Findings } from '../../src/device/webgpu/findings.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { candidatesFor } from '../../src/device/webgpu/tuner.js'
import { kernels } from '../../src/kernels/registry.js'
import { type Program, ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from './adapter.js'

const name = await adapterOrSkip()

/** A layer of 64 inputs and 64 outputs. */
function layer(device: Device): Program {
  const builder = new ProgramBuilder()
  const tensor = (...shape: number[]) =>
    builder.tensor(device.createBuffer(shape.reduce((product, extent) => product * extent, 1)), shape)
  const operands = { x: tensor(64, 64), weight: tensor(64, 64), bias: tensor(64), y: tensor(64, 64) }
  builder.add(kernels.get('linear_forward')!, operands, { activation: 'silu', beta: 1, scale: 1 })
  return builder.build()
}

describe.skipIf(name === undefined)('choices of another device', async () => {
  if (name === undefined) return
  const asked: string[] = []
  let answer = ''
  /** As if this had been measured before. */
  const measured: Findings = {
    get: (kind, key) => {
      asked.push(`${kind} ${key}`)
      return kind === 'tuned' ? answer : undefined
    },
    set: () => {},
  }
  const first = await openWebgpu({ adapter: name, findings: measured, autotune: 'on' })
  // with findings that name another variant than the first one's
  const second = await openWebgpu({ adapter: name, findings: measured, autotune: 'on' })
  afterAll(async () => {
    await first.dispose()
    await second.dispose()
  })
  const { target } = (first as unknown as { compilesOn: CompilesOn }).compilesOn
  const [suggested, ...others] = candidatesFor(
    { kernel: 'linear_forward', rows: null, columns: 64, inner: 64, left: 'inner', right: 'inner' },
    target,
  )
  const other = others.at(-1)!

  test('are taken, and nothing is asked of its own measurements', async () => {
    const told: ProgramChoices[] = []
    const end = first.tellChoices!((choices) => told.push(choices))
    answer = other
    await first.compile(layer(first))
    end()
    await first.compile(layer(first))
    expect(told).toHaveLength(1)
    expect(told[0].variants.linear_forward).toBe(`${other}@64x64`)
    answer = suggested
    asked.length = 0
    second.followChoices!(async () => told[0])
    const { variants } = await second.compile(layer(second))
    expect(variants).toEqual(told[0].variants)
    expect(asked).toEqual([])
  })

  test('that come to other variants are refused, and leave no memory', async () => {
    const before = second.memory().buffers
    const program = layer(second)
    const buffers = second.memory().buffers
    second.followChoices!(async () => ({ fastest: {}, units: null, variants: { linear_forward: `${other}@64x64` } }))
    await expect(second.compile(program)).rejects.toThrow(
      `takes linear_forward by ${suggested}@64x64 here for a program that it takes linear_forward by ${other}@64x64 for`,
    )
    expect(second.memory().buffers).toBe(buffers)
    expect(buffers).toBeGreaterThan(before)
  })
})
