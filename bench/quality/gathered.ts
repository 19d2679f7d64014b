/** What `lfm compare` gathers in compare.json, as far as the tools here read it. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digits } from './tables.js'

export interface Spread {
  readonly mean: number
  /** over seeds */
  readonly std: number
  readonly n: number
}

/** A method's figures in one comparison. */
export interface MethodRow {
  readonly method: string
  readonly label: string
  /** of all networks together */
  readonly parameters: number
  /** null where the density is not known */
  readonly kl: Spread | null
  readonly nll: Spread
  /** sliced W2 of samples by the best of its solvers, at numbers of evaluations */
  readonly distances: Readonly<Record<string, Spread>>
  /** of as many training rows */
  readonly floor: Spread
  readonly machine: string
}

interface Gathered {
  readonly floor: Spread
  readonly machines: readonly string[]
  readonly blocks: readonly {
    readonly methods: readonly {
      readonly name: string
      readonly label: string
      readonly parameters: { readonly all: number }
      readonly kl: Spread | null
      readonly nll: Spread
      readonly points: readonly { readonly allowed: number; readonly best: { readonly distance: Spread } | null }[]
    }[]
  }[]
}

/** The methods of the first block. @param folder of `lfm compare … --out` */
export function methodRows(folder: string): MethodRow[] {
  const { floor, machines, blocks }: Gathered = JSON.parse(readFileSync(join(folder, 'compare.json'), 'utf8'))
  return blocks[0].methods.map(({ name, label, parameters, kl, nll, points }) => ({
    method: name,
    label,
    parameters: parameters.all,
    kl,
    nll,
    distances: Object.fromEntries(points.flatMap(({ allowed, best }) => (best ? [[allowed, best.distance]] : []))),
    floor,
    machine: machines.join(', '),
  }))
}

/** A row a line, so that changes can be read. */
export function writeLines(path: string, head: object, rows: readonly object[]): void {
  const fields = Object.entries(head).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}, `)
  writeFileSync(
    `${path}.tmp`,
    `{ ${fields.join('')}"rows": [\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n] }\n`,
  )
  renameSync(`${path}.tmp`, path)
}

/** '.105 ± .004', of several seeds. */
export const spread = ({ mean, std, n }: Spread): string => (n > 1 ? `${digits(mean)} ± ${digits(std)}` : digits(mean))
