/** What students have to reach, judged on numbers that are made up: the best kind counts, and copies that were not distilled must fail. */

import { expect, it } from 'vitest'
import { bars, type Found, judge, NOT_DISTILLED, TEACHER, WHOLE } from '../../bench/quality/distillation-bars.js'

const row = (way: string, evaluations: number, excess: number, seed = 1): Found => {
  return { set: 'moons', seed, teacher: 'chain', way, evaluations, excess, seconds: null }
}
const found = [
  row(TEACHER, WHOLE, 0.009),
  row(TEACHER, WHOLE, 0.011, 2),
  row(TEACHER, 1, 0.09),
  row('pairs', 1, 0.05),
  row('terminal', 1, 0.028),
  row(`pairs${NOT_DISTILLED}`, 1, 0.3),
  row(`terminal${NOT_DISTILLED}`, 1, 0.2),
  row('pairs', 2, 0.016),
  row(`pairs${NOT_DISTILLED}`, 2, 0.014),
]

it('takes the best kind by means over seeds, and holds it against its teacher with many evaluations and with as few', () => {
  const [one, two, ...others] = judge(found)
  expect(one).toMatchObject({
    evaluations: 1,
    kind: 'terminal',
    reachesWhole: true,
    reachesFew: true,
    controlFails: true,
  })
  expect(one.ofWhole).toBeCloseTo(2.8, 6)
  expect(one.ahead).toBeCloseTo(0.09 / 0.028, 6)
  expect(one.control).toBeCloseTo(20, 6)
  // missed, and told by a copy that was not distilled that the bar tells nothing
  expect(two).toMatchObject({ evaluations: 2, kind: 'pairs', reachesWhole: false, ahead: null, controlFails: false })
  expect(others).toEqual([])
  expect(bars(found).split('\n').slice(2)).toEqual([
    '| chain | 1 | terminal | 2.80 of ≤ 3: reached | 3.2 of ≥ 2: reached | 20.0: fails, as it must |',
    '| chain | 2 | pairs | 1.60 of ≤ 1.5: missed | – | 1.4: DOES NOT FAIL |',
  ])
})

it('judges nothing without a teacher, or without a control', () => {
  expect(judge(found.filter(({ way }) => way !== TEACHER))).toEqual([])
  expect(judge(found.filter(({ way }) => !way.endsWith(NOT_DISTILLED)))).toEqual([])
})
