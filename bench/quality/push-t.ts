/**
 * `npm run quality:push-t`: policies for Push-T (examples/push-t/) from the same demonstrations, networks and batches: Local Flow,
 * plain flow matching, its students, regression and the nearest neighbour, tried on a hundred starts that no demonstration began at.
 * What has been measured is not run again. docs/policies.md has the tables, between its marks.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { demonstrations } from '../../examples/push-t/demonstrations.js'
import { Expert } from '../../examples/push-t/expert.js'
import { animated } from '../../examples/push-t/picture.js'
import {
  chunk,
  embed,
  episodes,
  flowPolicy,
  type Lessons,
  lessons,
  nearestNeighbour,
  type Outcome,
  type Policy,
  predicted,
} from '../../examples/push-t/policy.js'
import { episodeSteps, PushT, start } from '../../examples/push-t/world.js'
import { LocalFlow, type SampleOptions, type TrainArguments } from '../../src/index.js'
import { writeLines } from './gathered.js'
import { digits } from './tables.js'

const help = `npm run quality:push-t -- [--seeds 3] [--method NAME ...] [--gather] [--picture]

Makes a thousand demonstrations (once), trains policies, tries each on 100 starts and keeps what came of it in
bench/results/quality/push-t.json; then writes the tables into docs/policies.md. --gather only writes those of what is there.
--picture draws an episode of plain flow matching at four evaluations into docs/images/push-t.png.`

const root = fileURLToPath(new URL('../..', import.meta.url))
const results = join(root, 'bench/results/quality/push-t.json')
const page = join(root, 'docs/policies.md')
const kept = join(root, 'runs/push-t')

const budget = { demonstrations: 1000, starts: 100, steps: 30_000, batch: 256, hidden: [256, 256, 256] } as const
/** of the starts, beyond those of demonstrations */
const firstStart = 1_000_000

const common = (seed: number, { steps = [budget.steps], batch = budget.batch, model }: Method) =>
  ({
    model: model ?? { hidden: [...budget.hidden], activation: 'silu' },
    train: { batch, steps: [...steps], ema: 0.999, conditionDropout: 0 },
    device: 'native',
    seed,
  }) satisfies TrainArguments

interface Method {
  readonly label: string
  readonly evaluations: readonly number[]
  /** settings of its training; those of students are their teacher's, of the nearest neighbour none */
  readonly flow?: TrainArguments['flow']
  /** default: the budget's */
  readonly batch?: number
  /** of each sub-flow; default: all of the one that there is */
  readonly steps?: readonly number[]
  readonly teacher?: string
  /** whose model it is, where it has none of its own */
  readonly like?: string
  /** default: that of the model */
  readonly solver?: SampleOptions['solver']
  /** default: an MLP of the budget's widths */
  readonly model?: TrainArguments['model']
}

const methods: Readonly<Record<string, Method>> = {
  local: {
    label: 'Local Flow (γ = .1, free; 2/3 of the steps first)',
    evaluations: [2, 4, 16],
    flow: { gammas: [0.1, null] },
    steps: [(2 / 3) * budget.steps, (1 / 3) * budget.steps],
  },
  wide: {
    label: 'Local Flow (γ = 1, free; 3/4 of the steps first)',
    evaluations: [2, 4, 16],
    flow: { gammas: [1, null] },
    steps: [0.75 * budget.steps, 0.25 * budget.steps],
  },
  simulated: {
    label: 'Local Flow (γ = .1, free; simulated push)',
    evaluations: [2, 4, 16],
    flow: { gammas: [0.1, null], push: 'simulated' },
    steps: [(2 / 3) * budget.steps, (1 / 3) * budget.steps],
  },
  'wide-simulated': {
    label: 'Local Flow (γ = 1, free; simulated push)',
    evaluations: [2, 4, 16],
    flow: { gammas: [1, null], push: 'simulated' },
    steps: [0.75 * budget.steps, 0.25 * budget.steps],
  },
  tiny: {
    label: 'Local Flow (γ = .01, free; simulated push, 3/4 of the steps last)',
    evaluations: [2, 4, 16],
    flow: { gammas: [0.01, null], push: 'simulated' },
    steps: [0.25 * budget.steps, 0.75 * budget.steps],
  },
  'tiny-ddim': { label: 'the same model by DDIM', evaluations: [2, 4, 16], like: 'tiny', solver: 'ddim' },
  plain: { label: 'plain flow matching', evaluations: [1, 2, 4, 16], flow: { recipe: 'plain' } },
  'plain-ddim': { label: 'plain flow matching by DDIM', evaluations: [2, 4, 16], like: 'plain', solver: 'ddim' },
  unet1d: {
    label: 'plain flow matching by a unet1d of 16 · 32 · 64 (10 000 steps of 128 rows)',
    evaluations: [1, 2, 4, 16],
    flow: { recipe: 'plain' },
    model: { kind: 'unet1d', width: 16 },
    steps: [10_000],
    batch: 128,
  },
  'unet1d-wide': {
    label: 'Local Flow (γ = 1, free; 3/4 of the steps first) by two such unet1d (10 000 steps in all)',
    evaluations: [2, 4, 16],
    flow: { gammas: [1, null] },
    model: { kind: 'unet1d', width: 16 },
    steps: [7500, 2500],
    batch: 128,
  },
  // at the noise the velocity is noise less the mean of the actions, and one step from there is that mean
  regression: {
    label: 'regression: the flow at the noise alone',
    evaluations: [1],
    flow: { recipe: 'plain', time: { logitNormal: [8, 0.01] } },
  },
  'students-1': { label: 'student of plain flow matching: one map', evaluations: [1], teacher: 'plain' },
  'students-2': { label: 'students of plain flow matching: two maps', evaluations: [2], teacher: 'plain' },
  nearest: { label: 'nearest neighbour', evaluations: [0] },
  expert: { label: 'the expert', evaluations: [0] },
}

/** Policies that nothing is trained for; null: the expert, who sees more than a policy does. */
const untrained: Readonly<Record<string, (taught: Lessons) => Policy | null>> = {
  nearest: nearestNeighbour,
  expert: () => null,
}

interface Row {
  readonly method: string
  readonly seed: number
  readonly evaluations: number
  readonly starts: number
  readonly successes: number
  /** of the largest and the last reward of an episode, and of its steps: mean and standard deviation */
  readonly most: readonly [number, number]
  readonly last: readonly [number, number]
  readonly steps: number
}

const moments = (values: readonly number[]): [number, number] => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return [Number(mean.toFixed(4)), Number(Math.sqrt(variance).toFixed(4))]
}

const starts = Array.from({ length: budget.starts }, (_, i) => start(firstStart + i))

/** Episodes of the expert, whose hand does not tremble here. */
const demonstrated = (): Outcome[] =>
  starts.map((begin, i) => {
    const [world, expert, states] = [new PushT(begin), new Expert(firstStart + i), [begin]]
    let [success, most, last] = [false, 0, 0]
    while (!success && states.length <= episodeSteps) {
      const { reward, done } = world.step(expert.act(world.state))
      states.push(world.state)
      most = Math.max(most, reward)
      last = reward
      success = done
    }
    return { success, most, last, steps: states.length - 1, states }
  })

async function tried(
  method: string,
  seed: number,
  evaluations: number,
  policy: Policy | null,
  taught: Lessons,
): Promise<Row> {
  const outcomes = policy ? await episodes(policy, taught.unit, starts) : demonstrated()
  const of = (value: (outcome: Outcome) => number): [number, number] => moments(outcomes.map(value))
  return {
    ...{ method, seed, evaluations, starts: outcomes.length },
    successes: outcomes.filter(({ success }) => success).length,
    most: of(({ most }) => most),
    last: of(({ last }) => last),
    steps: Math.round(of(({ steps }) => steps)[0]),
  }
}

/** Chunks as sequences of steps: [n, 16, 2]. */
const sequences = (actions: readonly number[][]): { values: Float32Array; shape: number[] } => ({
  values: Float32Array.from(actions.flat()),
  shape: [actions.length, predicted, chunk / predicted],
})

/** The trained model of a method, read again where it was trained before. */
async function flowOf(method: string, seed: number, taught: Lessons): Promise<LocalFlow> {
  const folder = join(kept, `${method}-${seed}`)
  if (existsSync(folder)) return LocalFlow.load(folder)
  const { flow, teacher, model } = methods[method]
  const cond = taught.observations.map(embed)
  const actions = model?.kind === 'unet1d' ? sequences(taught.actions) : taught.actions
  const trained = await (async () => {
    if (!teacher) return LocalFlow.train(actions, { ...common(seed, methods[method]), flow, cond, standardise: true })
    await using from = await flowOf(teacher, seed, taught)
    return from.distill({ kind: 'pairs', into: methods[method].evaluations[0], cond, train: { ema: 0.999 } })
  })()
  await trained.save(folder)
  return trained
}

/** 95 % of a share, by Wilson's interval. */
function interval(successes: number, n: number): string {
  const [z, p] = [1.96, successes / n]
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2))) / (1 + z ** 2 / n)
  return `${Math.round(100 * p)} % (${Math.round(100 * (middle - half))} to ${Math.round(100 * (middle + half))})`
}

/** Mean of all seeds' episodes with 95 %, by their pooled deviation. */
function meanOf(rows: readonly Row[], key: 'most' | 'last'): string {
  const mean = rows.reduce((sum, row) => sum + row[key][0], 0) / rows.length
  const variance = rows.reduce((sum, row) => sum + row[key][1] ** 2 + (row[key][0] - mean) ** 2, 0) / rows.length
  const n = rows.reduce((sum, row) => sum + row.starts, 0)
  return `${digits(mean)} ± ${digits(1.96 * Math.sqrt(variance / n))}`
}

function tables(rows: readonly Row[]): string {
  const head = ['policy', 'evaluations', 'success (95 %)', 'largest reward', 'last reward', 'steps', 'seeds']
  const lines = Object.entries(methods).flatMap(([name, { label, evaluations }]) =>
    evaluations.flatMap((count) => {
      const own = rows.filter((row) => row.method === name && row.evaluations === count)
      if (own.length === 0) return []
      const successes = own.reduce((sum, row) => sum + row.successes, 0)
      const n = own.reduce((sum, row) => sum + row.starts, 0)
      const steps = Math.round(own.reduce((sum, row) => sum + row.steps, 0) / own.length)
      return [
        [...[label, count || '–', interval(successes, n), meanOf(own, 'most'), meanOf(own, 'last'), steps], own.length],
      ]
    }),
  )
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    method: { type: 'string', multiple: true },
    gather: { type: 'boolean' },
    picture: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(help)
  process.exit()
}
for (const name of values.method ?? []) {
  if (!methods[name]) throw new Error(`--method ${name} is none of ${Object.keys(methods).join(', ')}.`)
}

const measured = (): Row[] => (existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')).rows : [])
if (!values.gather) {
  const taught = lessons(demonstrations(budget.demonstrations, join(kept, 'demonstrations.bin')))
  console.log(`${taught.observations.length} steps of ${budget.demonstrations} demonstrations`)
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    for (const [name, { evaluations }] of Object.entries(methods)) {
      const missing = evaluations.filter(
        (count) => !measured().some((row) => row.method === name && row.seed === seed && row.evaluations === count),
      )
      const isWanted = !values.method || values.method.includes(name)
      if (!isWanted || missing.length === 0 || (untrained[name] !== undefined && seed > 1)) continue
      await using flow = untrained[name] === undefined ? await flowOf(methods[name].like ?? name, seed, taught) : null
      for (const count of missing) {
        const policy = flow
          ? flowPolicy(flow, { evaluations: count, seed, solver: methods[name].solver })
          : untrained[name](taught)
        const row = await tried(name, seed, count, policy, taught)
        mkdirSync(dirname(results), { recursive: true })
        writeLines(results, { ...budget }, [...measured(), row])
        console.log(JSON.stringify(row))
      }
    }
  }
  if (values.picture) {
    await using flow = await flowOf('plain', 1, taught)
    const [{ states }] = await episodes(flowPolicy(flow, { evaluations: 4, seed: 1 }), taught.unit, [start(firstStart)])
    writeFileSync(join(root, 'docs/images/push-t.png'), animated(states, 192))
  }
}
const table = tables(measured())
console.log(table)
if (existsSync(page)) {
  const marks = /(<!-- push-t table -->\n).*?(<!-- \/push-t table -->)/s
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(marks, (_, before, after) => `${before}${table}\n${after}`),
  )
}
