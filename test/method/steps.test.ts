/**
 * Steps as lists of evaluations: equal local steps are the floats that they always were, the chain's angle is exact on Gaussians,
 * methods converge with their order by either clock and in both directions, across sub-flows too, and evaluations are shared
 * out as they were asked for.
 */

import { describe, expect, test } from 'vitest'
import { type AngleRange, angleDial, angleOf, angleRanges, type Clock, type SignalNoise } from '../../src/ode/clock.js'
import type { Evaluation } from '../../src/ode/evaluations.js'
import { methods, type SolverName, solverNames } from '../../src/ode/methods.js'
import { checkSolver, planEvaluations, type SolverSettings } from '../../src/ode/solver.js'
import { localSteps } from '../../src/ode/steps.js'
import { euler, midpoint, rk4 } from '../../src/ode/tableaus.js'

const settings = (solver: SolverName, more: Partial<SolverSettings> = {}): SolverSettings => ({
  solver,
  steps: 8,
  rtol: 1e-5,
  atol: 1e-5,
  ...more,
})

const gammas = [0.05, 0.2, null]

type PathOf = (gamma: number | null) => SignalNoise

const arc: PathOf = (gamma) => {
  const angle = angleOf(gamma)
  return (t) => ({
    signal: Math.cos(angle * t),
    noise: Math.sin(angle * t),
    signalRate: -angle * Math.sin(angle * t),
    noiseRate: angle * Math.cos(angle * t),
  })
}

/** (1 − s) x_l + s (a x_l + b z) of s = t, and with cos and sin of a quarter turn. */
const linear: PathOf = (gamma) => {
  const [a, b] = [Math.cos(angleOf(gamma)), Math.sin(angleOf(gamma))]
  return (t) => ({ signal: 1 - t + a * t, noise: b * t, signalRate: a - 1, noiseRate: b })
}
const trig: PathOf = (gamma) => {
  const [a, b] = [Math.cos(angleOf(gamma)), Math.sin(angleOf(gamma))]
  const quarter = Math.PI / 2
  return (t) => {
    const [cos, sin] = [Math.cos(quarter * t), Math.sin(quarter * t)]
    return {
      signal: cos + a * sin,
      noise: b * sin,
      signalRate: quarter * (a * cos - sin),
      noiseRate: quarter * b * cos,
    }
  }
}
const paths = { arc, linear, trig }

const chainOf = (path: PathOf): AngleRange[] => angleRanges(gammas.map((gamma) => ({ gamma, path: path(gamma) })))

/** DDIM goes by the angle alone. */
const clocksOf = (name: SolverName): readonly Clock[] => (name === 'ddim' ? ['angle'] : ['local', 'angle'])

/** Variances of the data's axes; the pools are their Ornstein–Uhlenbeck images. */
const variances = [0.04, 1.7]

/** The velocity of a Gaussian along a path: (A A′ S + B B′)/(A² S + B²)·x for a pool of variance S. */
function velocity(
  chain: readonly AngleRange[],
  network: number,
  time: number,
  x: readonly number[],
  variances: readonly number[],
): number[] {
  const { from, path } = chain[network]
  const { signal: A, noise: B, signalRate: dA, noiseRate: dB } = path(time)
  return x.map((value, d) => {
    const S = Math.cos(from) ** 2 * variances[d] + Math.sin(from) ** 2
    return ((A * dA * S + B * dB) / (A * A * S + B * B)) * value
  })
}

/** Runs evaluations in float64, as the contract of integrate says. */
function run(
  evaluations: readonly Evaluation[],
  chain: readonly AngleRange[],
  from: readonly number[],
  of: readonly number[] = variances,
): number[] {
  let [y, p, sum] = [from, from, from]
  const along = (base: readonly number[], factor: number, k: readonly number[]): number[] =>
    base.map((value, d) => value + factor * k[d])
  for (const { network, time, factor, own, place, share, reach, ends, carry } of evaluations) {
    const x = p.map((value) => place * value)
    const k = velocity(chain, network, time, x, of).map((v, d) => factor * v + own * x[d])
    sum = along(sum, share, k)
    if (ends) {
      y = p = sum
      sum = along(y, carry, k)
    } else p = along(y, reach, k)
  }
  return [...y]
}

const passages = (direction: 'encode' | 'decode') => {
  const all = gammas.map((_, subFlow) => ({ subFlow, start: 0, end: 1 }))
  return direction === 'encode' ? all : all.reverse().map(({ subFlow }) => ({ subFlow, start: 1, end: 0 }))
}

/** Encoded, x becomes x/√S; decoded, z becomes z·√S. */
function errorOf(path: PathOf, direction: 'encode' | 'decode', of: SolverSettings): number {
  const chain = chainOf(path)
  const evaluations = planEvaluations(of, chain, passages(direction)).flat()
  const power = direction === 'encode' ? -1 / 2 : 1 / 2
  const reached = run(evaluations, chain, [1, 1])
  return Math.max(...reached.map((value, d) => Math.abs(value / variances[d] ** power - 1)))
}

describe('equal steps in local time', () => {
  test.each(['euler', 'midpoint', 'rk4'] as const)('%s: the floats of start + (k + node)·h and weight·h', (name) => {
    const { nodes, a, weights } = { euler, midpoint, rk4 }[name]
    for (let steps = 1; steps <= 64; steps++) {
      for (const [start, end] of [
        [0, 1],
        [1, 0],
      ]) {
        const h = (end - start) / steps
        const found = localSteps(methods[name], start, end, steps)
        const wanted = Array.from({ length: steps }, (_, k) =>
          nodes.map((node, s) => ({
            // a noise of 1e-17 at the end is no time
            time: Math.fround(Math.abs(start + (k + node) * h) < 1e-12 ? 0 : start + (k + node) * h),
            share: Math.fround(weights[s] * h),
            reach: Math.fround(s === nodes.length - 1 ? 0 : a[s + 1][s] * h),
          })),
        ).flat()
        const floats = found.map(({ time, share, reach }) => ({
          time: Math.fround(time),
          share: Math.fround(share),
          reach: Math.fround(reach),
        }))
        expect(floats, `${steps} steps`).toEqual(wanted)
      }
    }
  })
})

describe('the angle', () => {
  test('of small steps keeps its digits, of the free one is a quarter turn', () => {
    expect(angleOf(1e-9) / Math.sqrt(2e-9)).toBeCloseTo(1, 8)
    expect(Math.cos(angleOf(0.2))).toBeCloseTo(Math.exp(-0.2), 15)
    expect(angleOf(null)).toBe(Math.PI / 2)
  })

  test('of a chain: cos Θ_n = Π cos θ_i', () => {
    const [first, second, free] = chainOf(arc)
    expect(first.from).toBe(0)
    expect(Math.cos(first.to)).toBeCloseTo(Math.exp(-0.05), 14)
    expect(second.from).toBe(first.to)
    expect(Math.cos(second.to)).toBeCloseTo(Math.exp(-0.25), 14)
    expect(free.to).toBe(Math.PI / 2)
    expect([first, second, free].map((range) => range.arc)).toEqual([true, true, true])
    expect(chainOf(linear).map((range) => range.arc)).toEqual([false, false, false])
    // the trigonometric path of plain flow matching is the arc
    expect(chainOf(trig).map((range) => range.arc)).toEqual([false, false, true])
  })

  test.each(Object.entries(paths))('on the %s path: local time back and forth, and its rate', (_, path) => {
    for (const range of chainOf(path)) {
      const dial = angleDial(range)
      expect([dial.reading(0), dial.reading(1)]).toEqual([range.from, range.to])
      expect([dial.instant(range.from).time, dial.instant(range.to).time]).toEqual([0, 1])
      for (const time of [0.01, 0.3, 0.77, 0.99]) {
        const reading = dial.reading(time)
        expect(dial.instant(reading).time).toBeCloseTo(time, 11)
        const h = 1e-6
        const rate = (dial.instant(reading + h).time - dial.instant(reading - h).time) / (2 * h)
        expect(dial.instant(reading).rate / rate).toBeCloseTo(1, 4)
        // as much signal beside noise as the process has at this angle
        const { signal, noise } = range.path(time)
        const before = [signal * Math.cos(range.from), Math.hypot(signal * Math.sin(range.from), noise)]
        expect(Math.atan2(before[1], before[0])).toBeCloseTo(reading, 12)
      }
    }
  })

  test('on the arc: dt/dΘ = sin Θ/(θ cos Θ₋ sin θt), infinite where later sub-flows begin, finite in the first', () => {
    const chain = chainOf(arc)
    const [first, second] = chain.map(angleDial)
    expect(first.instant(0).rate).toBeCloseTo(1 / angleOf(0.05), 12)
    expect(second.instant(chain[1].from).rate).toBe(Number.POSITIVE_INFINITY)
    const angle = angleOf(0.2)
    const { time, rate } = second.instant(0.5)
    expect(time).toBeCloseTo(Math.acos(Math.cos(0.5) / Math.cos(chain[1].from)) / angle, 12)
    expect(rate).toBeCloseTo(Math.sin(0.5) / (angle * Math.cos(chain[1].from) * Math.sin(angle * time)), 10)
  })
})

describe('convergence on a Gaussian through three sub-flows', () => {
  const orders: [SolverName, number][] = [
    ['euler', 1],
    ['midpoint', 2],
    ['heun', 2],
    ['ab2', 2],
    ['rk4', 4],
    ['ddim', 1],
  ]
  const cases = orders.flatMap(([name, order]) =>
    (['decode', 'encode'] as const).flatMap((direction) =>
      clocksOf(name).flatMap((clock) =>
        Object.entries(paths).map(([path, of]) => ({ name, order, direction, clock, path, of })),
      ),
    ),
  )
  test.each(cases)('$name, $direction, $clock clock, $path: order $order', ({ name, order, direction, clock, of }) => {
    const [few, more] = [name === 'rk4' ? 12 : 48, name === 'rk4' ? 24 : 96]
    const errors = [few, more].map((steps) => errorOf(of, direction, settings(name, { steps, clock })))
    const found = Math.log2(errors[0] / errors[1])
    // by the angle, rk4's step at a later sub-flow's t = 0 goes by φ ∼ √ΔΘ, to its fifth power
    expect(found).toBeGreaterThan(name === 'rk4' && clock === 'angle' ? 2.4 : order - 0.3)
    expect(found).toBeLessThan(order + 1.3)
  })

  test.each(Object.entries(paths))('rk4 by the angle has order 4 where the angle begins at 0: %s', (_, path) => {
    const chain = angleRanges([{ gamma: null, path: path(null) }])
    const errors = [6, 12].map((steps) => {
      const passage = { subFlow: 0, start: 1, end: 0 }
      const [evaluations] = planEvaluations(settings('rk4', { steps, clock: 'angle' }), chain, [passage])
      return Math.max(...run(evaluations, chain, [1, 1]).map((value, d) => Math.abs(value - Math.sqrt(variances[d]))))
    })
    expect(Math.log2(errors[0] / errors[1])).toBeGreaterThan(3.7)
  })

  test('every path costs by the angle what the arc costs', () => {
    for (const name of ['euler', 'midpoint', 'heun', 'ab2', 'rk4', 'ddim'] as const) {
      const [onArc, ...others] = Object.values(paths).map((path) =>
        errorOf(path, 'decode', settings(name, { evaluations: 16, clock: 'angle' })),
      )
      for (const error of others) expect(error).toBeCloseTo(onArc, 8)
    }
  })

  test('DDIM is exact with a step for each sub-flow where the data are one point, on every path', () => {
    for (const path of Object.values(paths)) {
      const chain = chainOf(path)
      const steps = (name: SolverName) => {
        const evaluations = planEvaluations(
          settings(name, { steps: [1, 1, 1], clock: 'angle' }),
          chain,
          passages('decode'),
        )
        return Math.abs(run(evaluations.flat(), chain, [1, 1], [1e-18, 1e-18])[0])
      }
      expect(steps('ddim')).toBeLessThan(1e-8)
      expect(steps('euler')).toBeGreaterThan(0.01)
    }
  })

  test('on the arc the angle needs fewer evaluations than local time', () => {
    const [angle, local] = (['angle', 'local'] as const).map((clock) =>
      errorOf(arc, 'decode', settings('ab2', { evaluations: 12, clock })),
    )
    expect(angle).toBeLessThan(local / 1.8)
  })
})

describe('evaluations shared out', () => {
  const planned = (of: SolverSettings, path = arc): number[] =>
    planEvaluations(of, chainOf(path), passages('decode'))
      .map((evaluations) => evaluations.length)
      .reverse()

  test('by the angle: one step at least, the others where the angle is longest', () => {
    const lengths = chainOf(arc).map(({ from, to }) => to - from)
    expect(planned(settings('ab2', { evaluations: 3, clock: 'angle' }))).toEqual([1, 1, 1])
    const counts = planned(settings('ab2', { evaluations: 24, clock: 'angle' }))
    expect(counts.reduce((a, b) => a + b)).toBe(24)
    const widths = counts.map((count, i) => lengths[i] / count)
    expect(Math.max(...widths) / Math.min(...widths)).toBeLessThan(1.4)
  })

  test('in local time: evenly, what is left towards the noise', () => {
    expect(planned(settings('euler', { evaluations: 11 }))).toEqual([3, 4, 4])
    expect(planned(settings('heun', { evaluations: 13 }))).toEqual([4, 4, 4])
    expect(planned(settings('rk4', { evaluations: 12 }))).toEqual([4, 4, 4])
  })

  test('never more than asked for, and all of them where steps allow', () => {
    for (const name of solverNames.filter((one) => methods[one].kind !== 'adaptive')) {
      for (const clock of clocksOf(name)) {
        for (let evaluations = 12; evaluations < 40; evaluations++) {
          const spent = planned(settings(name, { evaluations, clock })).reduce((a, b) => a + b)
          expect(spent).toBeLessThanOrEqual(evaluations)
          expect(spent).toBeGreaterThan(evaluations - (name === 'rk4' ? 4 : 2))
        }
      }
    }
  })

  test('steps: a number, a list, and by the angle a mean', () => {
    expect(planned(settings('euler', { steps: 5 }))).toEqual([5, 5, 5])
    expect(planned(settings('midpoint', { steps: [1, 2, 6] }))).toEqual([2, 4, 12])
    expect(planned(settings('euler', { steps: [1, 2, 6], clock: 'angle' }))).toEqual([1, 2, 6])
    const shared = planned(settings('euler', { steps: 5, clock: 'angle' }))
    expect(shared.reduce((a, b) => a + b)).toBe(15)
    expect(shared[2]).toBeGreaterThan(shared[1])
  })

  test('a part of a sub-flow gets its share of the steps', () => {
    const half = (clock: 'local' | 'angle') =>
      planEvaluations(settings('euler', { steps: [8, 8, 8], clock }), chainOf(arc), [
        { subFlow: 2, start: 1, end: 0.5 },
        { subFlow: 2, start: 0.5, end: 0 },
      ]).map(({ length }) => length)
    expect(half('local')).toEqual([4, 4])
    const [later, sooner] = half('angle')
    expect(later).toBeGreaterThan(sooner)
  })

  test('too few evaluations, and what no solver can run with, say what would be right', () => {
    expect(() => planned(settings('rk4', { evaluations: 11 }))).toThrow(/at least 12, .*rk4.* 3 sub-flows, but is 11/)
    expect(() => planned(settings('ab2', { evaluations: 2, clock: 'angle' }))).toThrow(/at least 3/)
    const check = (more: object) => () => checkSolver('solver', { ...settings('rk4'), ...more } as SolverSettings, 3)
    expect(check({ solver: 'rk5' })).toThrow(/solver\.solver must be one of euler, .*ab2, ddim, dopri5, but is 'rk5'/)
    expect(check({ clock: 'sun' })).toThrow(/solver\.clock must be one of local, angle, but is 'sun'/)
    expect(check({ evaluations: 0 })).toThrow(/solver\.evaluations must be a whole number from 1 on, but is 0/)
    expect(check({ steps: [3, 3] })).toThrow(/one for each of the 3 sub-flows, but is \[3,3\]/)
    expect(check({ steps: [3, 0, 3] })).toThrow(/solver\.steps must be a whole number/)
    expect(check({ steps: [3, 2, 3] })).not.toThrow()
    const rotations = /clock must be angle, of which the steps of ddim are rotations, but is 'local'/
    expect(check({ solver: 'ddim' })).toThrow(rotations)
    expect(() => planned(settings('ddim'))).toThrow(rotations)
    expect(check({ solver: 'ddim', clock: 'angle' })).not.toThrow()
    expect(() => planEvaluations(settings('euler', { clock: 'angle' }), [null], [])).toThrow(/nothing says where/)
  })
})
