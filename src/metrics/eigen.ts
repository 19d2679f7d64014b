/**
 * Eigenvalues and eigenvectors of a symmetric matrix in float64: Householder reflections to tridiagonal form, then QL steps
 * with implicit shifts (Wilkinson and Reinsch, Handbook for Automatic Computation II, 1971; the routines tred2 and tql2).
 */

import { InvalidArgumentError } from '../errors.js'

export interface Eigen {
  /** [d], in no order */
  values: Float64Array
  /** [d, d] row-major, column j the eigenvector of values[j]; null where they were not asked for */
  vectors: Float64Array | null
}

/** QL steps that one eigenvalue may take; a few are the rule. */
const MOST_STEPS = 60

/**
 * Eigenvalues are right to a few roundings of the largest one: that is what a symmetric matrix in float64 determines, and
 * where an entry beside the diagonal counts as zero.
 *
 * @param matrix [d, d] row-major, symmetric; only its lower triangle is read
 * @throws InvalidArgumentError where a value is not finite, or the matrix is not [d, d]
 */
export function symmetricEigen(matrix: Float64Array, d: number, wantVectors = true): Eigen {
  if (matrix.length !== d * d) {
    throw new InvalidArgumentError(`A matrix [${d}, ${d}] has ${d * d} values, but there are ${matrix.length}.`)
  }
  const bad = matrix.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) {
    throw new InvalidArgumentError(
      `A matrix whose eigenvalues are asked for has ${matrix[bad]} in row ${Math.floor(bad / d)}, column ${bad % d}.`,
    )
  }
  const z = matrix.slice()
  const diagonal = new Float64Array(d)
  const beside = new Float64Array(d)
  tridiagonal(z, d, diagonal, beside, wantVectors)
  ql(z, d, diagonal, beside, wantVectors)
  return { values: diagonal, vectors: wantVectors ? z : null }
}

/** z becomes the product of the reflections, where that is wanted; diagonal and beside (from 1 on) the tridiagonal form. */
function tridiagonal(z: Float64Array, d: number, diagonal: Float64Array, beside: Float64Array, vectors: boolean): void {
  for (let i = d - 1; i > 0; i--) {
    const row = i * d
    let scale = 0
    for (let k = 0; k < i; k++) scale += Math.abs(z[row + k])
    if (i === 1 || scale === 0) {
      beside[i] = z[row + i - 1]
      diagonal[i] = 0
      continue
    }
    let h = 0
    for (let k = 0; k < i; k++) {
      z[row + k] /= scale
      h += z[row + k] * z[row + k]
    }
    const f = z[row + i - 1]
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h)
    beside[i] = scale * g
    h -= f * g
    z[row + i - 1] = f - g
    // beside[0 … i) = A u / h, by the lower triangle, read along its rows
    beside.fill(0, 0, i)
    for (let j = 0; j < i; j++) {
      const at = j * d
      const u = z[row + j]
      let sum = 0
      for (let k = 0; k < j; k++) {
        sum += z[at + k] * z[row + k]
        beside[k] += z[at + k] * u
      }
      beside[j] += sum + z[at + j] * u
    }
    let total = 0
    for (let j = 0; j < i; j++) {
      if (vectors) z[j * d + i] = z[row + j] / h
      beside[j] /= h
      total += beside[j] * z[row + j]
    }
    const half = total / (h + h)
    for (let j = 0; j < i; j++) beside[j] -= half * z[row + j]
    for (let j = 0; j < i; j++) {
      const [u, p] = [z[row + j], beside[j]]
      const at = j * d
      for (let k = 0; k <= j; k++) z[at + k] -= u * beside[k] + p * z[row + k]
    }
    diagonal[i] = h
  }
  diagonal[0] = 0
  beside[0] = 0
  const sums = new Float64Array(d)
  for (let i = 0; i < d; i++) {
    const row = i * d
    if (!vectors) {
      diagonal[i] = z[row + i]
      continue
    }
    if (diagonal[i] !== 0) {
      sums.fill(0, 0, i)
      for (let k = 0; k < i; k++) for (let j = 0; j < i; j++) sums[j] += z[row + k] * z[k * d + j]
      for (let k = 0; k < i; k++) {
        const factor = z[k * d + i]
        for (let j = 0; j < i; j++) z[k * d + j] -= factor * sums[j]
      }
    }
    diagonal[i] = z[row + i]
    z[row + i] = 1
    for (let j = 0; j < i; j++) {
      z[row + j] = 0
      z[j * d + i] = 0
    }
  }
}

/** Diagonalises the tridiagonal form; turns the columns of z along where vectors are wanted. */
function ql(z: Float64Array, d: number, diagonal: Float64Array, beside: Float64Array, vectors: boolean): void {
  // rows of vᵀ are turned, since they lie together in memory
  const v = vectors ? transposed(z, d) : null
  beside.copyWithin(0, 1)
  beside[d - 1] = 0
  let norm = 0
  for (let i = 0; i < d; i++) norm = Math.max(norm, Math.abs(diagonal[i]) + Math.abs(beside[i]))
  for (let l = 0; l < d; l++) {
    for (let steps = 0; ; steps++) {
      let m = l
      while (m < d - 1) {
        if (Math.abs(beside[m]) <= Number.EPSILON * norm) break
        m++
      }
      if (m === l) break
      if (steps === MOST_STEPS) {
        throw new InvalidArgumentError(
          `The eigenvalues of a matrix [${d}, ${d}] were not found in ${MOST_STEPS} steps each.`,
        )
      }
      let g = (diagonal[l + 1] - diagonal[l]) / (2 * beside[l])
      let r = Math.hypot(g, 1)
      g = diagonal[m] - diagonal[l] + beside[l] / (g + (g >= 0 ? r : -r))
      let [s, c, p] = [1, 1, 0]
      let i = m - 1
      for (; i >= l; i--) {
        const f = s * beside[i]
        const b = c * beside[i]
        r = Math.hypot(f, g)
        beside[i + 1] = r
        if (r === 0) {
          diagonal[i + 1] -= p
          beside[m] = 0
          break
        }
        s = f / r
        c = g / r
        g = diagonal[i + 1] - p
        r = (diagonal[i] - g) * s + 2 * c * b
        p = s * r
        diagonal[i + 1] = g + p
        g = c * r - b
        if (!v) continue
        const [low, high] = [i * d, (i + 1) * d]
        for (let k = 0; k < d; k++) {
          const [a, e] = [v[low + k], v[high + k]]
          v[high + k] = s * a + c * e
          v[low + k] = c * a - s * e
        }
      }
      if (r === 0 && i >= l) continue
      diagonal[l] -= p
      beside[l] = g
      beside[m] = 0
    }
  }
  if (v) z.set(transposed(v, d))
}

function transposed(matrix: Float64Array, d: number): Float64Array {
  const result = new Float64Array(d * d)
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) result[j * d + i] = matrix[i * d + j]
  return result
}
