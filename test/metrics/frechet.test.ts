/** Eigenvalues by what they are, the Fréchet distance by closed forms, FID by Gaussian samples. */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/index.js'
import { symmetricEigen } from '../../src/metrics/eigen.js'
import { fid, frechetDistance, momentsOf } from '../../src/metrics/frechet.js'
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
  expect(() => momentsOf(Float32Array.of(1, 2), 2)).toThrow('at least two rows, but there is 1')
})
