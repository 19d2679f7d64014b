/** How right predictions are: of two classes, of many, of numbers. */

/**
 * Area under the receiver operating characteristic: the chance that a row of class 1 has a greater score than one of class 0, ties
 * by halves. NaN where a class has no row.
 *
 * @param scores [n] @param classes [n], 1 or 0
 */
export function areaUnderCurve(scores: ArrayLike<number>, classes: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b])
  let [below, won, ones] = [0, 0, 0]
  for (let i = 0; i < order.length; ) {
    let [zeros, own] = [0, 0]
    const score = scores[order[i]]
    for (; i < order.length && scores[order[i]] === score; i++) classes[order[i]] === 1 ? own++ : zeros++
    won += own * (below + zeros / 2)
    below += zeros
    ones += own
  }
  return won / (ones * below)
}

/** The share of rows whose class was told right. */
export function accuracy(predicted: ArrayLike<number>, truth: ArrayLike<number>): number {
  let right = 0
  for (let i = 0; i < truth.length; i++) if (predicted[i] === truth[i]) right++
  return right / truth.length
}

/** The mean over the classes that occur of F1 = 2·right/(predicted + true), the harmonic mean of precision and recall. */
export function macroF1(predicted: ArrayLike<number>, truth: ArrayLike<number>): number {
  const counts = new Map<number, { right: number; all: number; occurs: boolean }>()
  const of = (value: number) => {
    const found = counts.get(value) ?? { right: 0, all: 0, occurs: false }
    counts.set(value, found)
    return found
  }
  for (let i = 0; i < truth.length; i++) {
    of(predicted[i]).all++
    const own = of(truth[i])
    own.all++
    own.occurs = true
    if (predicted[i] === truth[i]) own.right++
  }
  const scores = [...counts.values()].filter(({ occurs }) => occurs).map(({ right, all }) => (2 * right) / all)
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

/** R²: 1 − Σ (truth − predicted)² / Σ (truth − mean)²; 1 where all is right, 0 of the mean, below 0 of worse. NaN of a constant. */
export function determination(predicted: ArrayLike<number>, truth: ArrayLike<number>): number {
  let mean = 0
  for (let i = 0; i < truth.length; i++) mean += truth[i] / truth.length
  let [left, whole] = [0, 0]
  for (let i = 0; i < truth.length; i++) {
    left += (truth[i] - predicted[i]) ** 2
    whole += (truth[i] - mean) ** 2
  }
  return whole > 0 ? 1 - left / whole : NaN
}
