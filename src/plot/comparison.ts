/** A comparison of methods as a page: tables and curves, in the style of a run's report. */
import { escapeHtml, figure, grid, page } from './page.js'

export interface ComparisonPage {
  title: string
  /** ISO 8601 */
  date: string
  lead: string
  /** a sentence each */
  remarks: readonly string[]
  /** PNG of the curves; null where no point is there to draw */
  curves: { png: Uint8Array; caption: string } | null
  sections: readonly {
    heading: string
    tables: readonly { head: readonly string[]; rows: readonly (readonly string[])[] }[]
  }[]
  /** commands that make it again */
  reproduce: readonly string[]
}

/** The page as one HTML document. */
export function renderComparison(comparison: ComparisonPage): string {
  const { title, date, lead, curves, sections, reproduce } = comparison
  const notes = comparison.remarks.map((remark) => `<p class="remark">${escapeHtml(remark)}</p>`).join('\n')
  return page(`${title} · Local Flow Matching`, [
    `<header>
<p class="kicker">Comparison · ${escapeHtml(date.slice(0, 19).replace('T', ' '))}</p>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(lead)}</p>
${notes}
</header>`,
    figure({
      title: 'Quality against evaluations',
      png: curves?.png,
      kind: 'plot',
      alt: 'The distance of samples from the test rows against the function evaluations of a sample, a curve for each method.',
      caption: curves?.caption ?? '',
    }),
    ...sections.map(
      ({ heading, tables }) => `<section>
<h2>${escapeHtml(heading)}</h2>
${tables.map(({ head, rows }) => grid(head, rows)).join('\n')}
</section>`,
    ),
    `<section>
<h2>How to make it again</h2>
<pre>${escapeHtml(reproduce.join('\n'))}</pre>
</section>`,
  ])
}
