/**
 * `npm run quality:pictures`: the README's table of quality, from the repository's own picture. It is one `lfm compare` of
 * examples/compare/rose.yaml; its figures are kept with the picture's hash, which a test holds the README to.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type MethodRow, methodRows, spread, writeLines } from './gathered.js'

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url))
export const pictureResults = path('bench/results/quality/rose.json')

export interface PictureResults {
  /** of examples/rose.png */
  readonly sha256: string
  readonly rows: readonly MethodRow[]
}

export const hashOfPicture = (): string =>
  createHash('sha256')
    .update(readFileSync(path('examples/rose.png')))
    .digest('hex')

/** Evaluations of a sample that the README shows. */
const SHOWN = [8, 16, 128]

/** The README's table. */
export function pictureTable(rows: readonly MethodRow[]): string {
  return [
    `| rose | parameters in all | KL, nats | sliced W2 at ${SHOWN.join(', ')} evaluations |`,
    '|---|---|---|---|',
    ...rows.map(({ label, parameters, kl, distances }) => {
      const found = SHOWN.map((evaluations) => (distances[evaluations] ? spread(distances[evaluations]) : '–'))
      return `| ${label} | ${parameters} | ${kl ? spread(kl) : '–'} | ${found.join(', ')} |`
    }),
    `| as many training points | | | ${spread(rows[0].floor)} |`,
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'runs/compare-rose' } } })
  const config = path('examples/compare/rose.yaml')
  const { status } = spawnSync(process.execPath, [path('dist/cli/main.js'), 'compare', config, '--out', values.out], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  const rows = methodRows(values.out)
  writeLines(pictureResults, { sha256: hashOfPicture() }, rows)
  console.log(pictureTable(rows))
}
