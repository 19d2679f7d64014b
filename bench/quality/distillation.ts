/**
 * `npm run quality:distillation`: what students of one to four evaluations lose against their teachers, on toy sets. A chain and a
 * single flow are trained with the same networks and as many steps in all, and distilled alike; quality is the sliced W2 of
 * samples from test rows above that of as many other rows of the truth (the excess). Controls: the teacher by its best solver for
 * few evaluations, and copies that were not distilled. Prints Markdown; --json FILE keeps the numbers.
 */

import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type ToyName, toy } from '../../src/data/toy.js'
import { InvalidArgumentError } from '../../src/errors.js'
import { LocalFlow } from '../../src/index.js'
import { slicedWasserstein } from '../../src/metrics/sliced.js'
import type { DistillRequest } from '../../src/run/distilling.js'

const { values: asked } = parseArgs({
  options: {
    sets: { type: 'string', default: 'moons,checkerboard' },
    seeds: { type: 'string', default: '1,2,3' },
    /** of the teacher, in all; of the students together */
    steps: { type: 'string', default: '3000' },
    'student-steps': { type: 'string', default: '1000' },
    json: { type: 'string' },
  },
})
const [steps, studentSteps] = [Number(asked.steps), Number(asked['student-steps'])]
const [ROWS, SAMPLES, BATCH] = [20_000, 10_000, 500]
const EVALUATIONS = [1, 2, 4]
const WHOLE = 128

const teachers = { chain: [0.05, 0.2, null], 'single flow': [null] } as const
type TeacherName = keyof typeof teachers

/** Standardised by the first rows drawn. */
function rowsOf(name: ToyName, seed: number) {
  const draw = (n: number, of: number): Float32Array => toy(name).sample(n, 1000 * seed + of)
  const train = draw(ROWS, 1)
  const moments = [0, 1].map((d) => {
    const column = train.filter((_, i) => i % 2 === d)
    const mean = column.reduce((sum, value) => sum + value / column.length, 0)
    return { mean, std: Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2 / column.length, 0)) }
  })
  const scaled = (values: Float32Array) => values.map((value, i) => (value - moments[i % 2].mean) / moments[i % 2].std)
  return { train: scaled(train), test: scaled(draw(SAMPLES, 2)), other: scaled(draw(SAMPLES, 3)) }
}

interface Found {
  readonly set: string
  readonly seed: number
  readonly teacher: TeacherName
  readonly way: string
  readonly evaluations: number
  /** sliced W2 above the floor */
  readonly excess: number
  /** of training and distilling: seconds */
  readonly seconds: number | null
}
const found: Found[] = []
const note = (text: string): void => void process.stderr.write(`${text}\n`)

async function study(set: ToyName, seed: number, name: TeacherName): Promise<void> {
  const { train, test, other } = rowsOf(set, seed)
  const floor = slicedWasserstein(test, other, 2)
  const excessOf = async (flow: LocalFlow, options: Parameters<LocalFlow['sample']>[1]): Promise<number> =>
    slicedWasserstein(test, (await flow.sample(SAMPLES, options)).values as Float32Array, 2) - floor
  const timed = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
    const began = performance.now()
    return [await work(), (performance.now() - began) / 1000]
  }
  const gammas = teachers[name]
  const [flow, seconds] = await timed(() =>
    LocalFlow.train(
      { values: train, shape: [ROWS, 2] },
      {
        model: { hidden: [64, 64, 64], activation: 'silu', fourier: [1, 2, 4] },
        flow: { gammas: [...gammas], interpolant: 'arc' },
        train: { batch: BATCH, steps: Math.round(steps / gammas.length), lr: 0.005, warmup: 0, ema: 0.99 },
        device: 'native',
        seed,
      },
    ),
  )
  const add = (way: string, evaluations: number, excess: number, took: number | null = null): void => {
    found.push({ set, seed, teacher: name, way, evaluations, excess, seconds: took })
    note(
      `${set} ${seed} ${name}: ${way} at ${evaluations}: ${excess.toFixed(4)}${took ? ` (${took.toFixed(1)} s)` : ''}`,
    )
  }
  const carry = { solver: 'ab2', clock: 'angle' } as const
  add('teacher', WHOLE, await excessOf(flow, { ...carry, evaluations: WHOLE }), seconds)
  for (const evaluations of EVALUATIONS) {
    try {
      add('teacher', evaluations, await excessOf(flow, { ...carry, evaluations }))
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error
    }
  }
  const distil = async (way: string, request: DistillRequest, measured: readonly number[]): Promise<void> => {
    const [student, took] = await timed(() => flow.distill(request))
    for (const evaluations of measured) {
      add(way, evaluations, await excessOf(student, student.isFlow ? {} : { evaluations }), took)
    }
    await student.dispose()
  }
  const nothing = { steps: 1, lr: 1e-30 }
  for (const into of EVALUATIONS) {
    const learning = { steps: Math.round(studentSteps / into), lr: 0.005 }
    await distil('pairs', { kind: 'pairs', into, train: learning }, [into])
    await distil('pairs, not distilled', { kind: 'pairs', into, train: nothing }, [into])
  }
  await distil('any-step', { kind: 'any-step', into: 4, train: { steps: studentSteps, lr: 0.005 } }, [1, 2, 4, 8])
  await distil('any-step, not distilled', { kind: 'any-step', into: 4, train: nothing }, [1, 2, 4])
  await distil('reflow', { kind: 'reflow', into: 2, train: { steps: Math.round(studentSteps / 2), lr: 0.005 } }, [2])
  await flow.dispose()
}

/** Mean ± standard deviation over seeds. */
function cell(rows: readonly Found[]): string {
  if (rows.length === 0) return '–'
  const mean = rows.reduce((sum, { excess }) => sum + excess / rows.length, 0)
  const std = Math.sqrt(rows.reduce((sum, { excess }) => sum + (excess - mean) ** 2, 0) / Math.max(1, rows.length - 1))
  return `${mean.toFixed(4)} ± ${std.toFixed(4)}`
}

function table(set: string): string {
  const own = found.filter((row) => row.set === set)
  const columns = [...EVALUATIONS, 8, WHOLE]
  const ways = [...new Set(own.map(({ way }) => way))]
  const head = ['excess at evaluations', ...columns.map(String), 'time to distil / to train']
  const rows = (Object.keys(teachers) as TeacherName[]).flatMap((teacher) =>
    ways.map((way) => {
      const of = own.filter((row) => row.teacher === teacher && row.way === way)
      const train = own.filter((row) => row.teacher === teacher && row.way === 'teacher' && row.seconds !== null)
      const mean = (list: readonly Found[]) => list.reduce((sum, { seconds }) => sum + seconds! / list.length, 0)
      const timed = of.filter(({ seconds }) => seconds !== null)
      const ratio = way === 'teacher' || way.includes('not') ? '' : (mean(timed) / mean(train)).toFixed(2)
      return [
        `${teacher}: ${way}`,
        ...columns.map((evaluations) => cell(of.filter((row) => row.evaluations === evaluations))),
        ratio,
      ]
    }),
  )
  return [`### ${set}`, '', ...[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)].join(
    '\n',
  )
}

for (const seed of asked.seeds.split(',').map(Number)) {
  for (const set of asked.sets.split(',') as ToyName[]) {
    for (const name of Object.keys(teachers) as TeacherName[]) await study(set, seed, name)
  }
  // what is there so far is not lost where the study is cut
  if (asked.json) writeFileSync(asked.json, `${JSON.stringify(found, null, 1)}\n`)
}
process.stdout.write(`${asked.sets.split(',').map(table).join('\n\n')}\n`)
