/**
 * Variational flow matching of mixed columns: the gradient of the whole loss by a finite difference, the same on every device; the
 * velocity that follows from predicted levels in closed form, for the first stage and for later ones; and what refuses it.
 */

import { describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { stepTable } from '../../src/kernels/adam.js'
import type { SegmentTables } from '../../src/kernels/segments.js'
import { ouStep } from '../../src/learn/noise.js'
import { optimizerTable } from '../../src/learn/optimizer.js'
import { noisingOf } from '../../src/learn/paths/path.js'
import { type PathName, paths } from '../../src/learn/paths/registry.js'
import { trainingProgram } from '../../src/learn/step.js'
import { LOSS_RING } from '../../src/learn/step-runs.js'
import type { Task } from '../../src/learn/task.js'
import { choices } from '../../src/learn/tasks/choices.js'
import { velocityOfChoices } from '../../src/model/choices.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { AngleRange } from '../../src/ode/clock.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { closedFormNetwork } from '../closed-form-networks.js'
import { describeOn } from '../devices.js'
import { optimizer, poolOf } from '../training.js'

/** A number with a state, a category of three levels, and a number that is always there. */
const segments: SegmentTables = {
  starts: [0, 2, 3, 6, 7],
  scale: [2, 2, 1, 2, 2, 2, 1],
  centre: [0.7, 0.3, 0, 0.5, 0.3, 0.2, 0],
  gates: [7, 0, 7, 7],
  columns: [0, 0, 0, 1, 1, 1, 2],
}
const D = 7
const n = 64
const rows = Float32Array.from({ length: n * D }, (_, i) => {
  const [row, d] = [Math.floor(i / D), i % D]
  if (d < 2) return 2 * ((row % 3 === 0 ? 1 : 0) === d ? 1 - segments.centre[d] : -segments.centre[d])
  if (d >= 3 && d < 6) return 2 * ((row % 3 === d - 3 ? 1 : 0) - segments.centre[d])
  return Math.sin(1.7 * i)
})
const network = mlpNetwork({
  kind: 'mlp',
  dimension: D,
  condition: 0,
  hidden: [12, 9],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})
const P = network.parameterLength
const batch = 48
const taskOn = (gamma: number | null, path: PathName, left?: { decay: number; spread: number }): Task =>
  choices(
    {
      right: { gamma, coupling: 'dependent' },
      path,
      left,
      timesPerPair: 2,
      quantiles: null,
      sampling: 'epochs',
    },
    segments,
  )

/** The gradient of a step and its loss, at these parameters. */
async function stepAt(device: Device, task: Task, parameters: Float32Array) {
  const buffers = {
    parameters: device.createBuffer(P),
    m: device.createBuffer(P),
    v: device.createBuffer(P),
    gradient: device.createBuffer(P),
    ring: device.createBuffer(LOSS_RING),
    table: device.createBuffer(stepTable.columns),
    left: device.createBuffer(rows.length),
  }
  const state = device.createBuffer(8, 'u32')
  const tables = Object.fromEntries(
    Object.entries(task.tables).map(([name, values]) => {
      const buffer = device.createBuffer(values.length)
      buffer.write(values)
      return [name, buffer]
    }),
  )
  buffers.parameters.write(parameters)
  buffers.left.write(rows)
  buffers.table.write(optimizerTable(1, optimizer))
  const settings = { name: 'the flow', number: 1, steps: 1, batch, optimizer, seed: 3 }
  const on = { ...buffers, average: null, tables, state }
  const executable = await device.compile(
    trainingProgram(network, task, poolOf(buffers.left, n), 1, settings, on).build(),
  )
  await executable.run()
  const [gradient, [loss]] = [await buffers.gradient.read(), await buffers.ring.read(0, 1)]
  executable.dispose()
  for (const buffer of [...Object.values(buffers), ...Object.values(tables), state]) buffer.dispose()
  return { gradient: gradient as Float32Array, loss }
}

const start = network.initialise(7, 1).map((value) => 2 * value)
const tasks = [
  ['straight to noise', taskOn(null, 'linear')],
  ['a later sub-flow on the arc', taskOn(0.3, 'arc', ouStep(0.2))],
] as const

await describeOn(['reference', 'native', 'webgpu'], 'the loss of choices', (device, kind) => {
  test.each(tasks)('%s: its gradient, by a difference along it', async (_, task) => {
    const { gradient, loss } = await stepAt(device(), task, start)
    expect(loss).toBeGreaterThan(0.3)
    const size = Math.hypot(...gradient)
    const reference = openReference()
    const at = async (share: number): Promise<number> =>
      (
        await stepAt(
          reference,
          task,
          start.map((value, i) => value + (share * gradient[i]) / size),
        )
      ).loss
    const h = 0.02
    const slope = ((await at(h)) - (await at(-h))) / (2 * h)
    expect(Math.abs(slope / size - 1)).toBeLessThan(2e-3)
    if (kind === 'reference') return
    const known = await stepAt(reference, task, start)
    expect(Math.abs(loss / known.loss - 1)).toBeLessThan(1e-5)
    expect(Math.hypot(...gradient.map((value, i) => value - known.gradient[i])) / size).toBeLessThan(1e-4)
  })
})

describe('the velocity of a predicted level', () => {
  /** v at x and t where the network is sure of the first of two levels: scale 2, centres ½. */
  async function velocityAt(angle: AngleRange, x: number, t: number): Promise<number> {
    const device = openReference()
    // the first of the two logits is 40, the other stays 0
    const inner = closedFormNetwork(() => 40, 0)
    const field = velocityOfChoices(
      inner,
      { starts: [0, 2], scale: [2, 2], centre: [0.5, 0.5], gates: [2], columns: [0, 0] },
      angle,
    )
    const builder = new ProgramBuilder()
    const out = device.createBuffer(2)
    field.addVelocity(
      builder,
      {
        parameters: builder.tensor(device.createBuffer(Math.max(1, field.parameterLength))),
        x: builder.constant([x, -x], [1, 2]),
        t: builder.constant([t]),
        out: builder.tensor(out, [1, 2]),
      },
      1,
    )
    const executable = await device.compile(builder.build())
    await executable.run()
    const [value] = await out.read()
    await device.dispose()
    return value
  }

  test.each([
    ['linear', null],
    ['trig', null],
    ['arc', null],
    ['linear', 0.4],
    ['arc', 0.4],
  ] as const)('on the path %s with γ = %s, first and after γ = 0.2', async (path, gamma) => {
    for (const [stage, before] of [
      [0, 0],
      [1, 0.2],
    ] as const) {
      const angle = anglesOf([...(stage === 1 ? [{ gamma: before, path }] : []), { gamma, path }])[stage]
      const left = ouStep(before)
      for (const t of [0.1, 0.45, 0.9]) {
        // x_l = d e + s z₁ and x_t = A x_l + B z₂ of the end e = 1: a regression of the velocity on x_t
        const { left: A, right: B, leftRate, rightRate } = noisingOf(paths[path], t, ouStep(gamma))
        const slope = (A * leftRate * left.spread ** 2 + B * rightRate) / (A * A * left.spread ** 2 + B * B)
        const expected = leftRate * left.decay + slope * (0.3 - A * left.decay)
        expect(await velocityAt(angle, 0.3, t)).toBeCloseTo(expected, 3)
      }
    }
  })

  test('has a bound at the data', async () => {
    const [angle] = anglesOf([{ gamma: null, path: 'linear' }])
    expect(Math.abs(await velocityAt(angle, 1.01, 0))).toBeLessThan(12)
  })
})

describe('options of the objective variational', () => {
  const objective = 'variational' as const
  const chained = { gammas: [0.2, null], push: 'simulated' as const }

  test.each([
    [{ gammas: [0.2, null] }, {}, 'flow.push: learned'],
    [{ ...chained, outputScale: true }, {}, 'flow.outputScale'],
    [{ gammas: [0.3], coupling: 'shuffled' as const }, {}, 'flow.coupling: shuffled'],
    [{ recipe: 'reflow' as const }, {}, 'flow.recipe: reflow'],
    [{ plain: true }, { kind: 'unet' }, 'model.kind unet'],
  ] as [object, object, string][])('%o with the model %o is refused: %s', (flow, model, named) => {
    const given = { flow, model, train: { objective } }
    expect(() => resolveOptions(given)).toThrow(`${named} does not go with train.objective: variational`)
  })

  test('goes with a simulated push, and with a single flow of any coupling', () => {
    expect(resolveOptions({ flow: chained, train: { objective } }).train.objective).toBe(objective)
    expect(resolveOptions({ flow: { plain: true, coupling: 'optimal' }, train: { objective } }).flow.plain).toBe(true)
  })
})
