/** The table as bars: GFLOP/s of each case, one colour for each device and peer, on a logarithmic scale. */

import { writeFileSync } from 'node:fs'
import { type Bar, barsFigure, renderPng } from '../src/plot/index.js'
import type { Result, Row } from './result.js'

/** Suites that a reader of the README asks for first; the others are long lists for developers. */
const drawn: Readonly<Record<string, string>> = { step: 'training step', rk4: 'RK4 step', forward: 'forward' }

export function barsOf({ rows }: Result): Bar[] {
  const shown = rows.filter((row) => row.suite in drawn)
  const ours = shown.filter((row) => row.peer === null)
  // a peer that was measured beside two devices of ours stands there once, with the larger batch
  const sides = new Map<string, Row>()
  for (const row of shown.filter((row) => row.peer !== null)) {
    const key = `${row.suite}/${row.shape}/${row.peer}`
    if ((sides.get(key)?.rows ?? 0) < (row.rows ?? 0)) sides.set(key, row)
  }
  return [...ours, ...sides.values()].map((row) => ({
    label: `${drawn[row.suite]}, ${row.shape}`,
    group: row.peer ?? row.device,
    value: row.gflops,
  }))
}

export async function drawPicture(path: string, result: Result): Promise<void> {
  const { cpu, cores } = result.machine
  const svg = await barsFigure({
    title: `${cpu}, ${cores} cores`,
    bars: barsOf(result),
    unit: 'GFLOP/s',
    scale: 'log',
  })
  writeFileSync(path, path.endsWith('.svg') ? svg : await renderPng(svg))
}
