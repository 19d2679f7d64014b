/** Curves against evaluations: their words, whiskers and floor, and what is refused. */
import { expect, it } from 'vitest'
import { curvesFigure } from '../../src/plot/index.js'

const words = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])
const curve = (label: string, level: number, spread?: number) => ({
  label,
  points: [4, 8, 16, 32].map((evaluations) => ({ evaluations, value: level + 1 / evaluations, spread })),
})

it('names every curve once, every panel, the evaluations and the quantity', async () => {
  const panels = [
    { title: 'equal width', curves: [curve('plain', 0.1), curve('local', 0.05)] },
    { title: 'equal parameters', curves: [curve('plain', 0.1)] },
  ]
  const found = words(await curvesFigure({ panels, quantity: 'sliced W2' }))
  expect(found).toEqual(expect.arrayContaining(['equal width', 'equal parameters', 'local', '4', '32', 'sliced W2']))
  expect(found.filter((word) => word === 'plain')).toHaveLength(1)
  expect(found.filter((word) => word === 'sliced W2')).toHaveLength(1)
})

it('draws a floor and whiskers only where they are given, and none that would reach below zero', async () => {
  const rules = async (spread?: number, floor?: number): Promise<number> => {
    const svg = await curvesFigure({ panels: [{ curves: [curve('one', 0.1, spread)] }], quantity: 'W2', floor })
    return svg.match(/class="mark-rule role-mark/g)?.length ?? 0
  }
  const bare = await rules()
  expect(await rules(undefined, 0.04)).toBe(bare + 1)
  expect(await rules(0.01)).toBe(bare + 4)
  expect(await rules(0.14)).toBe(bare + 3)
})

it('leaves out what is not finite, and refuses a figure without a point', async () => {
  const broken = { label: 'broken', points: [{ evaluations: 4, value: Number.NaN }] }
  const svg = await curvesFigure({ panels: [{ curves: [broken, curve('one', 0.1)] }], quantity: 'W2' })
  expect(words(svg)).toContain('broken')
  expect(svg).not.toContain('NaN')
  await expect(curvesFigure({ panels: [{ curves: [broken] }], quantity: 'W2' })).rejects.toThrow('at least one point')
})
