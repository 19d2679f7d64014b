/** The scale of columns whose rows go by one after another. */

import { DataError } from '../errors.js'
import type { Scaler } from './scaler.js'
import { columnName } from './tensor.js'

/** Mean and spread of columns, row after row (Welford 1962). */
export class Moments {
  private readonly mean: Float64Array
  private readonly squares: Float64Array
  private readonly least: Float64Array
  private readonly most: Float64Array
  private n = 0

  constructor(private readonly width: number) {
    this.mean = new Float64Array(width)
    this.squares = new Float64Array(width)
    this.least = new Float64Array(width).fill(Infinity)
    this.most = new Float64Array(width).fill(-Infinity)
  }

  add(row: ArrayLike<number>, at: number): void {
    this.n++
    for (let j = 0; j < this.width; j++) {
      const value = row[at + j]
      const apart = value - this.mean[j]
      this.mean[j] += apart / this.n
      this.squares[j] += apart * (value - this.mean[j])
      if (value < this.least[j]) this.least[j] = value
      if (value > this.most[j]) this.most[j] = value
    }
  }

  /** Throws DataError naming a column whose values are all the same. */
  scaler(columns: readonly string[] | null): Scaler {
    const constant = this.least.findIndex((value, j) => value === this.most[j])
    if (constant >= 0) {
      throw new DataError(
        `${columnName(constant, columns)} is constant: each of the ${this.n} training rows has ${this.least[constant]}. ` +
          'A constant column has no density; leave it out.',
      )
    }
    return { mean: [...this.mean], std: [...this.squares].map((sum) => Math.sqrt(sum / this.n)) }
  }
}
