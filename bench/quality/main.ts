/**
 * `npm run quality`: makes the runs of docs/method.md's tables that are not there yet, one after another, and prints the
 * tables. settings.ts says what is trained, results.ts how results are kept; a run that was interrupted is made again.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openDevice } from '../../src/device/node/select.js'
import { LocalFlowError } from '../../src/errors.js'
import type { Progress } from '../../src/recipes/run-recipe.js'
import type { LocalFlow } from '../../src/run/local-flow.js'
import { assignmentsOf, makeRun, type Wanted } from './make-run.js'
import { missingRuns, type PlannedRun, planRuns, selectGroups } from './plan.js'
import { type Row, readRows, withRow, writeRows } from './results.js'
import { comparisons, groups } from './settings.js'
import { likelihoodTable, searchTable, sizesTable } from './tables.js'

const help = `npm run quality -- [group ...] [options]

Trains and evaluates what the tables of docs/method.md are made of. Groups: ${Object.keys(groups).join(', ')} (default: all).

  --pictures FOLDER  where img_rose.png and img_tree.png are (default: ../shared/data)
  --filter NAME      only a setting, a picture or a seed; may be repeated
  --results FOLDER   where results are kept (default: bench/results/quality)
  --keep FOLDER      saves each flow there, as a run that lfm sample and lfm score read
  --list             prints the runs as lfm train would make them, and makes none
  --tables           prints the tables of what is there, and makes no run
  --help             prints this`

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const quoted = (word: string): string => (/^[\w./:=,+@%-]+$/.test(word) ? word : `'${word}'`)

const runName = ({ run, picture, seed }: Wanted): string => `${run}-${picture}-${seed}`

const commandOf = (run: PlannedRun, pictures: string): string => {
  const sets = assignmentsOf(run, pictures).map((assignment) => ` --set ${quoted(assignment)}`)
  return `lfm train bench/quality/reference.yaml --out runs/${runName(run)}${sets.join('')}`
}

/** A line on a terminal that is written over while a run goes on. */
function progressLine(name: string): (progress: Progress) => void {
  if (!process.stderr.isTTY) return () => {}
  return (progress) => {
    const at =
      progress.phase === 'train'
        ? `sub-flow ${progress.subFlow}/${progress.subFlows}, step ${progress.step}/${progress.steps}`
        : `sub-flow ${progress.subFlow}/${progress.subFlows}, push`
    process.stderr.write(`\r\x1b[2K${name}: ${at}`)
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        pictures: { type: 'string', default: '../shared/data' },
        filter: { type: 'string', multiple: true, default: [] },
        results: { type: 'string', default: fileURLToPath(new URL('../results/quality', import.meta.url)) },
        keep: { type: 'string' },
        list: { type: 'boolean', default: false },
        tables: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new LocalFlowError(`${(error as Error).message}\n\n${help}`)
  }
}

async function makeAll(
  runs: readonly PlannedRun[],
  { results: folder, pictures, keep }: { results: string; pictures: string; keep?: string },
): Promise<void> {
  if (runs.length === 0) return
  const device = await openDevice('native')
  try {
    for (const [i, { group, parts, ...wanted }] of runs.entries()) {
      const name = `${i + 1}/${runs.length} ${wanted.run} ${wanted.picture} ${wanted.seed}`
      const onTrained = async (flow: LocalFlow): Promise<void> => {
        if (keep) await flow.save(join(keep, runName(wanted)), { force: true })
      }
      const row = await makeRun(wanted, parts, { device, pictures, onProgress: progressLine(name), onTrained })
      writeRows(folder, group, withRow(readRows(folder, group), row))
      const said = parts.map(
        (part) => `${part} NLL ${row.parts[part]!.nll.toFixed(4)}, KL ${row.parts[part]!.kl.toFixed(4)}`,
      )
      const { training, push } = row.seconds
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
      print(`${name}: ${said.join('; ')} (${training.toFixed(0)} s training, ${push.toFixed(0)} s pushing)`)
    }
  } finally {
    await device.dispose()
  }
}

const tableOf = (name: string, rows: readonly Row[]): string => {
  const group = groups[name]
  const made = group.parts.map(
    (part) => `${group.title}, ${part} part\n\n${(group.search ? searchTable : likelihoodTable)(group, rows, part)}`,
  )
  return made.join('\n\n')
}

async function main(): Promise<void> {
  const { values, positionals } = parse(process.argv.slice(2))
  if (values.help) return print(help)
  const runs = planRuns(groups, { groups: positionals, filters: values.filter })
  if (values.list) return print(runs.map((run) => commandOf(run, values.pictures)).join('\n'))
  if (!values.tables)
    await makeAll(
      missingRuns(runs, (group) => readRows(values.results, group)),
      values,
    )
  const rowsOf = (group: string): Row[] => readRows(values.results, group)
  const selected = selectGroups(groups, positionals)
  for (const name of selected) print(`\n${tableOf(name, rowsOf(name))}`)
  const compared = comparisons.filter(({ group }) => selected.includes(group))
  if (compared.length > 0)
    print(`\nKL on the test part, and parameters in all\n\n${sizesTable(compared, groups, rowsOf)}`)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof LocalFlowError)) throw error
  process.stderr.write(`quality: ${error.message}\n`)
  process.exitCode = 1
}
