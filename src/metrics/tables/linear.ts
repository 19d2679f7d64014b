/**
 * Logistic and linear regression on a table's columns. A number is standardised, a missing one is at the mean with an indicator
 * beside it; a category has a weight for each level, missing being one. The weights minimise the mean loss plus |w|²/(2 rows),
 * the ridge of scikit-learn's default.
 */

import { type CategoryColumn, isCategory, type TableColumn } from '../../data/tables/table.js'
import { minimise } from '../minimise.js'
import type { Loss, Predictor } from './predictor.js'

const STEPS = 100
/** Levels of a column that have a weight each; the rest share one. */
const MOST_LEVELS = 100

/**
 * Weights of logistic regression, or of linear regression under the squared loss.
 *
 * @param columns features of the rows that are learnt from, n each
 * @param target [n]: 0 or 1 for the logistic loss, whose prediction is the probability of 1; any number for the squared one
 */
export function fitLinear(columns: readonly TableColumn[], target: Float64Array, loss: Loss): Predictor {
  const design = new Design(columns)
  const x = design.rows(columns)
  const n = target.length
  const [middle, spread] = loss === 'squared' ? moments(target) : [0, 1]
  const weights = minimise(design.size + 1, STEPS, (w, gradient) => {
    let value = 0
    for (let k = 0; k < design.size; k++) {
      value += w[k] ** 2 / (2 * n)
      gradient[k] = w[k] / n
    }
    gradient[design.size] = 0
    for (let i = 0; i < n; i++) {
      const score = design.score(x, i, w)
      let slope: number
      if (loss === 'logistic') {
        const sign = target[i] > 0.5 ? 1 : -1
        const margin = sign * score
        // log(1 + e^{−margin}) without overflow
        const small = Math.exp(-Math.abs(margin))
        value += (Math.log1p(small) + Math.max(0, -margin)) / n
        slope = (-sign * (margin > 0 ? small : 1)) / (1 + small) / n
      } else {
        const error = score - (target[i] - middle) / spread
        value += error ** 2 / (2 * n)
        slope = error / n
      }
      design.add(x, i, slope, gradient)
    }
    return value
  })
  return {
    predict(others) {
      const own = design.rows(others)
      return Float64Array.from({ length: own.n }, (_, i) => {
        const score = design.score(own, i, weights)
        return loss === 'logistic' ? 1 / (1 + Math.exp(-score)) : middle + spread * score
      })
    },
  }
}

/** Rows as a linear model sees them: numbers [n, P], and the place of each category's weight, [n, C]. */
interface DesignRows {
  n: number
  numbers: Float64Array
  places: Int32Array
}

/** Which weight belongs to what, made on the rows that are learnt from. The last weight is the bias. */
class Design {
  /** of the columns of numbers: what is subtracted and divided by, and whether there is an indicator */
  readonly #scales: { column: number; mean: number; std: number; indicator: boolean; share: number }[] = []
  /** of the categories: the place of each level's weight, the last that of the missing */
  readonly #levels: { column: number; places: Int32Array }[] = []
  readonly #width: number
  readonly size: number

  constructor(columns: readonly TableColumn[]) {
    let size = 0
    columns.forEach((column, j) => {
      if (isCategory(column)) return
      const there = column.values.filter((value) => !Number.isNaN(value))
      const [mean, std] = moments(there)
      const missing = 1 - there.length / column.values.length
      this.#scales.push({ column: j, mean, std, indicator: missing > 0, share: missing })
      size += missing > 0 ? 2 : 1
    })
    this.#width = size
    columns.forEach((column, j) => {
      if (!isCategory(column)) return
      const places = placesOf(column, size)
      this.#levels.push({ column: j, places })
      size = places.reduce((most, place) => Math.max(most, place + 1), size)
    })
    this.size = size
  }

  rows(columns: readonly TableColumn[]): DesignRows {
    const first = columns[0]
    const n = first === undefined ? 0 : isCategory(first) ? first.codes.length : first.values.length
    const numbers = new Float64Array(n * this.#width)
    let at = 0
    for (const { column, mean, std, indicator, share } of this.#scales) {
      const { values } = columns[column] as { values: Float64Array }
      for (let i = 0; i < n; i++) {
        const missing = Number.isNaN(values[i])
        numbers[i * this.#width + at] = missing ? 0 : (values[i] - mean) / std
        if (indicator) numbers[i * this.#width + at + 1] = (missing ? 1 : 0) - share
      }
      at += indicator ? 2 : 1
    }
    const places = new Int32Array(n * this.#levels.length)
    this.#levels.forEach(({ column, places: own }, c) => {
      const { codes } = columns[column] as CategoryColumn
      // a level that was not there to learn from is like one that is missing
      for (let i = 0; i < n; i++) {
        const code = codes[i]
        places[i * this.#levels.length + c] = own[code < 0 || code >= own.length ? own.length - 1 : code]
      }
    })
    return { n, numbers, places }
  }

  score({ numbers, places }: DesignRows, row: number, w: Float64Array): number {
    let sum = w[this.size]
    for (let k = 0, at = row * this.#width; k < this.#width; k++) sum += w[k] * numbers[at + k]
    for (let c = 0, at = row * this.#levels.length; c < this.#levels.length; c++) sum += w[places[at + c]]
    return sum
  }

  /** Adds slope · ∂score/∂w. */
  add({ numbers, places }: DesignRows, row: number, slope: number, gradient: Float64Array): void {
    for (let k = 0, at = row * this.#width; k < this.#width; k++) gradient[k] += slope * numbers[at + k]
    for (let c = 0, at = row * this.#levels.length; c < this.#levels.length; c++) gradient[places[at + c]] += slope
    gradient[this.size] += slope
  }
}

/** The weights of a category's levels from `first` on: one each for the most frequent, one for the others, one for the missing. */
function placesOf({ codes, levels }: CategoryColumn, first: number): Int32Array {
  const counts = new Float64Array(levels.length)
  for (const code of codes) if (code >= 0) counts[code]++
  const order = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b)
  const own = Math.min(levels.length, MOST_LEVELS)
  const places = new Int32Array(levels.length + 1).fill(first + own)
  order.slice(0, own).forEach((code, i) => {
    places[code] = first + i
  })
  places[levels.length] = first + own + 1
  return places
}

/** Mean and standard deviation, 1 where there is no spread. */
function moments(values: Float64Array): [number, number] {
  if (values.length === 0) return [0, 1]
  const mean = values.reduce((sum, value) => sum + value / values.length, 0)
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0))
  return [mean, std > 1e-12 * Math.abs(mean) ? std : 1]
}
