/**
 * `npm run quality:distillation`: what students of one to four evaluations lose against their teachers, in two dimensions. A chain
 * and a single flow are trained with the same networks and as many steps in all, and distilled alike, by the defaults of
 * `flow.distill`; beside them are average velocities without a teacher. Quality is the sliced W2 of samples from test rows above
 * that of as many other rows of the truth (the excess). Controls: the teacher by its best solver for few evaluations, and copies
 * that were not distilled, which have to fail (distillation-bars.ts): else the command does. Prints Markdown; --json FILE keeps
 * the numbers, and --from FILE,… prints those of earlier calls.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { loadImageDensity } from '../../src/data/image-density.js'
import { type ToyName, toy } from '../../src/data/toy.js'
import { InvalidArgumentError } from '../../src/errors.js'
import { LocalFlow } from '../../src/index.js'
import { slicedWasserstein } from '../../src/metrics/sliced.js'
import type { DistillRequest } from '../../src/run/distilling.js'
import { bars, type Found, judge, NOT_DISTILLED, TEACHER, WHOLE } from './distillation-bars.js'

const { values: asked } = parseArgs({
  options: {
    sets: { type: 'string', default: 'rose,tree,moons,checkerboard' },
    seeds: { type: 'string', default: '1,2,3' },
    /** of the teacher, in all; its students have their default share of them */
    steps: { type: 'string', default: '3000' },
    json: { type: 'string' },
    from: { type: 'string' },
  },
})
const steps = Number(asked.steps)
const [ROWS, SAMPLES, BATCH] = [20_000, 10_000, 500]
const EVALUATIONS = [1, 2, 4]

const teachers = { chain: [0.05, 0.2, null], 'single flow': [null] } as const
type TeacherName = keyof typeof teachers

const pictures = ['rose', 'tree']

/** Standardised by the first rows drawn. */
async function rowsOf(name: string, seed: number) {
  const sampler = pictures.includes(name) ? await loadImageDensity(`examples/${name}.png`) : toy(name as ToyName)
  const draw = (n: number, of: number): Float32Array => sampler.sample(n, 1000 * seed + of)
  const train = draw(ROWS, 1)
  const moments = [0, 1].map((d) => {
    const column = train.filter((_, i) => i % 2 === d)
    const mean = column.reduce((sum, value) => sum + value / column.length, 0)
    return { mean, std: Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2 / column.length, 0)) }
  })
  const scaled = (values: Float32Array) => values.map((value, i) => (value - moments[i % 2].mean) / moments[i % 2].std)
  return { train: scaled(train), test: scaled(draw(SAMPLES, 2)), other: scaled(draw(SAMPLES, 3)) }
}

const found: Found[] = []
const note = (text: string): void => void process.stderr.write(`${text}\n`)

async function study(set: string, seed: number, name: TeacherName): Promise<void> {
  const { train, test, other } = await rowsOf(set, seed)
  const floor = slicedWasserstein(test, other, 2)
  const excessOf = async (flow: LocalFlow, options: Parameters<LocalFlow['sample']>[1]): Promise<number> =>
    slicedWasserstein(test, (await flow.sample(SAMPLES, options)).values as Float32Array, 2) - floor
  // of all its threads: the machine may have other work
  const timed = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
    const began = process.cpuUsage()
    const made = await work()
    const { user, system } = process.cpuUsage(began)
    return [made, (user + system) / 1e6]
  }
  const gammas = teachers[name]
  const learn = (objective: 'flow-matching' | 'mean-flow') => () =>
    LocalFlow.train(
      { values: train, shape: [ROWS, 2] },
      {
        model: { hidden: [64, 64, 64], activation: 'silu', fourier: [1, 2, 4] },
        flow: { gammas: [...gammas], interpolant: 'arc' },
        train: { batch: BATCH, steps: Math.round(steps / gammas.length), ema: 0.99, objective },
        device: 'native',
        seed,
      },
    )
  const [flow, seconds] = await timed(learn('flow-matching'))
  const add = (way: string, evaluations: number, excess: number, took: number | null = null): void => {
    found.push({ set, seed, teacher: name, way, evaluations, excess, seconds: took })
    note(
      `${set} ${seed} ${name}: ${way} at ${evaluations}: ${excess.toFixed(4)}${took ? ` (${took.toFixed(1)} s)` : ''}`,
    )
  }
  const carry = { solver: 'ab2', clock: 'angle' } as const
  add(TEACHER, WHOLE, await excessOf(flow, { ...carry, evaluations: WHOLE }), seconds)
  for (const evaluations of EVALUATIONS) {
    try {
      add(TEACHER, evaluations, await excessOf(flow, { ...carry, evaluations }))
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
  for (const kind of ['terminal', 'pairs'] as const) {
    for (const into of EVALUATIONS) {
      await distil(kind, { kind, into }, [into])
      await distil(kind + NOT_DISTILLED, { kind, into, train: nothing }, [into])
    }
  }
  await distil('any-step', { kind: 'any-step', into: 4 }, [1, 2, 4, 8])
  await distil(`any-step${NOT_DISTILLED}`, { kind: 'any-step', into: 4, train: nothing }, [1, 2, 4])
  await distil('reflow', { kind: 'reflow', into: 2 }, [2])
  if (gammas.length === 1) {
    const [average, took] = await timed(learn('mean-flow'))
    for (const evaluations of [1, 2, 4, 8])
      add('mean-flow', evaluations, await excessOf(average, { evaluations }), took)
    await average.dispose()
  }
  await flow.dispose()
}

/** Mean ± standard deviation over seeds. */
function cell(rows: readonly Found[]): string {
  if (rows.length === 0) return '–'
  const mean = rows.reduce((sum, { excess }) => sum + excess / rows.length, 0)
  const std = Math.sqrt(rows.reduce((sum, { excess }) => sum + (excess - mean) ** 2, 0) / Math.max(1, rows.length - 1))
  return rows.length > 1 ? `${mean.toFixed(4)} ± ${std.toFixed(4)}` : mean.toFixed(4)
}

function table(set: string): string {
  const own = found.filter((row) => row.set === set)
  const columns = [...EVALUATIONS, 8, WHOLE]
  const ways = [...new Set(own.map(({ way }) => way))]
  const head = ['excess at evaluations', ...columns.map(String), 'processor time / the teacher’s']
  const rows = (Object.keys(teachers) as TeacherName[]).flatMap((teacher) =>
    ways.flatMap((way) => {
      const of = own.filter((row) => row.teacher === teacher && row.way === way)
      if (of.length === 0) return []
      const train = own.filter((row) => row.teacher === teacher && row.way === TEACHER && row.seconds !== null)
      const mean = (list: readonly Found[]) => list.reduce((sum, { seconds }) => sum + seconds! / list.length, 0)
      const timed = of.filter(({ seconds }) => seconds !== null)
      const ratio = way === TEACHER || way.endsWith(NOT_DISTILLED) ? '' : (mean(timed) / mean(train)).toFixed(2)
      return [
        [
          `${teacher}: ${way}`,
          ...columns.map((evaluations) => cell(of.filter((row) => row.evaluations === evaluations))),
          ratio,
        ],
      ]
    }),
  )
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return [`### ${set}`, '', ...lines, '', bars(own)].join('\n')
}

const sets = asked.sets.split(',')
if (asked.from) {
  for (const path of asked.from.split(',')) found.push(...(JSON.parse(readFileSync(path, 'utf8')) as Found[]))
} else {
  for (const seed of asked.seeds.split(',').map(Number)) {
    for (const set of sets) {
      for (const name of Object.keys(teachers) as TeacherName[]) await study(set, seed, name)
      // what is there so far is not lost where the study is cut
      if (asked.json) writeFileSync(asked.json, `${JSON.stringify(found, null, 1)}\n`)
    }
  }
}
process.stdout.write(`${sets.map(table).join('\n\n')}\n`)
const passing = sets.flatMap((set) =>
  judge(found.filter((row) => row.set === set))
    .filter(({ controlFails }) => !controlFails)
    .map(({ teacher, evaluations }) => `${set}, ${teacher}, ${evaluations}`),
)
if (passing.length > 0) {
  note(`Copies that were not distilled reach a bar, so that it tells nothing: ${passing.join('; ')}.`)
  process.exitCode = 1
}
