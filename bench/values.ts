/** Numbers to fill operands with: quick, the same in every run, and good enough to keep arithmetic ordinary. */

/** mulberry32: a 32-bit counter through a mixing function. */
function words(): () => number {
  let state = 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return (word ^ (word >>> 14)) >>> 0
  }
}

/** Standard normals. */
export function normals(length: number, deviation = 1): Float32Array {
  const values = new Float32Array(length)
  const word = words()
  const uniform = (): number => word() / 2 ** 32
  // three uniforms on ±1 have the variance one
  for (let i = 0; i < length; i++) values[i] = deviation * (2 * (uniform() + uniform() + uniform()) - 3)
  return values
}

/** Every byte is as likely as the others. */
export function bytes(length: number): Uint8Array {
  const values = new Uint8Array(length)
  const word = words()
  for (let i = 0; i < length; i++) values[i] = word()
  return values
}
