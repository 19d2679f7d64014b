/**
 * NumPy's `RandomState`, for data sets whose published preparation names a seed of it: the Mersenne Twister MT19937 (Matsumoto and
 * Nishimura 1998), its uniform numbers of 53 bits, and the shuffle that NumPy keeps unchanged for the sake of old results.
 * Everything of this package's own draws from stream.ts.
 */

const [N, M] = [624, 397]

export class RandomState {
  readonly #key = new Uint32Array(N)
  #used = N

  /** @param seed whole number from 0 to 2³² − 1 */
  constructor(seed: number) {
    this.#key[0] = seed
    for (let i = 1; i < N; i++) {
      const last = this.#key[i - 1]
      this.#key[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i
    }
  }

  #twist(): void {
    const key = this.#key
    for (let i = 0; i < N; i++) {
      const y = (key[i] & 0x80000000) | (key[(i + 1) % N] & 0x7fffffff)
      key[i] = key[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.#used = 0
  }

  /** 32 random bits. */
  bits(): number {
    if (this.#used === N) this.#twist()
    let y = this.#key[this.#used++]
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  /** A uniform number of [0, 1), as `rand` has it. */
  uniform(): number {
    const high = this.bits() >>> 5
    return (high * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53
  }

  /** A whole number from 0 to `most`, by throwing away what is above it; `most` below 2³². */
  upTo(most: number): number {
    if (most === 0) return 0
    const mask = 2 ** (32 - Math.clz32(most)) - 1
    for (;;) {
      const value = (this.bits() & mask) >>> 0
      if (value <= most) return value
    }
  }

  /** The order in which `shuffle` leaves n rows, and `permutation(n)`. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = this.upTo(i)
      const kept = order[i]
      order[i] = order[j]
      order[j] = kept
    }
    return order
  }
}
