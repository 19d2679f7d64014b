/** The standard normal distribution: the share below a number, and the number below which a share lies. */

/** z/√2 from which erfc's continued fraction takes over from erf's series. */
const SERIES_UP_TO = 2
const FRACTION_STEPS = 60

/** Φ(z), the share of a standard normal below z; tails keep their digits (10⁻¹³ of themselves). */
export function normalShare(z: number): number {
  if (Number.isNaN(z)) return NaN
  const x = Math.abs(z) / Math.SQRT2
  // 2 e^{−x²}/√π · x Σ (2x²)ᵏ / (1·3·5 … (2k + 1)), all of one sign
  if (x < SERIES_UP_TO) {
    let [term, sum] = [x, x]
    for (let k = 1; term > 1e-17 * sum; k++) {
      term *= (2 * x * x) / (2 * k + 1)
      sum += term
    }
    const erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
    return z > 0 ? 0.5 + erf / 2 : 0.5 - erf / 2
  }
  // erfc(x) = e^{−x²}/√π · 1/(x + ½/(x + 1/(x + 3/2 /(x + …))))
  let fraction = x
  for (let k = FRACTION_STEPS; k > 0; k--) fraction = x + k / 2 / fraction
  const tail = x === Infinity ? 0 : Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction / 2
  return z > 0 ? 1 - tail : tail
}

/** Coefficients of three fits, numerator and denominator, lowest power first (Wichura 1988). */
const middle = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
]
const tail = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
]
const farTail = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
    1.421511758316446e-7, 2.0442631033899397e-15,
  ],
]

/**
 * Φ⁻¹(p), the number below which a share p of a standard normal lies, to about 10⁻¹⁵ of itself (Wichura's algorithm AS 241, 1988);
 * ∓∞ at 0 and 1, NaN outside.
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : NaN
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) return q * ratio(middle, 0.180625 - q * q)
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p))
  return Math.sign(q) * (r <= 5 ? ratio(tail, r - 1.6) : ratio(farTail, r - 5))
}

function ratio([numerator, denominator]: number[][], x: number): number {
  const at = (coefficients: number[]): number => coefficients.reduceRight((sum, c) => sum * x + c, 0)
  return at(numerator) / at(denominator)
}
