/** Run by render.test.ts in a process of its own: prints as JSON the SHA-256 of a figure's PNG, drawn in this
 * environment, and the native drawing libraries that were in the process before it was drawn. */
import { createHash } from 'node:crypto'
import { createViteServer } from 'vitest/node'

const server = await createViteServer({
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, ws: false },
})
const { chainFigure, chainLabel, renderPng } = await server.ssrLoadModule('/src/plot/index.ts')
const early = process.report.getReport().sharedObjects.filter((file) => /resvg|sharp|vips/.test(file))
const values = Float32Array.from({ length: 200 }, (_, k) => Math.sin(k * k))
const svg = await chainFigure([0, 1].map((n) => ({ label: chainLabel(n), note: 'γ = 0.025', values })))
const hash = createHash('sha256')
  .update(await renderPng(svg))
  .digest('hex')
console.log(JSON.stringify({ hash, early }))
await server.close()
