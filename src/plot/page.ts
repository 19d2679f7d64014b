/**
 * What every page has in common: one HTML file that opens from disk without a network, styles inline, pictures as data URIs, no
 * script, light and dark. Every text that comes from outside is escaped.
 */

/** A document of sections, of which empty ones are left out. */
export function page(title: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${sections.filter((section) => section !== '').join('\n')}
</main>
</body>
</html>
`
}

/** A number in a box: its name, the value, the unit. */
export const tile = ([name, value, unit]: readonly [string, string, string]): string =>
  `<div class="tile"><div class="name">${name}</div><div class="value">${value.replace('-', '−')}</div><div class="unit">${unit}</div></div>`

interface Figure {
  title: string
  png: Uint8Array | undefined
  /** plots become light on dark in dark mode, tiles of pictures never do */
  kind: 'plot' | 'tiles'
  /** description of the picture */
  alt: string
  caption: string
  /** may shrink to the page's width; else it scrolls sideways on a phone, so that many small panels stay legible */
  narrow?: boolean
}

/** A section with a picture; nothing where there is none. */
export function figure({ title, png, kind, alt, caption, narrow = false }: Figure): string {
  if (!png) return ''
  const data = Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64')
  // the frame can be reached by the keyboard where it scrolls
  const frame = narrow ? 'class="wide"' : 'class="wide scroll" tabindex="0"'
  return `<section>
<h2>${title}</h2>
<figure>
<div ${frame}><img class="${kind}" alt="${escapeHtml(alt)}" src="data:image/png;base64,${data}"></div>
<figcaption>${escapeHtml(caption)}</figcaption>
</figure>
</section>`
}

/** A table of names and values. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
  return `<table class="facts">\n${lines.join('\n')}\n</table>`
}

/** A table with a head; the first column is words. @param figures whether all others are numbers, which are then set to the right */
export function grid(head: readonly string[], rows: readonly (readonly string[])[], { figures = false } = {}): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')
  return `<div class="wide"><table class="grid${figures ? ' figures' : ''}">
<thead><tr>${cells('th', head)}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n')}
</tbody>
</table></div>`
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character])
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2933; --muted: #5b6774; --rule: #dde2e8; --page: #ffffff; --soft: #f4f6f8; --accent: #1d5c8f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --muted: #9aa7b4; --rule: #38424d; --page: #14191f; --soft: #1d242c; --accent: #8cc0ea; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header { border-bottom: 2px solid var(--accent); padding-bottom: 1rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.25rem; }
h3 { margin: 1.5rem 0 0.5rem; font-size: 1rem; }
p { margin: 0.5rem 0; }
.kicker { color: var(--muted); font-size: 0.875rem; margin: 0 0 0.25rem; }
.lead { color: var(--muted); }
.remark { border-left: 3px solid var(--accent); background: var(--soft); padding: 0.5rem 0.75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
.facts { width: 100%; }
.facts th { width: 13rem; font-weight: 500; color: var(--muted); }
.facts td { overflow-wrap: anywhere; }
.grid { width: 100%; }
.grid th { font-weight: 500; color: var(--muted); white-space: nowrap; }
.grid td + td + td + td, .grid th + th + th + th { text-align: right; padding-right: 0; padding-left: 1rem; }
.figures td + td, .figures th + th { text-align: right; padding-right: 0; padding-left: 1rem; }
.wide { overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.75rem; margin-bottom: 1rem; }
.tile { background: var(--soft); border: 1px solid var(--rule); border-radius: 6px; padding: 0.75rem 1rem; }
.tile .name, .tile .unit { color: var(--muted); font-size: 0.875rem; min-height: 1.3em; }
.tile .value { font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; color: var(--accent); }
figure { margin: 0; }
img { display: block; width: auto; max-width: 100%; max-height: 52rem; margin: 0 auto; }
img.plot { background: #ffffff; border-radius: 6px; }
@media screen and (prefers-color-scheme: dark) {
  img.plot { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }
}
figcaption { color: var(--muted); font-size: 0.875rem; margin-top: 0.5rem; }
pre { background: var(--soft); border: 1px solid var(--rule); border-radius: 6px; padding: 0.75rem 1rem; overflow-x: auto; }
pre, code { font: 0.875rem/1.5 ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace; }
@media (max-width: 40rem) {
  .facts th, .facts td { display: block; width: auto; padding-right: 0; }
  .facts th { border-bottom: 0; padding-bottom: 0; font-size: 0.875rem; }
  .facts td { padding-top: 0; }
  .scroll img { min-width: 28rem; }
}
@media print {
  :root { --ink: #000000; --muted: #444444; --rule: #cccccc; --page: #ffffff; --soft: #ffffff; --accent: #1d5c8f; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, table, .tiles { break-inside: avoid; }
  img { max-height: 10cm; }
  pre { white-space: pre-wrap; }
}
`
