/**
 * What a solver does, as a list of *evaluations* of the velocity. The host works it out (src/ode/) for any steps, clock and
 * method. With y the state at a step's start, p the point of the evaluation, `sum` the state that the step leads to:
 *
 *     x = place·p;  k = factor·v(x, time) + own·x;  sum += share·k;
 *     then  p = y + reach·k,  or, where a step ends,  p = y = sum,  sum = y + carry·k
 *
 * Every stage depends only on the one before, as in Euler's, the midpoint, Heun's and the classical Runge–Kutta method;
 * `carry` is the weight of a velocity in the step after, for two-step methods. In local time the state is x itself: factor and
 * place are 1, own is 0.
 */

export interface Evaluation {
  /** number of the sub-flow among those whose parameters are given */
  readonly network: number
  /** local time of the sub-flow */
  readonly time: number
  readonly factor: number
  readonly own: number
  readonly place: number
  /** weight of k in its step */
  readonly share: number
  /** how far along k the point of the next evaluation lies; 0 where the step ends */
  readonly reach: number
  /** whether the step is complete */
  readonly ends: boolean
  /** weight of k in the step after; 0 except where this step ends */
  readonly carry: number
}

/** Numbers of an evaluation in a table. */
export const TABLE_COLUMNS = 8

/** The evaluations as engines read them: time, factor, own, place, 2·network + ends, share, reach and carry of each. */
export const tableOf = (evaluations: readonly Evaluation[]): number[] =>
  evaluations.flatMap(({ network, time, factor, own, place, share, reach, ends, carry }) => {
    return [time, factor, own, place, 2 * network + (ends ? 1 : 0), share, reach, carry]
  })

/** Whether the state is what the network sees, and k its velocity. */
export const isPlain = ({ factor, own, place }: Evaluation): boolean => own === 0 && place === 1 && factor === 1

/** The evaluations step by step. */
export function stepsOf(evaluations: readonly Evaluation[]): Evaluation[][] {
  const steps: Evaluation[][] = []
  let begins = true
  for (const evaluation of evaluations) {
    if (begins) steps.push([])
    steps[steps.length - 1].push(evaluation)
    begins = evaluation.ends
  }
  return steps
}
