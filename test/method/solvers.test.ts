/**
 * Solvers on a network with strong curvature: the measured order of convergence, the inverse, the divergence against finite
 * differences of the field, and rows that stand alone. On every device.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { type Link, type Trace, Transport, wholePath } from '../../src/model/transport.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { describeOn } from '../devices.js'

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 3,
  condition: 0,
  hidden: [24, 17],
  activation: 'tanh',
  beta: 1,
  time: 'every',
  frequencies: [0.7],
}
const field = mlpNetwork(net)
const solver = (name: SolverSettings['solver'], steps = 8, tolerance = 1e-5): SolverSettings => ({
  solver: name,
  steps,
  rtol: tolerance,
  atol: tolerance,
})

/** Two sub-flows whose weights are large enough to bend paths. */
function links(device: Device, oneBuffer = false): { links: Link[]; dispose: () => void } {
  const P = field.parameterLength
  const shared = oneBuffer ? device.createBuffer(2 * P) : null
  const made = [1, 2].map((stream, number) => {
    const parameters = shared ?? device.createBuffer(P)
    const offset = shared ? number * P : 0
    parameters.write(
      field.initialise(77, stream).map((w) => 2.2 * w),
      offset,
    )
    return { field, parameters, offset, outputScale: 1.3 - 0.2 * number, place: { number, chain } }
  })
  return {
    links: made,
    dispose: () => {
      for (const parameters of new Set(made.map((link) => link.parameters))) parameters.dispose()
    },
  }
}

const chain = anglesOf([
  { gamma: 0.3, path: 'linear' },
  { gamma: null, path: 'arc' },
])

const rows = 37
const points = Float32Array.from({ length: rows * 3 }, (_, i) => 1.5 * Math.sin(1.7 * i + 0.3))

async function carry(
  device: Device,
  direction: 'encode' | 'decode',
  settings: SolverSettings,
  x: Float32Array = points,
  trace: Trace = null,
  oneBuffer = false,
) {
  const chain = links(device, oneBuffer)
  const n = x.length / 3
  const transport = await Transport.open(device, {
    legs: wholePath(chain.links, direction),
    solver: settings,
    trace,
    rows: 64,
    source: { kind: 'input' },
  })
  try {
    const load = (first: number, count: number) => transport.input.write(x.subarray(3 * first, 3 * (first + count)))
    const { states, logDet, evaluations } = await transport.run(n, load)
    return { z: states[0], logDet, evaluations }
  } finally {
    transport.dispose()
    chain.dispose()
  }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length)

await describeOn(['reference', 'native', 'webgpu'], 'solvers', (device) => {
  test.each([
    ['euler', 1, 16],
    ['midpoint', 2, 8],
    ['heun', 2, 8],
    ['ab2', 2, 16],
    ['rk4', 4, 2],
  ] as const)('%s converges with order %d', async (name, order, steps) => {
    const { z: exact } = await carry(device(), 'encode', solver('rk4', 32))
    const errors = []
    for (const factor of [1, 2]) {
      errors.push(distance((await carry(device(), 'encode', solver(name, factor * steps))).z, exact))
    }
    expect(Math.log2(errors[0] / errors[1])).toBeGreaterThan(order - 0.35)
    expect(Math.log2(errors[0] / errors[1])).toBeLessThan(order + 0.9)
  })

  test('dopri5 keeps its tolerance, spends more for a smaller one, and counts by row', async () => {
    const { z: exact } = await carry(device(), 'encode', solver('rk4', 32))
    const loose = await carry(device(), 'encode', solver('dopri5', 0, 1e-3))
    const tight = await carry(device(), 'encode', solver('dopri5', 0, 1e-5))
    expect(distance(loose.z, exact)).toBeLessThan(5e-3)
    expect(distance(tight.z, exact)).toBeLessThan(5e-5)
    expect(tight.evaluations.mean).toBeGreaterThan(loose.evaluations.mean)
    expect(tight.evaluations.max).toBeGreaterThan(tight.evaluations.mean)
  })

  test('decode undoes encode', async () => {
    for (const settings of [solver('rk4', 16), solver('dopri5', 0, 1e-5)]) {
      const there = await carry(device(), 'encode', settings)
      const back = await carry(device(), 'decode', settings, there.z)
      expect(distance(back.z, points)).toBeLessThan(1e-4)
    }
  })

  test('∫ div v dt is the log-determinant of the map, by finite differences', async () => {
    const settings = solver('rk4', 12)
    const { logDet } = await carry(device(), 'encode', settings, points, { kind: 'exact' })
    const adaptive = await carry(device(), 'encode', solver('dopri5'), points, { kind: 'exact' })
    const h = 0.02
    for (const row of [0, 5, 36]) {
      const shifted = new Float32Array(6 * 3)
      for (let j = 0; j < 6; j++) {
        for (let d = 0; d < 3; d++) {
          shifted[3 * j + d] = points[3 * row + d] + (d === j >> 1 ? (j % 2 ? -h : h) : 0)
        }
      }
      const { z } = await carry(device(), 'encode', settings, shifted)
      const J = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (z[3 * (2 * j) + i] - z[3 * (2 * j + 1) + i]) / (2 * h)))
      const det =
        J[0][0] * (J[1][1] * J[2][2] - J[1][2] * J[2][1]) -
        J[0][1] * (J[1][0] * J[2][2] - J[1][2] * J[2][0]) +
        J[0][2] * (J[1][0] * J[2][1] - J[1][1] * J[2][0])
      expect(logDet![row]).toBeCloseTo(Math.log(det), 2)
      expect(adaptive.logDet![row]).toBeCloseTo(logDet![row], 3)
    }
  })

  test('Hutchinson’s estimate is near the exact trace, and nearer with more probes', async () => {
    const settings = solver('rk4', 4)
    const exact = (await carry(device(), 'encode', settings, points, { kind: 'exact' })).logDet!
    const error = async (probes: number) =>
      distance(
        (await carry(device(), 'encode', settings, points, { kind: 'hutchinson', probes, seed: 9 })).logDet!,
        exact,
      )
    const [few, many] = [await error(1), await error(32)]
    expect(many).toBeLessThan(0.5 * few)
  })

  test('sub-flows whose parameters share a buffer are carried as those that do not', async () => {
    const ab2 = { ...solver('ab2'), evaluations: 9, clock: 'angle' } as const
    for (const settings of [solver('rk4', 2), ab2]) {
      for (const trace of [null, { kind: 'exact' }] as const) {
        const [apart, together] = [
          await carry(device(), 'decode', settings, points, trace),
          await carry(device(), 'decode', settings, points, trace, true),
        ]
        expect(together).toEqual(apart)
        expect(apart.evaluations.mean).toBe(settings === ab2 ? 9 : 16)
      }
    }
  })

  test('by the angle as in local time, with enough steps', async () => {
    const exact = await carry(device(), 'encode', solver('rk4', 16), points, { kind: 'exact' })
    const settings = { ...solver('rk4', 24), clock: 'angle' } as const
    const { z, logDet } = await carry(device(), 'encode', settings, points, { kind: 'exact' })
    expect(distance(z, exact.z)).toBeLessThan(2e-3)
    expect(distance(logDet!, exact.logDet!)).toBeLessThan(4e-3)
    const back = await carry(device(), 'decode', settings, z)
    expect(distance(back.z, points)).toBeLessThan(2e-3)
  })

  test.each([solver('rk4', 3), { ...solver('ab2', 3), clock: 'angle' } as const, solver('dopri5', 0, 1e-4)])(
    'a row does not depend on its company: %o',
    async (settings) => {
      const together = (await carry(device(), 'encode', settings)).z
      const alone = (await carry(device(), 'encode', settings, points.slice(3 * 11, 3 * 12))).z
      expect([...alone]).toEqual([...together.slice(3 * 11, 3 * 12)])
    },
  )
})
