/** The normal distribution N(m, S) as a density: the data set whose every property is known in closed form. */

import { DataError, InvalidArgumentError, invalid } from '../errors.js'
import { RandomStream } from '../random/stream.js'
import { checkRows, type Density, rowCount } from './density.js'

/** The lower triangle L of S = L·Lᵀ, [d][d], or null where S is not positive definite. */
export function cholesky(matrix: readonly (readonly number[])[]): number[][] | null {
  const lower = matrix.map((row) => row.map(() => 0))
  for (let i = 0; i < matrix.length; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i][j]
      for (let k = 0; k < j; k++) rest -= lower[i][k] * lower[j][k]
      if (i !== j) lower[i][j] = rest / lower[j][j]
      else if (rest > 0) lower[i][i] = Math.sqrt(rest)
      else return null
    }
  }
  return lower
}

/** Eigenvalues of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5), unsorted. */
export function eigenvalues(matrix: readonly (readonly number[])[]): number[] {
  const a = matrix.map((row) => [...row])
  const d = a.length
  const offDiagonal = (): number =>
    a.reduce((sum, row, i) => sum + row.reduce((s, v, j) => s + (i < j ? v * v : 0), 0), 0)
  const size = a.reduce((sum, row) => sum + row.reduce((s, v) => s + v * v, 0), 0)
  while (offDiagonal() > 1e-30 * size) {
    for (let p = 0; p < d; p++) {
      for (let q = p + 1; q < d; q++) {
        if (a[p][q] === 0) continue
        const tau = (a[q][q] - a[p][p]) / (2 * a[p][q])
        const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau))
        const c = 1 / Math.hypot(1, t)
        const s = t * c
        for (let k = 0; k < d; k++) [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]]
        for (let k = 0; k < d; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]]
      }
    }
  }
  return a.map((row, i) => row[i])
}

/**
 * The density N(mean, covariance).
 *
 * @param mean [d]
 * @param covariance [d][d], symmetric and positive definite
 * @throws InvalidArgumentError for shapes that do not fit, DataError for a matrix that is no covariance
 */
export function gaussian(mean: readonly number[], covariance: readonly (readonly number[])[]): Density {
  const d = mean.length
  if (d === 0) throw invalid('mean', 'a list of at least one number', mean)
  if (covariance.length !== d || covariance.some((row) => row.length !== d)) {
    throw new InvalidArgumentError(`covariance must be ${d}×${d}, as long as the mean in both directions.`)
  }
  const symmetric = covariance.every((row, i) => row.every((value, j) => value === covariance[j][i]))
  const lower = symmetric ? cholesky(covariance) : null
  if (!lower) throw new DataError('The covariance of a gaussian must be symmetric and positive definite.')
  const logScale = lower.reduce((sum, row, i) => sum + Math.log(row[i]), 0)

  return {
    dimension: d,
    sample(n, seed, stream) {
      checkRows(n)
      const random = new RandomStream(seed, stream)
      const points = new Float32Array(n * d)
      const z = new Float64Array(d)
      for (let row = 0; row < n; row++) {
        random.row(row)
        for (let i = 0; i < d; i++) {
          z[i] = random.normal()
          let value = mean[i]
          for (let k = 0; k <= i; k++) value += lower[i][k] * z[k]
          points[row * d + i] = value
        }
      }
      return points
    },
    // log N = −½|L⁻¹(x − m)|² − log det L − (d/2) log 2π
    logDensity(x) {
      const whitened = new Float64Array(d)
      return Float64Array.from({ length: rowCount(x, d) }, (_, row) => {
        let squares = 0
        for (let i = 0; i < d; i++) {
          let rest = x[row * d + i] - mean[i]
          for (let k = 0; k < i; k++) rest -= lower[i][k] * whitened[k]
          whitened[i] = rest / lower[i][i]
          squares += whitened[i] ** 2
        }
        return -0.5 * squares - logScale - 0.5 * d * Math.log(2 * Math.PI)
      })
    },
    entropy: () => ({ mean: 0.5 * d * (1 + Math.log(2 * Math.PI)) + logScale, standardError: 0 }),
    principalVariances: () => eigenvalues(covariance),
  }
}
