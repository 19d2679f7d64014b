/**
 * A push goes all the way: a field that is constant moves every row by itself, and a sub-flow that has learned a Gaussian
 * leaves the moments of the Ornstein–Uhlenbeck process at the full γ.
 */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/gaussian.js'
import { seedWords } from '../../src/kernels/draws.js'
import { loadRows } from '../../src/kernels/load_rows.js'
import { packPixels } from '../../src/kernels/pool.js'
import { uploadPool } from '../../src/learn/pool.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { type MlpSpec, mlpLayers } from '../../src/networks/mlp/spec.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { pushForward } from '../../src/recipes/push-forward.js'
import type { RecipeState } from '../../src/recipes/recipe.js'
import { describeOn } from '../devices.js'
import { chain, optimizer, trainChain } from '../training.js'

const net = (dimension: number): MlpSpec => ({
  kind: 'mlp',
  dimension,
  condition: 0,
  hidden: [16],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})

const solvers: SolverSettings[] = (['euler', 'midpoint', 'rk4', 'dopri5'] as const).map((solver) => ({
  solver,
  steps: 3,
  rtol: 1e-5,
  atol: 1e-5,
}))

await describeOn(['reference', 'native'], 'a push', (device) => {
  test.each(solvers)('by $solver moves every row by the whole of a constant velocity', async (solver) => {
    const field = mlpNetwork(net(2))
    const layer = mlpLayers(net(2)).at(-1)!
    const values = new Float32Array(field.parameterLength)
    // times the output scale: (1.5, −0.75)
    values.set([3, -1.5], layer.bias)
    const parameters = device().createBuffer(values.length)
    parameters.write(values)
    const rows = 70
    const x = Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(i))
    const pool = uploadPool(device(), { left: x }, 2, 0)
    const made = await pushForward(device(), { field, parameters, outputScale: 0.5 }, pool, {
      solver,
      seed: 1,
      stream: 1,
    })
    const pushed = await made.pool.left.read()
    x.forEach((value, i) => {
      expect(pushed[i]).toBeCloseTo(value + (i % 2 === 0 ? 1.5 : -0.75), 5)
    })
    for (const buffer of [parameters, pool.left, made.pool.left]) buffer.dispose()
  })
})

await describeOn(['native'], 'a push of mirrored pictures', (device) => {
  test('turns each row as its number says, in whatever block it is', async () => {
    const field = mlpNetwork(net(2))
    const parameters = device().createBuffer(field.parameterLength)
    // more rows than a block has: pictures of one row of two pixels
    const n = 2000
    const bytes = Uint8Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? 0 : 255))
    const pool = uploadPool(device(), { left: bytes }, 2, 2)
    const options = { solver: solvers[0], seed: 7, stream: 3 }
    const made = await pushForward(device(), { field, parameters, outputScale: 1 }, pool, options)
    const pushed = await made.pool.left.read()
    const y = { data: new Float64Array(2 * n), shape: [n, 2] }
    loadRows.reference(
      {
        pool: { data: packPixels(bytes, 2), shape: [n, 1] },
        first: { data: Uint32Array.of(0), shape: [1] },
        y,
      },
      { ...seedWords(7), stream: 3, values: 'pixels', mirror: 2 },
    )
    expect([...(pushed as Float32Array)]).toEqual([...y.data])
    expect(new Set(y.data.filter((_, i) => i % 2 === 0))).toEqual(new Set([-1, 1]))
    for (const buffer of [parameters, pool.left, made.pool.left]) buffer.dispose()
  })
})

await describeOn(['native'], 'the pool after a sub-flow', (device) => {
  test('has the mean and the variance of the process at the full γ', async () => {
    const n = 4000
    const [mean, spread, gamma] = [3, 0.4, 0.7]
    const x = gaussian([mean], [[spread ** 2]]).sample(n, 3)
    let pool: Float32Array | null = null
    await trainChain(
      device(),
      mlpNetwork(net(1)),
      x,
      chain([gamma, null], { steps: [500, 1], fit: { batch: 256, seed: 5, optimizer: { ...optimizer, lr: 0.01 } } }),
      {
        onCheckpoint: async (state: RecipeState) => {
          if (state.fit === 2 && !state.training) pool = state.pool!.left as Float32Array
        },
      },
    )
    const values = pool as unknown as Float32Array
    const average = values.reduce((sum, value) => sum + value, 0) / n
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / n
    // at nine tenths of the way the mean would be 1.64 in place of 1.49
    expect(Math.abs(average - mean * Math.exp(-gamma))).toBeLessThan(0.05)
    const wanted = spread ** 2 * Math.exp(-2 * gamma) + 1 - Math.exp(-2 * gamma)
    expect(Math.abs(variance / wanted - 1)).toBeLessThan(0.1)
  })
})
