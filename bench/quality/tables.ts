/**
 * Rows as Markdown. A cell is the mean over the seeds that were run and, behind ±, their standard deviation; where there is
 * one seed alone there is no spread, and the column of seeds says so.
 */

import type { Likelihood, Part, Picture, Row } from './results.js'
import type { Comparison, Group } from './settings.js'
import { type Setting, setFor } from './words.js'

const pictures: readonly Picture[] = ['rose', 'tree']

/** Mean, and standard deviation of the sample (null for a single value). */
export function spreadOf(values: readonly number[]): { mean: number; deviation: number | null } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length < 2) return { mean, deviation: null }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) }
}

/** 0.345 as .345 */
export const digits = (value: number): string => value.toFixed(3).replace(/^0\./, '.')

const quoted = (values: readonly number[]): string => {
  if (values.length === 0) return ''
  const { mean, deviation } = spreadOf(values)
  return deviation === null ? digits(mean) : `${digits(mean)} ± ${digits(deviation)}`
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** A setting's rows that were made with it as it is now. */
function rowsOf(setting: Setting, rows: readonly Row[], picture: Picture): Row[] {
  const set = JSON.stringify(setFor(setting, picture))
  return rows.filter((row) => row.run === setting.name && row.picture === picture && JSON.stringify(row.set) === set)
}

const of = (rows: readonly Row[], part: Part, key: keyof Likelihood): number[] =>
  rows.flatMap(({ parts }) => parts[part]?.[key] ?? [])

const seedsOf = (each: readonly (readonly Row[])[]): string => each.map((rows) => rows.length).join(' / ')

/** NLL and KL of both pictures, what a row costs to sample, and what training cost. */
export function likelihoodTable({ settings }: Group, rows: readonly Row[], part: Part): string {
  const head = [
    'model',
    'parameters in all',
    'rose NLL',
    'rose KL',
    'tree NLL',
    'tree KL',
    'seeds',
    'evaluations a sample',
    'training, push: TFLOP',
    'training, push: s',
  ]
  const lines = settings.flatMap((setting) => {
    const each = pictures.map((picture) => rowsOf(setting, rows, picture))
    const all = each.flat()
    if (all.length === 0) return []
    const [first] = all
    const seconds = (kind: 'training' | 'push'): string => spreadOf(all.map((row) => row.seconds[kind])).mean.toFixed(0)
    const cells = each.flatMap((found) => [quoted(of(found, part, 'nll')), quoted(of(found, part, 'kl'))])
    return [
      [
        setting.label,
        `${first.parameters}`,
        ...cells,
        seedsOf(each),
        `${first.evaluations.sample}`,
        `${first.teraflop.training.toFixed(1)}, ${first.teraflop.push.toFixed(1)}`,
        `${seconds('training')}, ${seconds('push')}`,
      ],
    ]
  })
  return table(head, lines)
}

/** What was tried and the divergence it gave, in the order of the table of settings. */
export function searchTable({ settings }: Group, rows: readonly Row[], part: Part): string {
  const lines = settings.flatMap((setting) => {
    const each = pictures.map((picture) => rowsOf(setting, rows, picture))
    if (each.flat().length === 0) return []
    return [[setting.label, `\`${setting.name}\``, ...each.map((found) => quoted(of(found, part, 'kl')))]]
  })
  return table(['tried', 'run', 'rose KL', 'tree KL'], lines)
}

/** Smaller networks: KL on the test part beside plain flow matching's, at equal width and at equal parameters in all. */
export function sizesTable(
  comparisons: readonly Comparison[],
  groups: Readonly<Record<string, Group>>,
  rowsOfGroup: (group: string) => readonly Row[],
): string {
  const lines = comparisons.flatMap(({ label, group, plain, equalWidth, equalParameters }) => {
    const found = [plain, equalWidth, equalParameters].map((name) => {
      const setting = groups[group].settings.find((one) => one.name === name)!
      return pictures.map((picture) => rowsOf(setting, rowsOfGroup(group), picture))
    })
    return pictures.flatMap((picture, i) => {
      const cells = found.map((each) => {
        const [first] = each[i]
        return first ? `${quoted(of(each[i], 'test', 'kl'))} (${first.parameters})` : ''
      })
      return cells.some(Boolean) ? [[label, picture, ...cells]] : []
    })
  })
  return table(['setting', 'picture', 'plain', 'Local Flow, equal width', 'Local Flow, equal parameters in all'], lines)
}
