/**
 * A made table like that of the RAND health insurance experiment: a plan, income, age, sex, diseases, and visits to a doctor, a count that
 * hangs on them and is 0 in a third of the rows, and what they cost, which is missing where there was none. Its law is known,
 * and it can be had in any length.
 */

import type { Table } from '../../src/data/tables/table.js'
import { RandomStream } from '../../src/random/stream.js'

const plans = ['free', 'quarter', 'half', 'most', 'individual'] as const
const planShares = [0.35, 0.2, 0.15, 0.18, 0.12]
const health = ['excellent', 'good', 'fair', 'poor'] as const

/** A whole number of Poisson's law. */
function poisson(random: RandomStream, mean: number): number {
  let [k, product] = [0, random.uniform()]
  const least = Math.exp(-Math.min(mean, 60))
  while (product > least) {
    product *= random.uniform()
    k++
  }
  return k
}

function among(random: RandomStream, shares: readonly number[]): number {
  let left = random.uniform() * shares.reduce((sum, share) => sum + share, 0)
  const at = shares.findIndex((share) => {
    left -= share
    return left < 0
  })
  return at < 0 ? shares.length - 1 : at
}

export function madeTable(rows: number, seed: number): Table {
  const random = new RandomStream(seed)
  const numbers = { age: 'integer', income: 'number', diseases: 'number', visits: 'integer', cost: 'number' } as const
  const values = Object.fromEntries(Object.keys(numbers).map((name) => [name, new Float64Array(rows)]))
  const codes = { plan: new Int32Array(rows), sex: new Int32Array(rows), health: new Int32Array(rows) }
  for (let i = 0; i < rows; i++) {
    random.row(i)
    const plan = among(random, planShares)
    const sex = random.uniform() < 0.52 ? 1 : 0
    const age = Math.floor(62 * random.uniform() ** 1.3)
    const income = Math.round(Math.exp(8.6 + 0.012 * Math.min(age, 45) + 0.7 * random.normal()))
    const diseases = Math.round(10 * Math.max(0, 4 + 0.18 * age + 3 * sex + 5 * random.normal())) / 10
    const worse = 0.05 * diseases + 0.01 * age - 0.00002 * income
    const state = among(
      random,
      [1.1, 0.9, 0.3, 0.1].map((share, k) => share * Math.exp(worse * k)),
    )
    const rate = Math.exp(0.5 - 0.14 * plan + 0.04 * diseases + 0.25 * state + 0.2 * sex - 0.15 * (age > 18 ? 0 : 1))
    // of gamma law with shape 1: a negative binomial count
    const visits = poisson(random, rate * -Math.log(1 - random.uniform()))
    codes.plan[i] = plan
    codes.sex[i] = sex
    codes.health[i] = state
    values.age[i] = age
    values.income[i] = income
    values.diseases[i] = diseases
    values.visits[i] = visits
    const cost = visits * 22 * Math.exp(0.5 * random.normal())
    values.cost[i] = visits === 0 ? Number.NaN : Math.round(100 * cost) / 100
  }
  const category = (name: 'plan' | 'sex' | 'health', levels: readonly string[]) =>
    ({ name, kind: 'category', codes: codes[name], levels: [...levels] }) as const
  return {
    rows,
    columns: [
      category('plan', plans),
      category('sex', ['man', 'woman']),
      ...Object.entries(numbers).map(([name, kind]) => ({ name, kind, values: values[name] })),
      category('health', health),
    ],
  }
}
