/**
 * Clocks: the variable that steps are even in. `local` is each sub-flow's own time t. `angle` is one angle through the whole
 * chain, from 0 at the data to π/2 at the noise (less where the chain ends in a number instead of the free sub-flow).
 *
 * Every path is I_t = A(t) x_l + B(t) z, and so has an angle of its own, φ(t) = atan2(B, A), from 0 to θ_n = arccos e^{−γ_n}
 * (π/2 for the free one). If x_l is the Ornstein–Uhlenbeck image of the data at the angle Θ_{n−1}, which the push aims for, I_t
 * has the same ratio of data to noise as that image at Θ, with
 *
 *     cos Θ = cos Θ_{n−1} · cos φ(t),   cos Θ_n = Π_{i ≤ n} cos θ_i
 *     dt/dΘ = (dφ/dΘ) / (dφ/dt),   dφ/dΘ = sin Θ / (cos Θ_{n−1} sin φ)
 *
 * On the arc φ = θ_n t, and I_t is the process itself. Another path has the process's marginals up to a factor
 * ρ = √(A² + B²), 1 at both ends: by the angle, the state of every path is u = I_t/ρ, with
 *
 *     du/dΘ = (v(ρu, t)/ρ − u·(dρ/dt)/ρ)·dt/dΘ
 *
 * so that a linear or trigonometric path costs as much as the arc, and du/dΘ is smooth from a sub-flow to the next. From
 * Θ_{n−1} > 0 on, dφ/dΘ is infinite at the data side of a sub-flow, t = 0, where du/dφ vanishes: u is smooth in Θ, even in φ. A
 * step with an evaluation there is taken in φ.
 */

/** A(t), B(t) and their derivatives, 0 ≤ t ≤ 1. */
export type SignalNoise = (t: number) => {
  readonly signal: number
  readonly noise: number
  readonly signalRate: number
  readonly noiseRate: number
}

/** Where a sub-flow lies on the chain's angle. */
export interface AngleRange {
  /** Θ_{n−1} */
  readonly from: number
  /** Θ_n */
  readonly to: number
  readonly path: SignalNoise
  /** whether the path is the process itself */
  readonly arc: boolean
}

/** A local time, the rate of local time by the clock there, and the size of I_t relative to the process. */
export interface Instant {
  readonly time: number
  readonly rate: number
  /** √(A² + B²), and d log √(A² + B²)/dt; 1 and 0 where the state is I_t itself */
  readonly size: number
  readonly growth: number
}

/** A sub-flow by the clock: readings at its data side and its noise side, and the instant at a reading. */
export interface Dial {
  readonly from: number
  readonly to: number
  /** the reading at local time t */
  reading(t: number): number
  instant(reading: number): Instant
  /** whether the derivative by the clock is smooth from a sub-flow to the next */
  readonly joined: boolean
  /** the same sub-flow by its own angle φ, whose rate is finite everywhere; left out if the clock's rate is finite too */
  readonly own?: Dial
}

export const clocks = ['local', 'angle'] as const
export type Clock = (typeof clocks)[number]

export const localDial: Dial = {
  from: 0,
  to: 1,
  reading: (t) => t,
  instant: (time) => ({ time, rate: 1, size: 1, growth: 0 }),
  joined: false,
}

/** θ = arccos e^{−γ} of one Ornstein–Uhlenbeck step; π/2 for the free one (null). */
export const angleOf = (gamma: number | null): number => {
  if (gamma === null) return Math.PI / 2
  // atan2 keeps the digits of small γ, where e^{−γ} is near 1
  return Math.atan2(Math.sqrt(-Math.expm1(-2 * gamma)), Math.exp(-gamma))
}

/** The ranges of a chain's sub-flows, cos Θ_n = Π cos θ_i. */
export function angleRanges(
  subFlows: readonly { readonly gamma: number | null; readonly path: SignalNoise }[],
): AngleRange[] {
  let from = 0
  return subFlows.map(({ gamma, path }) => {
    const to = gamma === null ? Math.PI / 2 : further(from, angleOf(gamma))
    const range = { from, to, path, arc: isArc(path) }
    from = to
    return range
  })
}

/** A² + B² = 1 all along. */
const isArc = (path: SignalNoise): boolean =>
  [0, 0.2, 0.5, 0.9, 1].every((t) => {
    const { signal, noise } = path(t)
    return Math.abs(Math.hypot(signal, noise) - 1) < 1e-9
  })

/** arccos(cos Θ · cos φ) */
function further(from: number, turn: number): number {
  const [sine, cosine] = [Math.sin(from), Math.cos(from)]
  return Math.atan2(Math.hypot(sine, cosine * Math.sin(turn)), cosine * Math.cos(turn))
}

/** A sub-flow by the chain's angle. */
export function angleDial({ from, to, path, arc }: AngleRange): Dial {
  const phi = (t: number): number => {
    const { signal, noise } = path(t)
    return Math.atan2(noise, signal)
  }
  const whole = phi(1)
  const own: Dial = {
    from: 0,
    to: whole,
    joined: false,
    reading: phi,
    instant(angle) {
      const time = angle === whole ? 1 : timeOf(phi, angle)
      const { signal, noise, signalRate, noiseRate } = path(time)
      const square = signal * signal + noise * noise
      return {
        time,
        rate: square / (signal * noiseRate - noise * signalRate),
        size: arc ? 1 : Math.sqrt(square),
        growth: arc ? 0 : (signal * signalRate + noise * noiseRate) / square,
      }
    },
  }
  return {
    from,
    to,
    joined: true,
    own,
    reading: (t) => (t === 0 ? from : t === 1 ? to : further(from, phi(t))),
    instant(reading) {
      // cos φ and sin φ times cos Θ_{n−1}, the sine without cancellation near φ = 0
      const cosine = Math.cos(reading)
      const sine = Math.sqrt(Math.max(0, Math.sin(reading - from) * Math.sin(reading + from)))
      const angle = reading === from ? 0 : reading === to ? whole : Math.min(whole, Math.atan2(sine, cosine))
      const instant = own.instant(angle)
      return { ...instant, rate: instant.rate * (from === 0 ? 1 : Math.sin(reading) / sine) }
    },
  }
}

/** t with φ(t) = angle, φ rising from 0 at 0: by halving, to the last digit. */
function timeOf(phi: (t: number) => number, angle: number): number {
  if (angle <= 0) return 0
  let [low, high] = [0, 1]
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (phi(middle) < angle) low = middle
    else high = middle
  }
}
