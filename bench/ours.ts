/** Opens a work on one of this library's devices: programs as the library itself builds them, compiled once, replayed. */

import type { Device, DeviceBuffer } from '../src/device/device.js'
import { stepTable } from '../src/kernels/adam.js'
import { size } from '../src/kernels/contract.js'
import { packPixels, poolWords } from '../src/kernels/pool.js'
import { kernels } from '../src/kernels/registry.js'
import { FIRST_LOSS_EXPONENT, STATE_LENGTH, stateWords } from '../src/kernels/state.js'
import { type OptimizerSettings, optimizerTable } from '../src/learn/optimizer.js'
import { type PoolBuffers, plainReading } from '../src/learn/pool.js'
import { trainingProgram } from '../src/learn/step.js'
import { flowMatching } from '../src/learn/tasks/flow-matching.js'
import type { Network } from '../src/networks/network.js'
import { addIntegration } from '../src/ode/integrate.js'
import { methods } from '../src/ode/methods.js'
import { planEvaluations } from '../src/ode/solver.js'
import { localSteps } from '../src/ode/steps.js'
import { ProgramBuilder } from '../src/program/program.js'
import { anglesOf } from '../src/recipes/angles.js'
import type { NetWork, Work } from './cases.js'
import type { KernelWork } from './kernel-works.js'
import type { Runner } from './measure.js'
import { fieldOf, type NetShape } from './shapes.js'
import { bytes, normals } from './values.js'

/** Rows of the data set; pictures are drawn from fewer, which are bytes. */
export const POOL_ROWS = 100_000
export const POOL_PICTURES = 10_000
/** Steps between two beginnings of the sub-flow; what bounds the optimizer's table. */
const STEPS = 16_000

/** Training steps between two looks at the losses, of every side that can be looked at. */
export const READ_BACK = 100

export const optimizer: OptimizerSettings = {
  optimizer: 'adam',
  lr: 1e-4,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  ema: 0.999,
  clip: 1,
  schedule: { kind: 'constant' },
  warmup: 0,
}

/** Bytes of the data set and of the optimizer's table, whose length is this bench's choice. */
export function dataBytes({ net }: NetWork): number {
  const { dimension } = fieldOf(net)
  const pool = net.kind === 'unet' ? POOL_PICTURES * poolWords(dimension, 'pixels') : POOL_ROWS * dimension
  return 4 * (pool + STEPS * stepTable.columns)
}

type Make = (length: number, values?: Float32Array | Uint32Array, dtype?: 'f16') => DeviceBuffer

export async function openOurs(device: Device, work: Work): Promise<Runner> {
  const buffers: DeviceBuffer[] = []
  const make: Make = (length, values, dtype) => {
    const buffer = device.createBuffer(length, dtype ?? (values instanceof Uint32Array ? 'u32' : 'f32'))
    buffers.push(buffer)
    if (values) buffer.write(values)
    return buffer
  }
  const free = (): void => {
    for (const buffer of buffers) buffer.dispose()
  }
  try {
    const { builder, rewind, losses } = work.kind === 'kernel' ? kernelProgram(work, make) : netProgram(work, make)
    const executable = await device.compile(builder.build())
    return {
      async run(times) {
        const most = losses ? READ_BACK : STEPS
        for (let done = 0; done < times; done += most) {
          if (done % STEPS < most) rewind?.()
          const count = Math.min(most, times - done)
          await executable.run(count)
          if (losses && count === READ_BACK) await losses.read(0, READ_BACK)
        }
      },
      dispose() {
        executable.dispose()
        free()
      },
    }
  } catch (error) {
    free()
    throw error
  }
}

interface Opened {
  readonly builder: ProgramBuilder
  /** goes back to step 0, where there are steps */
  readonly rewind?: () => void
  /** of the last steps */
  readonly losses?: DeviceBuffer
}

function netProgram(work: NetWork, make: Make): Opened {
  const field = fieldOf(work.net)
  const parameters = make(field.parameterLength, field.initialise(1103, 1))
  if (work.kind === 'step') return stepProgram(work, field, parameters, make)
  if (work.kind === 'sample') return sampleProgram(work, field, make)

  const { rows } = work
  const D = field.dimension
  const builder = new ProgramBuilder()
  const input = builder.tensor(make(rows * D, normals(rows * D)), [rows, D])
  const out = builder.tensor(make(rows * D), [rows, D])
  const flat = builder.tensor(parameters, [field.parameterLength])
  if (work.kind === 'forward') {
    field.addVelocity(builder, { parameters: flat, x: input, t: builder.constant([0.5]), out }, 1)
  } else {
    const logDet = (): ReturnType<ProgramBuilder['tensor']> => builder.tensor(make(rows), [rows, 1])
    addIntegration(
      builder,
      field,
      {
        parameters: flat,
        y: input,
        out,
        ...(work.kind === 'trace' ? { log_det: logDet(), log_det_out: logDet() } : {}),
      },
      [1],
      localSteps(methods.rk4, 0, 0.125, 1),
    )
  }
  return { builder }
}

/** Step sizes of the teacher: the rose's four. */
const GAMMAS = [0.01, 0.04, 0.2, null]

/** From noise to samples, as the library carries a block of rows. */
function sampleProgram({ rows, sampling }: NetWork, field: Network, make: Make): Opened {
  const { evaluations, students } = sampling!
  const N = students ? evaluations : GAMMAS.length
  const P = field.parameterLength
  const flat = make(N * P)
  for (let n = 0; n < N; n++) flat.write(field.initialise(1103, n + 1), n * P)
  const D = field.dimension
  const builder = new ProgramBuilder()
  const y = builder.tensor(make(rows * D, normals(rows * D)), [rows, D])
  const out = builder.tensor(make(rows * D), [rows, D])
  const through = Array.from({ length: N }, (_, i) => ({ subFlow: N - 1 - i, start: 1, end: 0 }))
  // a student's evaluation is a step of Euler's through its whole piece
  const [solver, clock] = students ? (['euler', 'local'] as const) : (['ab2', 'angle'] as const)
  const settings = { solver, clock, evaluations, steps: 1, rtol: 1e-5, atol: 1e-5 }
  const chain = students ? through.map(() => null) : anglesOf(GAMMAS.map((gamma) => ({ gamma, path: 'arc' })))
  const list = planEvaluations(settings, chain, through).flat()
  addIntegration(
    builder,
    field,
    { parameters: builder.tensor(flat, [N * P]), y, out },
    new Array<number>(N).fill(1),
    list,
  )
  return { builder }
}

/** The training step of a sub-flow with clipping and a moving average. */
function stepProgram({ rows, net, precision }: NetWork, field: Network, parameters: DeviceBuffer, make: Make): Opened {
  const P = field.parameterLength
  const settings = {
    name: 'the step',
    number: 1,
    steps: STEPS,
    batch: rows,
    optimizer,
    precision,
    seed: 1103,
  }
  const task = flowMatching({
    right: { gamma: 0.25, coupling: 'dependent' },
    path: 'linear',
    timesPerPair: 1,
    quantiles: null,
    sampling: 'epochs',
  })
  const fresh = new Uint32Array(STATE_LENGTH)
  if (precision === 'mixed') fresh[stateWords.lossExponent] = FIRST_LOSS_EXPONENT
  const state = make(STATE_LENGTH, fresh)
  const table = optimizerTable(STEPS, optimizer)
  const losses = make(4096)
  const builder = trainingProgram(field, task, makePool(net, field.dimension, make), 1, settings, {
    parameters,
    half: precision === 'mixed' ? make(P, field.initialise(1103, 1), 'f16') : null,
    m: make(P),
    v: make(P),
    average: make(P, field.initialise(1103, 1)),
    gradient: make(P),
    ring: losses,
    table: make(table.length, table),
    tables: {},
    state,
  })
  return { builder, rewind: () => state.write(fresh), losses }
}

/** Standard normal points, or pictures of random bytes. */
function makePool(net: NetShape, D: number, make: Make): PoolBuffers {
  if (net.kind !== 'unet') {
    return { left: make(POOL_ROWS * D, normals(POOL_ROWS * D)), rows: POOL_ROWS, reading: plainReading }
  }
  const words = packPixels(bytes(POOL_PICTURES * D), D)
  return { left: make(words.length, words), rows: POOL_PICTURES, reading: { values: 'pixels', mirror: 0 } }
}

function kernelProgram({ kernel, operands, attributes, values, half: halves = [] }: KernelWork, make: Make): Opened {
  const contract = kernels.get(kernel)!
  const builder = new ProgramBuilder()
  const tensors = Object.entries(operands).map(([name, shape]) => {
    const length = size(shape)
    const given = values[name]
    const all = given && Array.from({ length }, (_, i) => given[Math.min(i, given.length - 1)])
    const filled =
      contract.operands[name].dtype === 'u32'
        ? Uint32Array.from(all ?? new Uint32Array(length))
        : all
          ? Float32Array.from(all)
          : normals(length, 0.1)
    const half =
      halves.includes(name) || contract.operands[name].dtype === 'f16' || (kernel === 'convert' && name === 'y')
    const buffer = half ? make(length, undefined, 'f16') : make(length, filled)
    return [name, builder.tensor(buffer, shape)] as const
  })
  builder.add(contract, Object.fromEntries(tensors), attributes)
  return { builder }
}
