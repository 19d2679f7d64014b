/**
 * `npm run quality:chains`: what chain to train where nothing is said, against plain flow matching at equal width and equal
 * training steps. Candidates are tried on four sets with one seed (choose); the chosen one and the best of plain on others, with
 * three (try), on the first four with other seeds (again), and on two pictures with wide networks (wide); then on all with as many
 * parameters in all (small). Each set is one `lfm compare`; what has ended is not run again.
 * docs/method.md has the tables.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { type MethodRow, methodRows, spread, writeLines } from './gathered.js'
import { digits } from './tables.js'

const help = `npm run quality:chains -- [--part choose|try|again|wide|small] [--set NAME ...] [--out FOLDER] [--pictures FOLDER] [--gather]

Compares chains and plain flow matching: 4000 steps of 1000 rows in all, width 64. Comparisons are kept under FOLDER (default:
runs/chains), their figures in bench/results/quality/chains.json. The part «wide» takes 12 000 steps of 2000 rows, width 256, and
img_rose.png and img_tree.png in the folder of --pictures (default: ../shared/data). --gather makes that file and the tables from what has ended.`

const results = fileURLToPath(new URL('../results/quality/chains.json', import.meta.url))
const lfm = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

const plain = (interpolant: string, label: string, time?: object) => ({
  label,
  flow: { recipe: 'plain', gammas: [null], interpolant, ...(time && { time }) },
  train: { steps: 4000 },
  // four times the steps of a sub-flow's: a single flow bends more
  ode: { evaluate: { steps: 48 } },
})
const chain = (
  label: string,
  gammas: (number | null)[],
  interpolant: string | string[],
  steps: number[],
  time?: unknown,
) => ({
  label,
  flow: { gammas, interpolant, ...(time !== undefined && { time }) },
  train: { steps },
})
const leaned = { beta: [0.5, 1] }
const three = [0.05, 0.2, null]
const mixed = ['linear', 'linear', 'arc']
const equal = [1334, 1333, 1333]

const plains = {
  'plain-linear': plain('linear', 'plain, linear'),
  'plain-trig-lean': plain('trig', 'plain, trig, Beta(.5, 1) times', leaned),
}

const rule = { label: 'Local Flow, n: auto', flow: { n: 'auto' }, train: { steps: { total: 4000 } } }
const shared = {
  label: 'Local Flow, n: auto, one network',
  flow: { recipe: 'shared' },
  train: { steps: { total: 4000 } },
}
/** Sub-flows as examples/rose.yaml and examples/tree.yaml have them, but for the last one's path. */
const four = chain(
  'Local Flow, .01, .04, .2 and free',
  [0.01, 0.04, 0.2, null],
  ['linear', 'linear', 'linear', 'arc'],
  [5500, 2500, 1500, 2500],
)
const twoCoarse = chain('Local Flow, .05 and free', [0.05, null], ['linear', 'arc'], [2400, 1600])

/** Sets that settings were chosen on. */
const chosenOn = {
  checkerboard: { data: { name: 'checkerboard' }, likelihood: 4000 },
  rings: { data: { name: 'rings' }, likelihood: 4000 },
  'eight-gaussians': { data: { name: 'eight-gaussians' }, likelihood: 4000 },
  moons: { data: { name: 'moons' }, likelihood: 4000 },
}
/** Sets that were not looked at while choosing. */
const others = {
  pinwheel: { data: { name: 'pinwheel' }, likelihood: 4000 },
  spirals: { data: { name: 'spirals' }, likelihood: 4000 },
  'mixture-6': { data: { name: 'mixture', dimension: 6 }, likelihood: 3000 },
  'sheet-8': { data: { name: 'sheet', dimension: 8 }, likelihood: 2000 },
  'sheet-4': { data: { name: 'sheet', dimension: 4 }, likelihood: 3000 },
  'mixture-16': { data: { name: 'mixture', dimension: 16 }, likelihood: 1000 },
}

const parts = {
  choose: {
    block: 'width',
    seeds: [1],
    evaluations: [4, 6, 8, 16, 32, 64],
    sets: chosenOn,
    methods: {
      ...plains,
      'plain-linear-lean': plain('linear', 'plain, linear, Beta(.5, 1) times', leaned),
      'plain-trig': plain('trig', 'plain, trig'),
      three: chain('.05, .2, free; linear, linear, arc', three, mixed, equal),
      'three-arc': chain('.05, .2, free; arc', three, 'arc', equal),
      'three-lean': chain('.05, .2, free; linear, linear, arc; first leaned', three, mixed, equal, [
        leaned,
        'uniform',
        'uniform',
      ]),
      'three-lean-all': chain('.05, .2, free; arc; all leaned', three, 'arc', equal, leaned),
      two: chain('.1, free; arc; leaned', [0.1, null], 'arc', [2000, 2000], leaned),
      'three-more': chain('.05, .2, free; linear, linear, arc; half first', three, mixed, [2000, 1000, 1000]),
      'more-arc': chain('.05, .2, free; arc; half first', three, 'arc', [2000, 1000, 1000]),
      'even-more': chain('.05, .2, free; linear, linear, arc; .6 first', three, mixed, [2400, 800, 800]),
      four: chain(
        '.02, .08, .3, free; linear, arc last',
        [0.02, 0.08, 0.3, null],
        ['linear', ...mixed],
        [1800, 900, 650, 650],
      ),
      'three-fine': chain(
        '.02, .15, free; linear, linear, arc; half first',
        [0.02, 0.15, null],
        mixed,
        [2000, 1000, 1000],
      ),
      'two-coarse': chain('.05, free; linear, arc; .6 first', [0.05, null], ['linear', 'arc'], [2400, 1600]),
    },
  },
  try: {
    block: 'width',
    seeds: [1, 2, 3],
    evaluations: [4, 8, 16, 64],
    sets: others,
    methods: { rule, 'two-coarse': twoCoarse, ...plains },
  },
  again: {
    block: 'width',
    seeds: [2, 3, 4],
    evaluations: [4, 8, 16],
    sets: chosenOn,
    methods: { rule, ...plains },
  },
  wide: {
    block: 'width',
    seeds: [1, 2, 3],
    evaluations: [4, 8, 16],
    sets: { rose: { picture: 'img_rose.png', octaves: 4 }, tree: { picture: 'img_tree.png', octaves: 5 } },
    methods: {
      rule: { ...rule, train: { steps: { total: 12_000 } } },
      four,
      'plain-trig-lean': {
        ...plains['plain-trig-lean'],
        train: { steps: 12_000 },
        ode: { evaluate: { steps: 80 } },
      },
    },
  },
  small: {
    block: 'parameters',
    seeds: [1, 2, 3],
    evaluations: [4, 8, 16],
    sets: { ...others, ...chosenOn },
    methods: { rule, 'two-coarse': twoCoarse, shared, ...plains },
  },
} as const
type PartName = keyof typeof parts

interface Compared {
  readonly data: { readonly name: string; readonly dimension?: number }
  /** rows: they cost as many tangents as a row has columns */
  readonly likelihood: number
}

/** A picture as a density, dark pixels are mass; Fourier features by the octaves from π/4 on. */
interface ComparedPicture {
  readonly picture: string
  readonly octaves: number
}

function comparison(part: PartName, set: Compared | ComparedPicture, pictures: string): object {
  const { block, seeds, evaluations, methods } = parts[part]
  if ('picture' in set) {
    const path = resolve(pictures, set.picture)
    const fourier = Array.from({ length: set.octaves }, (_, k) => (Math.PI / 4) * 2 ** k)
    return {
      data: { kind: 'image-density', path, train: 100_000, validation: 5000, test: 10_000 },
      model: { hidden: [256, 256, 256], activation: 'softplus20', fourier },
      train: { batch: 2000, lr: 0.003, schedule: 'cosine', warmup: 100 },
      ode: { push: { steps: 4 }, evaluate: { steps: 20 } },
      device: 'native',
      compare: { seeds, evaluations, samples: 5000, likelihood: 5000, blocks: [block] },
      methods,
    }
  }
  const { data, likelihood } = set
  return {
    data: { kind: 'toy', ...data, train: 20_000, validation: 4000, test: 4000 },
    model: { hidden: [64, 64, 64], activation: 'softplus20' },
    train: { batch: 1000, lr: 0.008, schedule: 'cosine', warmup: 100 },
    ode: { evaluate: { steps: 12 } },
    device: 'native',
    compare: { seeds, evaluations, samples: 4000, likelihood, blocks: [block] },
    methods,
  }
}

interface Row extends MethodRow {
  readonly part: PartName
  readonly set: string
}

/** One table a part: KL or NLL, and beside it sliced W2 at 8 evaluations. */
function tables(rows: readonly Row[]): string {
  return (Object.keys(parts) as PartName[])
    .map((part) => {
      const mine = rows.filter((row) => row.part === part)
      const sets = [...new Set(mine.map(({ set }) => set))]
      const labels = [...new Set(mine.map(({ label }) => label))]
      const cell = (set: string, label: string): string => {
        const row = mine.find((one) => one.set === set && one.label === label)
        return row ? `${spread(row.kl ?? row.nll)}, ${row.distances[8] ? spread(row.distances[8]) : '–'}` : '–'
      }
      const floors = sets.map((set) => `–, ${digits(mine.find((row) => row.set === set)!.floor.mean)}`)
      return [
        `| ${part}: KL (else NLL), W2 at 8 | ${sets.join(' | ')} |`,
        `|---${'|---'.repeat(sets.length)}|`,
        ...labels.map((label) => `| ${label} | ${sets.map((set) => cell(set, label)).join(' | ')} |`),
        `| floor of W2 | ${floors.join(' | ')} |`,
      ].join('\n')
    })
    .join('\n\n')
}

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true },
    set: { type: 'string', multiple: true },
    out: { type: 'string', default: 'runs/chains' },
    pictures: { type: 'string', default: '../shared/data' },
    gather: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(help)
  process.exit()
}
const rows: Row[] = []
for (const part of Object.keys(parts) as PartName[]) {
  for (const [name, set] of Object.entries(parts[part].sets)) {
    const folder = join(values.out, part)
    const wanted = (values.part?.includes(part) ?? true) && (values.set?.includes(name) ?? true)
    if (wanted && !values.gather) {
      mkdirSync(folder, { recursive: true })
      const path = join(folder, `${name}.yaml`)
      writeFileSync(path, stringify(comparison(part, set, values.pictures)))
      const { status } = spawnSync(process.execPath, [lfm, 'compare', path, '--out', join(folder, name)], {
        stdio: 'inherit',
      })
      if (status !== 0) process.exit(status ?? 1)
    }
    const found = join(folder, name)
    if (existsSync(join(found, 'compare.json'))) {
      rows.push(...methodRows(found).map((row) => ({ part, set: name, ...row })))
    }
  }
}
writeLines(results, {}, rows)
console.log(tables(rows))
