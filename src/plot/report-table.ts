/** The part of a report that is of tables of mixed columns: figures of samples beside those of what can be had without a model. */

import { escapeHtml, grid } from './page.js'
import { formatNumber } from './theme.js'

/** Samples of a table of mixed columns beside its rows (metrics.tables). */
export interface ReportTable {
  /** Figures of the samples and of what stands beside them; null where there is none. */
  figures: readonly {
    name: string
    ideal: number | null
    synthetic: number | null
    real: number | null
    redrawn?: number | null
    independent: number | null
    copula: number | null
  }[]
  /** Shapes of each column. */
  columns: readonly { name: string; score: number }[]
  rows: { heldOut: number; synthetic: number }
  part: string
}

/** Columns of a table that are named, those whose shapes are farthest from the data's. */
const WORST_COLUMNS = 5

/** How alike samples and rows of a table are, beside what can be reached and what is had for nothing. */
export function mixedTable({
  table,
  data,
  runFolder,
}: {
  table?: ReportTable | null
  data: { mixed?: boolean }
  runFolder: string
}): string {
  if (!data.mixed) return ''
  const heading = '<h2>Beside rows that were not learnt from</h2>'
  if (!table) {
    return `<section>
${heading}
<p>Not evaluated yet. <code>${escapeHtml(`lfm evaluate ${runFolder}`)}</code> compares samples with the test rows and adds it here.</p>
</section>`
  }
  const number = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3))
  const rows = table.figures.map(({ name, synthetic, real, redrawn, copula, independent, ideal }) => [
    name,
    ...[synthetic, real, redrawn, copula, independent].map(number),
    ideal === null ? 'real rows' : number(ideal),
  ])
  const worst = [...table.columns].sort((a, b) => a.score - b.score).slice(0, WORST_COLUMNS)
  return `<section>
${heading}
<p>${formatNumber(table.rows.synthetic)} samples beside ${formatNumber(table.rows.heldOut)} rows of the ${table.part} part. Real rows are as many of the training part.</p>
${grid(['', 'Samples', 'Real rows', 'Training rows redrawn', 'Gaussian copula', 'Independent columns', 'Ideal'], rows, { figures: true })}
<p>Least like their own: ${worst.map(({ name, score }) => `${escapeHtml(name)} ${number(score)}`).join(', ')}.</p>
</section>`
}
