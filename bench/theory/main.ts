/**
 * `npm run theory`: what the paper's guarantee says, held against exact and trained chains in one dimension. Writes
 * bench/results/theory.json and the pictures of docs/theory.md, and prints its tables: some minutes of one thread. With --draw
 * only pictures and tables, from that file.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { renderPng } from '../../src/plot/index.js'
import { type TheoryCurve, theoryFigure } from './figure.js'
import {
  affineChain,
  type Divergences,
  exponent,
  fromNormal,
  type Mixture,
  noised,
  normalChi2,
} from './one-dimension.js'
import { type TrainedChain, trainedChain } from './trained.js'

const SEEDS = [1, 2, 3]
/** Training steps of all sub-flows together. */
const BUDGETS = [200, 400, 800, 1600, 3200, 6400]
/** Exponents are of divergences below this: a law that misses a peak has any χ². */
const SMALL = 0.5

const sets: Readonly<Record<string, Mixture>> = {
  'N(1, .25)': { weights: [1], means: [1], variances: [0.25] },
  'two peaks': { weights: [0.5, 0.5], means: [-1, 1], variances: [0.1, 0.1] },
}
/** Chains that end in noise, by their number of sub-flows. */
const chains: Readonly<Record<number, (number | null)[]>> = {
  1: [null],
  2: [0.2, null],
  4: [0.05, 0.1, 0.2, null],
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]
const mean = (values: readonly number[]): number => sum(values) / values.length
const show = (value: number): string => value.toPrecision(3).replace(/^0\./, '.')
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const table = (head: readonly (string | number)[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')
const averaged = (found: readonly Divergences[]): Divergences => ({
  chi2: mean(found.map(({ chi2 }) => chi2)),
  kl: mean(found.map(({ kl }) => kl)),
})

async function overSeeds(data: Mixture, gammas: readonly (number | null)[], steps: number): Promise<TrainedChain[]> {
  const found: TrainedChain[] = []
  for (const seed of SEEDS) found.push(await trainedChain(data, gammas, { steps, seed }))
  process.stderr.write(`γ = ${gammas.map((gamma) => gamma ?? 'free').join(', ')}; ${steps} steps\n`)
  return found
}

/** Along a chain whose last step is not free: exact, and as a trained one pushes its data. */
async function along(name: string) {
  const gammas = [0.1, 0.2, 0.4, 0.8]
  const data = sets[name]
  const trained = await overSeeds(data, gammas, 2000)
  return [0, ...gammas].map((_, n) => {
    const gamma = sum(gammas.slice(0, n))
    return { gamma, exact: fromNormal(noised(data, gamma)), trained: averaged(trained.map(({ along }) => along[n])) }
  })
}

/** Four even sub-flows up to Γ, none of them free: what stays however well they are trained. */
async function openEnd(gamma: number) {
  const data = sets['two peaks']
  const found = await overSeeds(data, Array(4).fill(gamma / 4), 2000)
  return { gamma, exact: fromNormal(noised(data, gamma)), made: averaged(found.map(({ made }) => made)) }
}

/** A loss above the least one, and how far what is made is from the data. */
async function madeBy(N: number) {
  const points: { steps: number; excess: number; chi2: number; kl: number }[] = []
  for (const steps of BUDGETS) {
    for (const { excess, made } of await overSeeds(sets['two peaks'], chains[N], Math.round(steps / N))) {
      points.push({ steps, excess: sum(excess), ...made })
    }
  }
  const small = points.filter(({ chi2 }) => chi2 < SMALL)
  return { N, points, exponent: exponent(small.map(({ excess, chi2 }) => ({ x: excess, y: chi2 }))) }
}

/** The same where the velocity is wrong by δ (1 + x) everywhere: exact, on N(1, .25). */
function affine(N: number) {
  const data = { mean: 1, variance: 0.25 }
  const points = [0.0003, 0.001, 0.003].map((delta) => {
    const { made, excess } = affineChain(data, chains[N], delta)
    return { excess, chi2: normalChi2(data, made) }
  })
  return {
    N,
    exponent: exponent(points.map(({ excess, chi2 }) => ({ x: excess, y: chi2 }))),
    ratio: points[0].chi2 / points[0].excess,
  }
}

async function measure() {
  const made: Awaited<ReturnType<typeof madeBy>>[] = []
  for (const N of Object.keys(chains)) made.push(await madeBy(Number(N)))
  const open: Awaited<ReturnType<typeof openEnd>>[] = []
  for (const gamma of [0.25, 0.5, 1, 2]) open.push(await openEnd(gamma))
  return {
    along: { 'N(1, .25)': await along('N(1, .25)'), 'two peaks': await along('two peaks') },
    made,
    openEnd: open,
    affine: Object.keys(chains).map((N) => affine(Number(N))),
  }
}
type Results = Awaited<ReturnType<typeof measure>>

const { values } = parseArgs({ options: { draw: { type: 'boolean' } } })
const path = fileURLToPath(new URL('../results/theory.json', import.meta.url))
if (!values.draw) writeFileSync(path, `${JSON.stringify(await measure(), null, 2)}\n`)
const results: Results = JSON.parse(readFileSync(path, 'utf8'))

const image = (name: string): string => fileURLToPath(new URL(`../../docs/images/theory-${name}.png`, import.meta.url))
const panels = Object.entries(results.along).map(([name, found]) => {
  const start = found[0].exact
  const fine = Array.from({ length: 31 }, (_, i) => (i / 30) * found[found.length - 1].gamma)
  const line = (label: string, of: (gamma: number) => number, dashed = false): TheoryCurve => ({
    label,
    dashed,
    points: fine.map((gamma) => ({ x: gamma, y: of(gamma) })),
  })
  return {
    title: name,
    curves: [
      line('χ², exact', (gamma) => fromNormal(noised(sets[name], gamma)).chi2),
      line('KL, exact', (gamma) => fromNormal(noised(sets[name], gamma)).kl),
      line('χ² of the data · exp(−2Γ)', (gamma) => start.chi2 * Math.exp(-2 * gamma), true),
      {
        label: 'χ², trained chain',
        dots: true,
        points: found.map(({ gamma, trained }) => ({ x: gamma, y: trained.chi2 })),
      },
      {
        label: 'KL, trained chain',
        dots: true,
        points: found.map(({ gamma, trained }) => ({ x: gamma, y: trained.kl })),
      },
    ],
  }
})
writeFileSync(
  image('along'),
  await renderPng(await theoryFigure({ panels, x: 'Γ, time of the process', y: 'from N(0, 1)', scale: 'linear' })),
)
writeFileSync(
  image('made'),
  await renderPng(
    await theoryFigure({
      panels: [
        {
          title: 'trained chains of N sub-flows, two peaks',
          curves: results.made.map(({ N, points }) => ({
            label: `N = ${N}`,
            dots: true,
            points: points.filter(({ chi2 }) => chi2 < SMALL).map(({ excess, chi2 }) => ({ x: excess, y: chi2 })),
          })),
        },
      ],
      x: 'loss above the least one, all sub-flows',
      y: 'χ²(data ‖ made)',
      scale: 'log',
    }),
  ),
)

for (const [name, found] of Object.entries(results.along)) {
  console.log(`\n${name}: divergences from N(0, 1) along the chain, exact and of a trained chain`)
  console.log(
    table(
      ['Γ', 'χ² of the data · exp(−2Γ)', 'χ²', 'trained', 'KL', 'trained'],
      found.map(({ gamma, exact, trained }) => [
        show(gamma),
        ...[found[0].exact.chi2 * Math.exp(-2 * gamma), exact.chi2, trained.chi2, exact.kl, trained.kl].map(show),
      ]),
    ),
  )
}
console.log('\nχ²(data ‖ made) against the loss above the least one')
console.log(
  table(
    [
      'N',
      'exponent, trained',
      ...BUDGETS.map((steps) => `χ² after ${steps} steps in all`),
      'exponent, affine',
      'χ²/loss, affine',
    ],
    results.made.map(({ N, points, exponent }, i) => [
      N,
      exponent.toFixed(2),
      ...BUDGETS.map((steps) => show(median(points.filter((point) => point.steps === steps).map(({ chi2 }) => chi2)))),
      results.affine[i].exponent.toFixed(2),
      show(results.affine[i].ratio),
    ]),
  ),
)
console.log('\nfour sub-flows, none free: what stays')
console.log(
  table(
    ['Γ', 'χ²(X_N ‖ N(0, 1)), exact', 'χ²(data ‖ made), trained'],
    results.openEnd.map(({ gamma, exact, made }) => [gamma, show(exact.chi2), show(made.chi2)]),
  ),
)
