/** Limited-memory BFGS (Liu and Nocedal 1989) for smooth convex functions of some hundred numbers, from zeros. */

/** Pairs of steps and changes of the gradient that shape the next step. */
const MEMORY = 10
/** A step ends where the function falls by at least this part of what the slope promises (Armijo). */
const LEAST_FALL = 1e-4
const HALVINGS = 30
/** Done where no entry of the gradient is larger than this part of the first gradient's largest. */
const TOLERANCE = 1e-5

/**
 * @param f writes the gradient at w [size] into its second argument and returns the value
 * @returns w where the gradient is near zero, or after `steps` steps
 */
export function minimise(
  size: number,
  steps: number,
  f: (w: Float64Array, gradient: Float64Array) => number,
): Float64Array {
  let w = new Float64Array(size)
  let gradient = new Float64Array(size)
  let value = f(w, gradient)
  const first = largest(gradient)
  const memory: { s: Float64Array; y: Float64Array; rho: number }[] = []
  for (let step = 0; step < steps && largest(gradient) > TOLERANCE * first; step++) {
    const direction = descent(gradient, memory)
    const slope = dot(direction, gradient)
    const next = new Float64Array(size)
    const nextGradient = new Float64Array(size)
    let nextValue = Infinity
    let length = step === 0 ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient))) : 1
    for (let halving = 0; halving < HALVINGS; halving++, length /= 2) {
      for (let i = 0; i < size; i++) next[i] = w[i] + length * direction[i]
      nextValue = f(next, nextGradient)
      if (nextValue <= value + LEAST_FALL * length * slope) break
    }
    // no fall that float64 can see
    if (!(nextValue < value)) break
    const s = next.map((x, i) => x - w[i])
    const y = nextGradient.map((x, i) => x - gradient[i])
    const curvature = dot(s, y)
    if (curvature > 0) memory.push({ s, y, rho: 1 / curvature })
    if (memory.length > MEMORY) memory.shift()
    ;[w, gradient, value] = [next, nextGradient, nextValue]
  }
  return w
}

/** −H g by the two loops over what is remembered, newest first, then oldest first. */
function descent(
  gradient: Float64Array,
  memory: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.map((x) => -x)
  const alphas = memory.map(() => 0)
  for (let i = memory.length - 1; i >= 0; i--) {
    const { s, y, rho } = memory[i]
    alphas[i] = rho * dot(s, q)
    for (let k = 0; k < q.length; k++) q[k] -= alphas[i] * y[k]
  }
  const last = memory.at(-1)
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y))
    for (let k = 0; k < q.length; k++) q[k] *= scale
  }
  memory.forEach(({ s, y, rho }, i) => {
    const beta = alphas[i] - rho * dot(y, q)
    for (let k = 0; k < q.length; k++) q[k] += beta * s[k]
  })
  return q
}

const largest = (x: Float64Array): number => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}
