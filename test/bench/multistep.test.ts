import { describe, expect, it } from 'vitest'
import { multistep, type Step, type Visited } from '../../bench/quality/multistep.js'

/** Variance of a Gaussian of variance .2 at an angle, and half its logarithm's derivative: du/dΘ = u·growth. */
const variance = (angle: number): number => 0.2 * Math.cos(angle) ** 2 + Math.sin(angle) ** 2
const growth = (angle: number): number => (0.8 * Math.sin(angle) * Math.cos(angle)) / variance(angle)

/** Where a state of 1 at 1.4 is at .3, less where it would be. */
function errorOf(step: Step, steps: number): number {
  const [from, to] = [1.4, 0.3]
  const angleAt = (k: number): number => from + (k / steps) * (to - from)
  const at = (angle: number, u: number): Visited => ({
    angle,
    u: Float64Array.of(u),
    r: Float64Array.of(u * growth(angle)),
  })
  // the first step begins with exact states behind it: a method's own start is of a lower order
  const visited = [-1, -2].map((k) => at(angleAt(k), Math.sqrt(variance(angleAt(k)) / variance(from))))
  let u: Visited['u'] = Float64Array.of(1)
  for (let k = 0; k < steps; k++) {
    visited.unshift(at(angleAt(k), u[0]))
    u = step([visited[0], ...visited.slice(1, 3)], angleAt(k + 1))
  }
  return Math.abs(u[0] - Math.sqrt(variance(to) / variance(from)))
}

describe('methods of few evaluations that solvers are compared with', () => {
  it.each([
    ['third-order Adams–Bashforth', 3],
    ['DPM-Solver++(2M)', 2],
    ['rotation of a leaning point', 2],
  ] as const)('%s is of its order on a Gaussian', (name, order) => {
    const step = multistep[name]
    const [coarse, fine] = [errorOf(step, 64), errorOf(step, 128)]
    expect(Math.log2(coarse / fine)).toBeGreaterThan(order - 0.25)
    expect(Math.log2(coarse / fine)).toBeLessThan(order + 0.4)
  })

  it('DPM-Solver++(2M) and the rotation come to a point that stays, from anywhere', () => {
    for (const name of ['DPM-Solver++(2M)', 'rotation of a leaning point'] as const) {
      const angle = 1.1
      const [point, noise] = [0.7, -0.4]
      const u = Float64Array.of(Math.cos(angle) * point + Math.sin(angle) * noise)
      const r = Float64Array.of(-Math.sin(angle) * point + Math.cos(angle) * noise)
      expect(multistep[name]([{ angle, u, r }], 0)[0]).toBeCloseTo(point, 12)
    }
  })
})
