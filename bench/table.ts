/** The printed table: a line for each case and device as soon as it is measured, a column for each peer. */

import type { Row } from './result.js'
import type { Footprint } from './session.js'

/** Three digits, with thin groups of thousands left out: 0.0123, 1.23, 123, 12345. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 1 ? value.toPrecision(3) : value.toFixed(value >= 0.1 ? 3 : 4)
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`

interface Column {
  readonly title: string
  readonly width: number
}

const columns: readonly Column[] = [
  { title: 'case', width: 34 },
  { title: 'device', width: 9 },
  { title: 'B', width: 6 },
  { title: 'ms', width: 8 },
  { title: '±', width: 6 },
  { title: 'GFLOP/s', width: 8 },
  { title: 'peak', width: 6 },
]
const PEER_WIDTH = 22

const line = (cells: readonly string[], peers: number): string =>
  [...columns.map(({ width }) => width), ...new Array<number>(peers).fill(PEER_WIDTH)]
    .map((width, i) => (i < 2 ? (cells[i] ?? '').padEnd(width) : (cells[i] ?? '').padStart(width)))
    .join(' ')
    .trimEnd()

export const tableHead = (peers: readonly string[]): string =>
  line([...columns.map(({ title }) => title), ...peers.map((peer) => `× ${peer}`)], peers.length)

/** Our own row and those of the peers that were measured beside it. `B` stands at a ratio that was taken with fewer rows. */
export function tableLine(own: Row, peers: readonly string[], beside: readonly Row[]): string {
  const cells = peers.map((peer) => {
    const row = beside.find((r) => r.peer === peer)
    if (!row || row.ratio === null) return ''
    const reduced = row.rows === own.rows ? '' : ` B ${row.rows}`
    return `${digits(row.ratio)} ±${percent(row.spread)}${reduced}`
  })
  return line(
    [
      `${own.suite}/${own.shape}`,
      own.device,
      own.rows === null ? '' : String(own.rows),
      digits(own.ms),
      percent(own.spread),
      digits(own.gflops),
      own.peakShare === null ? '' : percent(own.peakShare),
      ...cells,
    ],
    peers.length,
  )
}

export function footprintLine(own: Row, { bytes, leastBytes, hostMicros }: Footprint): string {
  const memory = `${(bytes / 2 ** 20).toFixed(1)} MiB beside the data, ${(bytes / leastBytes).toFixed(2)} times`
  return (
    `  ${own.suite}/${own.shape} on ${own.device}: ${memory} parameters, optimizer and activations of B ${own.rows}; ` +
    `event loop busy ${digits(hostMicros)} µs a step`
  )
}
