/** Eigenvalues by what they are, the Fréchet distance by closed forms, FID by Gaussian samples. */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/index.js'
import { symmetricEigen } from '../../src/metrics/eigen.js'
import { fid, fidCaution, frechetDistance, momentsOf } from '../../src/metrics/frechet.js'
import { RandomStream } from '../../src/random/stream.js'

const random = new RandomStream(7)
function symmetric(d: number): Float64Array {
  const matrix = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      matrix[i * d + j] = random.normal()
      matrix[j * d + i] = matrix[i * d + j]
    }
  }
  return matrix
}
const diagonal = (...values: number[]): Float64Array => {
  const matrix = new Float64Array(values.length ** 2)
  values.forEach((value, i) => {
    matrix[i * (values.length + 1)] = value
  })
  return matrix
}

test.each([
  ['one', Float64Array.of(-3)],
  ['two', symmetric(2)],
  ['seven', symmetric(7)],
  ['sixty-one', symmetric(61)],
  ['zeros', new Float64Array(25)],
  ['equal eigenvalues', diagonal(2, 2, 2, 2)],
  ['blocks that do not touch', Float64Array.of(1, 2, 0, 0, 2, 1, 0, 0, 0, 0, 5, 1, 0, 0, 1, 5)],
  ['rank one', Float64Array.from({ length: 36 }, (_, i) => (1 + Math.floor(i / 6)) * (1 + (i % 6)))],
])('eigenvectors of a matrix of %s', (_, matrix) => {
  const d = Math.sqrt(matrix.length)
  const { values, vectors } = symmetricEigen(matrix, d)
  const norm = Math.max(Math.hypot(...matrix), 1)
  for (let j = 0; j < d; j++) {
    for (let i = 0; i < d; i++) {
      let product = 0
      let inner = 0
      for (let k = 0; k < d; k++) {
        product += matrix[i * d + k] * vectors![k * d + j]
        inner += vectors![k * d + i] * vectors![k * d + j]
      }
      expect(Math.abs(product - values[j] * vectors![i * d + j])).toBeLessThan(1e-13 * norm * d)
      expect(Math.abs(inner - (i === j ? 1 : 0))).toBeLessThan(1e-13 * d)
    }
  }
  const alone = symmetricEigen(matrix, d, false)
  expect(alone.vectors).toBeNull()
  const sorted = [values, alone.values].map((list) => [...list].sort((a, b) => a - b))
  sorted[0].forEach((value, i) => {
    expect(Math.abs(value - sorted[1][i])).toBeLessThan(1e-13 * norm * d)
  })
})

const moments = (mean: number[], covariance: Float64Array) => ({ mean: Float64Array.from(mean), covariance })

test('the distance of Gaussians on a line is (m₁ − m₂)² + (σ₁ − σ₂)²', () => {
  expect(frechetDistance(moments([3], diagonal(4)), moments([1], diagonal(0.25)))).toBeCloseTo(4 + 2.25, 13)
})

test('that of commuting covariances adds up over their axes, singular ones too', () => {
  const a = moments([0, 1, 2, 0], diagonal(4, 0, 9, 1))
  const b = moments([0, 0, 2, 0], diagonal(1, 16, 0, 1))
  expect(frechetDistance(a, b)).toBeCloseTo(1 + 1 + 16 + 9, 12)
  expect(frechetDistance(a, a)).toBeCloseTo(0, 12)
})

test('in the plane tr (S₁ S₂)^½ is √(tr S₁S₂ + 2 √det S₁S₂)', () => {
  for (let trial = 0; trial < 5; trial++) {
    const [S1, S2] = [0, 0].map(() => {
      const [a, b, c, e] = symmetric(2)
      // A Aᵀ of some A, so that the two do not commute
      return Float64Array.of(a * a + b * b, a * c + b * e, a * c + b * e, c * c + e * e)
    })
    const det = (S: Float64Array): number => S[0] * S[3] - S[1] * S[2]
    const trace = S1[0] * S2[0] + S1[1] * S2[2] + S1[2] * S2[1] + S1[3] * S2[3]
    const root = Math.sqrt(trace + 2 * Math.sqrt(Math.max(0, det(S1) * det(S2))))
    const expected = 2 + S1[0] + S1[3] + S2[0] + S2[3] - 2 * root
    expect(frechetDistance(moments([1, 0], S1), moments([0, 1], S2))).toBeCloseTo(expected, 6)
  }
})

test('FID of samples comes near to the distance of their Gaussians', () => {
  const [first, second] = [
    gaussian(
      [0, 0, 0],
      [
        [1, 0.5, 0],
        [0.5, 2, 0],
        [0, 0, 0.5],
      ],
    ),
    gaussian(
      [1, 0, 0],
      [
        [2, 0, 0],
        [0, 1, -0.3],
        [0, -0.3, 1],
      ],
    ),
  ]
  const exact = frechetDistance(
    moments([0, 0, 0], Float64Array.of(1, 0.5, 0, 0.5, 2, 0, 0, 0, 0.5)),
    moments([1, 0, 0], Float64Array.of(2, 0, 0, 0, 1, -0.3, 0, -0.3, 1)),
  )
  expect(fid(first.sample(40_000, 1), second.sample(40_000, 2), 3)).toBeCloseTo(exact, 1)
})

test('a covariance is that of NumPy, and needs two rows', () => {
  const { mean, covariance } = momentsOf(Float32Array.of(1, 2, 3, 6, 5, 4), 2)
  expect([...mean]).toEqual([3, 4])
  expect([...covariance]).toEqual([4, 2, 2, 4])
  expect(() => momentsOf(Float32Array.of(1, 2), 2)).toThrow('has 1 row; at least 2 are needed')
})

test.each([64, 256])('a matrix of ones, %i by %i, has one eigenvalue beside zeros', (d) => {
  const { values, vectors } = symmetricEigen(new Float64Array(d * d).fill(1), d)
  const sorted = [...values].sort((a, b) => b - a)
  expect(sorted[0]).toBeCloseTo(d, 10)
  expect(Math.max(...sorted.slice(1).map(Math.abs))).toBeLessThan(1e-12 * d)
  const first = values.indexOf(sorted[0])
  for (let k = 0; k < d; k++) expect(Math.abs(vectors![k * d + first])).toBeCloseTo(1 / Math.sqrt(d), 10)
})

test.each([1, 2, 3, 7])('low rank does not keep eigenvalues from being found (%i)', (rank) => {
  const d = 120
  const factors = Array.from({ length: rank }, () => Float64Array.from({ length: d }, () => random.normal()))
  const matrix = new Float64Array(d * d)
  for (const v of factors) for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) matrix[i * d + j] += v[i] * v[j]
  for (const size of [1e-200, 1, 1e200]) {
    const { values } = symmetricEigen(
      matrix.map((value) => value * size),
      d,
    )
    const trace = factors.reduce((sum, v) => sum + v.reduce((all, x) => all + x * x, 0), 0)
    expect(values.reduce((sum, value) => sum + value / size, 0) / trace).toBeCloseTo(1, 10)
    expect(values.filter((value) => Math.abs(value / size) > 1e-10 * trace)).toHaveLength(rank)
  }
})

test('one row over and over has moments and an FID, however many features there are', () => {
  const d = 2048
  const row = Float32Array.from({ length: d }, () => random.normal())
  const rows = new Float32Array(5 * d)
  for (let i = 0; i < 5; i++) rows.set(row, i * d)
  const { covariance } = momentsOf(rows, d)
  expect(covariance.every((value) => value === 0)).toBe(true)
  // two features that alone differ, in one row of the other set: |m₁ − m₂|² + tr S
  const small = 60
  const collapsed = new Float32Array(8 * small)
  for (let i = 0; i < 8; i++) collapsed.set(row.subarray(0, small), i * small)
  const other = collapsed.slice()
  other[0] += 8
  expect(fid(collapsed, other, small)).toBeCloseTo(1 + (49 + 7) / 7, 5)
})

test('moments of two widths, and those that are not finite, are errors that say so', () => {
  expect(() => frechetDistance(moments([0], diagonal(1)), moments([0, 0], diagonal(1, 1)))).toThrow(
    "the first mean has 1 values and the second set's moments have 2 and 4",
  )
  expect(() => frechetDistance(moments([0], diagonal(1)), moments([Infinity], diagonal(1)))).toThrow(
    "the second set's mean holds Infinity",
  )
  expect(() => momentsOf(Float32Array.of(1, 2, NaN, 3), 2)).toThrow('holds NaN in row 1, column 0')
  expect(() => symmetricEigen(Float64Array.of(1, 0, 0, Infinity), 2)).toThrow('has Infinity in row 1, column 1')
})

test('an FID of few samples comes with a caution, more so where there are fewer than features', () => {
  expect(fidCaution(5000, 64)).toBeNull()
  expect(fidCaution(5000, 2048)).toMatch(
    /5000 samples in 2048 features is too high.*40960 samples make the excess small\.$/,
  )
  expect(fidCaution(64, 64)).toContain('covariance is singular')
})
