/** The table as bars: GFLOP/s of each case, one colour for each device and peer, on a logarithmic scale. */

import { writeFileSync } from 'node:fs'
import { type Bar, barsFigure, renderPng } from '../src/plot/index.js'
import type { Result } from './result.js'

/** Suites that a reader of the README asks for first; the others are long lists for developers. */
const drawn: Readonly<Record<string, string>> = { step: 'training step', rk4: 'RK4 step', forward: 'forward' }

export function barsOf({ rows }: Result): Bar[] {
  return (
    rows
      .filter((row) => row.suite in drawn)
      // a peer measured against two devices of ours stands there once
      .filter(
        (row, i, all) =>
          row.peer === null ||
          i === all.findIndex((r) => r.suite === row.suite && r.shape === row.shape && r.peer === row.peer),
      )
      .map((row) => ({ label: `${drawn[row.suite]}, ${row.shape}`, group: row.peer ?? row.device, value: row.gflops }))
  )
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
