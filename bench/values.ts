/** Standard normals to fill operands with: quick, the same in every run, and good enough to keep arithmetic ordinary. */

export function normals(length: number, deviation = 1): Float32Array {
  const values = new Float32Array(length)
  let state = 0x9e3779b9
  // mulberry32: a 32-bit counter through a mixing function
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
  // three uniforms on ±1 have the variance one
  for (let i = 0; i < length; i++) values[i] = deviation * (2 * (uniform() + uniform() + uniform()) - 3)
  return values
}
