/**
 * Gradient boosting of decision trees on histograms (Friedman 2001; second-order steps as in XGBoost, Chen and Guestrin 2016;
 * histograms and the order of levels as in LightGBM, Ke et al. 2017). Every tree is fitted to the loss's gradient g and curvature h
 * of each row at the sum of the trees before it: a leaf adds −rate · Σg / (Σh + ridge), and a node is split where
 * (Σg)²/(Σh + ridge) of its two sides is greatest. Rows whose value is missing go to the side where that is better. The levels of a
 * category are put in the order of Σg/Σh and split as numbers are, which finds the best of all divisions (Fisher 1958).
 *
 * A level of a tree costs about rows · columns additions, whatever the values; nothing is drawn at random.
 */

import type { TableColumn } from '../../data/tables/table.js'
import { invalid } from '../../errors.js'
import { type Binning, binning, MOST_BINS } from './bins.js'
import type { Loss, Predictor } from './predictor.js'

/** How many trees, and how they are kept from learning rows by heart. */
export interface BoostingOptions {
  /** default 100 */
  trees?: number
  /** splits from the root to a leaf, 1 to 6; default 6 */
  depth?: number
  /** what part of each step is taken, above 0 and up to 1; default 0.1 */
  rate?: number
  /** added to Σh, from 0 on; default 1 */
  ridge?: number
  /** rows of a leaf, at least; default 20 */
  leastRows?: number
}

const DEEPEST = 6
/** Bins of a category from which on its best division is one of so many that its sides are held back by this ridge. */
const FEW_LEVELS = 4
const LEVELS_RIDGE = 10
/** Part of the loss's whole slope that a split has to gain: less is rounding. */
const LEAST_GAIN = 1e-9

/** A node that is split: `left[bin]` is 1 where a row with that bin goes to `children[0]`. A leaf has a value alone. */
interface Node {
  feature: number
  left: Uint8Array
  children: [Node, Node] | null
  value: number
}

interface Split {
  gain: number
  feature: number
  left: Uint8Array
}

/** Sums of a node's rows by feature and bin: g, h and their count, [Σ bins, 3]. */
type Histogram = Float64Array

/**
 * Trees that minimise a loss.
 *
 * @param columns features of the rows that are learnt from, n each
 * @param target [n]: 0 or 1 for the logistic loss, whose prediction is the probability of 1; any number for the squared one
 * @throws InvalidArgumentError for an option that is out of its range
 */
export function fitBoosting(
  columns: readonly TableColumn[],
  target: Float64Array,
  loss: Loss,
  options: BoostingOptions = {},
): Predictor {
  const { trees = 100, depth = DEEPEST, rate = 0.1, ridge = 1, leastRows = 20 } = options
  if (!Number.isInteger(trees) || trees < 1) throw invalid('trees', 'a whole number, at least 1', trees)
  if (!Number.isInteger(depth) || depth < 1 || depth > DEEPEST) {
    throw invalid('depth', `a whole number from 1 to ${DEEPEST}`, depth)
  }
  if (!(rate > 0 && rate <= 1)) throw invalid('rate', 'a number above 0 and up to 1', rate)
  if (!(ridge >= 0 && ridge < Infinity)) throw invalid('ridge', 'a number, at least 0', ridge)
  if (!Number.isInteger(leastRows) || leastRows < 1) throw invalid('leastRows', 'a whole number, at least 1', leastRows)

  const binnings = columns.map(binning)
  const rows = columns.map((column, j) => binnings[j].of(column))
  const n = target.length
  const average = target.reduce((sum, value) => sum + value, 0) / n
  // a class that all rows have has no finite logit
  const share = Math.min(1 - 0.5 / n, Math.max(0.5 / n, average))
  const base = loss === 'logistic' ? Math.log(share / (1 - share)) : average
  const sums = new Float64Array(n).fill(base)
  const grower = new Grower(binnings, rows, { depth, rate, ridge, leastRows })
  const forest: Node[] = []
  const [g, h] = [new Float64Array(n), new Float64Array(n).fill(1)]
  for (let tree = 0; tree < trees; tree++) {
    for (let i = 0; i < n; i++) {
      if (loss === 'logistic') {
        const p = 1 / (1 + Math.exp(-sums[i]))
        g[i] = p - target[i]
        h[i] = p * (1 - p)
      } else {
        g[i] = sums[i] - target[i]
      }
    }
    forest.push(grower.grow(g, h, sums))
  }
  return {
    predict(others) {
      const own = others.map((column, j) => binnings[j].of(column))
      return Float64Array.from({ length: own[0]?.length ?? 0 }, (_, i) => {
        let sum = base
        for (const tree of forest) {
          let node = tree
          while (node.children) node = node.children[node.left[own[node.feature][i]] === 1 ? 0 : 1]
          sum += node.value
        }
        return loss === 'logistic' ? 1 / (1 + Math.exp(-sum)) : sum
      })
    },
  }
}

/** Grows trees on one set of binned rows. */
class Grower {
  /** where each feature's bins begin in a histogram */
  readonly #starts: Int32Array
  readonly #width: number
  /** row numbers; those of a node are next to each other */
  readonly #order: Uint32Array
  readonly #spare: Uint32Array
  #g: Float64Array = new Float64Array(0)
  #h: Float64Array = new Float64Array(0)
  #leastGain = 0
  readonly #levels = new Int32Array(MOST_BINS + 1)
  readonly #slopes = new Float64Array(MOST_BINS + 1)

  constructor(
    private readonly binnings: readonly Binning[],
    private readonly rows: readonly Uint8Array[],
    private readonly options: Required<Omit<BoostingOptions, 'trees'>>,
  ) {
    this.#starts = new Int32Array(binnings.length)
    let width = 0
    binnings.forEach(({ bins }, j) => {
      this.#starts[j] = 3 * width
      width += bins
    })
    this.#width = 3 * width
    this.#order = new Uint32Array(rows[0]?.length ?? 0)
    this.#spare = new Uint32Array(this.#order.length)
  }

  /** One tree for these slopes, whose leaves are added to the rows' sums. */
  grow(g: Float64Array, h: Float64Array, sums: Float64Array): Node {
    ;[this.#g, this.#h] = [g, h]
    for (let i = 0; i < this.#order.length; i++) this.#order[i] = i
    this.#leastGain = LEAST_GAIN * g.reduce((sum, slope) => sum + slope * slope, 0)
    const all = this.#order.length
    return this.#node(
      0,
      all,
      this.#splits(all, this.options.depth) ? this.#histogram(0, all) : null,
      this.options.depth,
      sums,
    )
  }

  /** Whether a node of so many rows may be split. */
  #splits(rows: number, depth: number): boolean {
    return depth > 0 && rows >= 2 * this.options.leastRows
  }

  /** The node of rows order[from … to − 1]; without a histogram it is a leaf. */
  #node(from: number, to: number, histogram: Histogram | null, depth: number, sums: Float64Array): Node {
    const [G, H] = this.#totals(from, to)
    const split = histogram && this.#best(histogram, G, H, to - from)
    if (!split) {
      const curvature = H + this.options.ridge
      const value = curvature > 0 ? (-this.options.rate * G) / curvature : 0
      for (let i = from; i < to; i++) sums[this.#order[i]] += value
      return { feature: 0, left: new Uint8Array(0), children: null, value }
    }
    const middle = this.#partition(from, to, split)
    const rows = [middle - from, to - middle]
    const [left, right] = rows.map((count) => this.#splits(count, depth - 1))
    const histograms: [Histogram | null, Histogram | null] = [null, null]
    if (left || right) {
      // the smaller side is counted, and the other is what is left of the parent
      const small = rows[0] <= rows[1] ? 0 : 1
      const counted = small === 0 ? this.#histogram(from, middle) : this.#histogram(middle, to)
      for (let i = 0; i < histogram.length; i++) histogram[i] -= counted[i]
      if (small === 0 ? left : right) histograms[small] = counted
      if (small === 0 ? right : left) histograms[1 - small] = histogram
    }
    const children: [Node, Node] = [
      this.#node(from, middle, histograms[0], depth - 1, sums),
      this.#node(middle, to, histograms[1], depth - 1, sums),
    ]
    return { feature: split.feature, left: split.left, children, value: 0 }
  }

  #totals(from: number, to: number): [number, number] {
    let [G, H] = [0, 0]
    for (let i = from; i < to; i++) {
      G += this.#g[this.#order[i]]
      H += this.#h[this.#order[i]]
    }
    return [G, H]
  }

  #histogram(from: number, to: number): Histogram {
    const histogram = new Float64Array(this.#width)
    const [order, g, h] = [this.#order, this.#g, this.#h]
    this.rows.forEach((bins, feature) => {
      const start = this.#starts[feature]
      for (let i = from; i < to; i++) {
        const row = order[i]
        const at = start + 3 * bins[row]
        histogram[at] += g[row]
        histogram[at + 1] += h[row]
        histogram[at + 2]++
      }
    })
    return histogram
  }

  /** Brings the rows that go left to the front, each side in its old order; returns where the right side begins. */
  #partition(from: number, to: number, { feature, left }: Split): number {
    const bins = this.rows[feature]
    let [at, kept] = [from, 0]
    for (let i = from; i < to; i++) {
      const row = this.#order[i]
      if (left[bins[row]] === 1) this.#order[at++] = row
      else this.#spare[kept++] = row
    }
    this.#order.set(this.#spare.subarray(0, kept), at)
    return at
  }

  #best(histogram: Histogram, G: number, H: number, n: number): Split | null {
    let best: Split | null = null
    this.binnings.forEach(({ bins, ordered }, feature) => {
      const own = histogram.subarray(this.#starts[feature], this.#starts[feature] + 3 * bins)
      const split = ordered ? this.#numberSplit(own, G, H, n) : this.#levelSplit(own, G, H, n)
      if (split && split.gain > (best?.gain ?? this.#leastGain)) best = { ...split, feature }
    })
    return best
  }

  /** Up to a bin, with the missing on either side. */
  #numberSplit(own: Histogram, G: number, H: number, n: number): Omit<Split, 'feature'> | null {
    const { ridge } = this.options
    const bins = own.length / 3
    const missing = own[2]
    let [gain, last, missingLeft] = [0, -1, false]
    let [g, h, count] = [0, 0, 0]
    for (let bin = 1; bin < bins && count < n - missing; bin++) {
      const at = 3 * bin
      if (own[at + 2] === 0) continue
      g += own[at]
      h += own[at + 1]
      count += own[at + 2]
      // after the last bin this is what is there against what is missing
      const right = this.#gain(g, h, count, G, H, n, ridge)
      if (right > gain) {
        // where nothing is missing here, what is missing later goes with the more
        ;[gain, last, missingLeft] = [right, bin, missing === 0 && 2 * count > n]
      }
      if (missing === 0 || count === n - missing) continue
      const left = this.#gain(g + own[0], h + own[1], count + missing, G, H, n, ridge)
      if (left > gain) [gain, last, missingLeft] = [left, bin, true]
    }
    if (last < 0) return null
    const left = new Uint8Array(bins).fill(1, 1, last + 1)
    left[0] = missingLeft ? 1 : 0
    return { gain, left }
  }

  /** The levels of least slope on one side; the missing are one of them. */
  #levelSplit(own: Histogram, G: number, H: number, n: number): Omit<Split, 'feature'> | null {
    let levels = 0
    for (let at = 2; at < own.length; at += 3) if (own[at] > 0) levels++
    const ridge = this.options.ridge + (levels > FEW_LEVELS ? LEVELS_RIDGE : 0)
    const filled = this.#bySlope(own, ridge).subarray(0, levels)
    let [gain, last, rowsLeft] = [0, -1, 0]
    let [g, h, count] = [0, 0, 0]
    for (let i = 0; i < filled.length - 1; i++) {
      const at = 3 * filled[i]
      g += own[at]
      h += own[at + 1]
      count += own[at + 2]
      const here = this.#gain(g, h, count, G, H, n, ridge)
      if (here > gain) [gain, last, rowsLeft] = [here, i, count]
    }
    if (last < 0) return null
    // levels that are not here go with the more
    const left = new Uint8Array(own.length / 3)
    if (2 * rowsLeft > n) left.fill(1)
    filled.forEach((bin, i) => {
      left[bin] = i <= last ? 1 : 0
    })
    return { gain, left }
  }

  /** The bins that have rows by Σg/(Σh + ridge), the least first: inserted one by one, since they are few. */
  #bySlope(own: Histogram, ridge: number): Int32Array {
    const [order, slopes] = [this.#levels, this.#slopes]
    let count = 0
    for (let bin = 0; 3 * bin < own.length; bin++) {
      if (own[3 * bin + 2] === 0) continue
      const slope = own[3 * bin] / (own[3 * bin + 1] + ridge)
      let at = count++
      for (; at > 0 && slopes[at - 1] > slope; at--) {
        slopes[at] = slopes[at - 1]
        order[at] = order[at - 1]
      }
      slopes[at] = slope
      order[at] = bin
    }
    return order
  }

  /** What a division gains; 0 where a side has too few rows. */
  #gain(g: number, h: number, count: number, G: number, H: number, n: number, ridge: number): number {
    const { leastRows } = this.options
    if (count < leastRows || n - count < leastRows) return 0
    const other = H - h
    // with a ridge of 0 a side of settled rows has no curvature
    if (!(h + ridge > 0 && other + ridge > 0)) return 0
    return (g * g) / (h + ridge) + ((G - g) * (G - g)) / (other + ridge) - (G * G) / (H + ridge)
  }
}
