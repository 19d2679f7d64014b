/** Run by render.test.ts in a process of its own: prints the SHA-256 of a figure's PNG, drawn in this environment. */
import { createHash } from 'node:crypto'
import { createViteServer } from 'vitest/node'

const server = await createViteServer({
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, ws: false },
})
const { chainFigure, chainLabel, renderPng } = await server.ssrLoadModule('/src/plot/index.ts')
const values = Float32Array.from({ length: 200 }, (_, k) => Math.sin(k * k))
const svg = await chainFigure([0, 1].map((n) => ({ label: chainLabel(n), note: 'γ = 0.025', values })))
console.log(
  createHash('sha256')
    .update(await renderPng(svg))
    .digest('hex'),
)
await server.close()
