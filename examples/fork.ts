/**
 * Left or right round a post: a policy learns from demonstrations that pass it on either side. Regression answers with the mean of
 * both, which leads into the post; a conditional flow answers with one or the other.
 *
 *     npx tsx fork.ts
 */

import { LocalFlow } from 'local-flow-matching'

const steps = Number(process.env.STEPS ?? 2000)
const seed = Number(process.env.SEED ?? 1)

// the way leads from (0, 0) to (2, goal); the post stands at (1, post); an action is the height at each of sixteen places
const places = Array.from({ length: 16 }, (_, k) => (2 * (k + 1)) / 16)
const radius = 0.25
const clearance = 0.5

let state = seed
/** Uniform on (0, 1) (mulberry32). */
function random(): number {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32
}
const observe = (): [post: number, goal: number] => [random() - 0.5, random() - 0.5]

/** A way past the post on a side (−1 or 1), a little wider or narrower each time, by a hand that trembles. */
function demonstrate([post, goal]: readonly [number, number], side: number): number[] {
  const bend = post + side * clearance * (0.9 + 0.2 * random()) - goal / 2
  return places.map((x) => (goal * x) / 2 + bend * Math.sin((Math.PI * x) / 2) ** 2 + 0.02 * (random() - 0.5))
}

/** Whether the way keeps clear of the post, and on which side it passes. */
function outcome([post]: readonly [number, number], way: ArrayLike<number>): { clear: boolean; side: number } {
  let [nearest, side] = [Number.POSITIVE_INFINITY, 0]
  for (let k = 0; k < places.length; k++) {
    const [before, y] = [k === 0 ? 0 : way[k - 1], way[k]]
    for (let i = 0; i <= 8; i++) {
      const x = places[k] - (1 - i / 8) * places[0]
      const height = before + (i / 8) * (y - before)
      nearest = Math.min(nearest, Math.hypot(x - 1, height - post))
      if (Math.abs(x - 1) < 1e-9) side = Math.sign(height - post)
    }
  }
  return { clear: nearest > radius, side }
}

const observations = Array.from({ length: 4000 }, observe)
const actions = observations.map((seen) => demonstrate(seen, random() < 0.5 ? -1 : 1))

const policy = await LocalFlow.train({
  actions,
  cond: observations,
  // with spread 1 it learns faster than between −1 and 1
  standardise: true,
  model: { hidden: [128, 128], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { steps: { total: steps }, batch: 256, ema: 0.99, conditionDropout: 0 },
  seed,
})

const trials = Array.from({ length: 2000 }, observe)
const { values } = await policy.sample(trials.length, { cond: trials, seed })
const answers = trials.map((_, i) => values.subarray(16 * i, 16 * (i + 1)))

/** The mean of the demonstrations, weighted by how near their observations are (Nadaraya and Watson). */
function regression([post, goal]: readonly [number, number]): number[] {
  const mean = new Array<number>(16).fill(0)
  let total = 0
  observations.forEach(([p, g], i) => {
    const weight = Math.exp(-((p - post) ** 2 + (g - goal) ** 2) / (2 * 0.05 ** 2))
    total += weight
    for (let k = 0; k < 16; k++) mean[k] += weight * actions[i][k]
  })
  return mean.map((sum) => sum / total)
}

function report(name: string, ways: readonly ArrayLike<number>[]): void {
  const outcomes = ways.map((way, i) => outcome(trials[i], way))
  const share = (of: (o: { clear: boolean; side: number }) => boolean): string =>
    `${((100 * outcomes.filter(of).length) / outcomes.length).toFixed(1)} %`
  const [left, right] = [share(({ side }) => side < 0), share(({ side }) => side >= 0)]
  console.log(`${name}: ${share(({ clear }) => clear)} clear of the post, ${left} below it and ${right} above`)
}
report('flow', answers)
report('regression', trials.map(regression))
console.log(`${policy.evaluations!.mean} evaluations an action`)
await policy.dispose()
