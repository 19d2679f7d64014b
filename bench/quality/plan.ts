/** Which runs are asked for, in the order in which they are made: the first seed of everything before the second of anything. */

import { LocalFlowError } from '../../src/errors.js'
import type { Wanted } from './make-run.js'
import { findRow, type Part, type Picture, type Row } from './results.js'
import type { Group } from './settings.js'
import { setFor } from './words.js'

export interface PlannedRun extends Wanted {
  readonly group: string
  readonly parts: readonly Part[]
}

export interface Selection {
  /** names of groups; empty: all */
  readonly groups: readonly string[]
  /** names of settings, pictures or seeds; empty: all */
  readonly filters: readonly string[]
}

const pictures: readonly Picture[] = ['rose', 'tree']

/** Groups by name. Throws LocalFlowError for a name that none has. */
export function selectGroups(all: Readonly<Record<string, Group>>, names: readonly string[]): string[] {
  for (const name of names) {
    if (!Object.hasOwn(all, name)) {
      throw new LocalFlowError(`'${name}' is not a group of settings. The groups are ${Object.keys(all).join(', ')}.`)
    }
  }
  return names.length > 0 ? [...names] : Object.keys(all)
}

/** Every run of the selection. A run passes where each kind of filter that is given (setting, picture, seed) names it. */
export function planRuns(all: Readonly<Record<string, Group>>, { groups, filters }: Selection): PlannedRun[] {
  const runs = selectGroups(all, groups).flatMap((group) => {
    const { settings, seeds, parts } = all[group]
    return seeds.flatMap((seed, round) =>
      settings.flatMap((setting) =>
        (setting.pictures ?? pictures).map((picture) => {
          return { group, run: setting.name, picture, seed, set: setFor(setting, picture), parts, round }
        }),
      ),
    )
  })
  const kinds = ['run', 'picture', 'seed'] as const
  const named = new Map(kinds.map((kind) => [kind, filters.filter((f) => runs.some((run) => `${run[kind]}` === f))]))
  for (const filter of filters) {
    if (![...named.values()].some((list) => list.includes(filter))) {
      const names = kinds.map((kind) => [...new Set(runs.map((run) => run[kind]))].join(', '))
      throw new LocalFlowError(
        `--filter '${filter}' names no setting, picture or seed. There are\n  ${names.join('\n  ')}`,
      )
    }
  }
  const passes = (run: PlannedRun): boolean =>
    kinds.every((kind) => named.get(kind)!.length === 0 || named.get(kind)!.includes(`${run[kind]}`))
  return runs
    .filter(passes)
    .sort((a, b) => a.round - b.round)
    .map(({ round: _, ...run }) => run)
}

/** The runs whose rows are not there yet, or were made with other settings. */
export const missingRuns = (runs: readonly PlannedRun[], rowsOf: (group: string) => readonly Row[]): PlannedRun[] =>
  runs.filter((run) => !findRow(rowsOf(run.group), run, run.parts))
