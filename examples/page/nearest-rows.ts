/** How far points are from the nearest of some rows, which lie in square cells so that few of them are looked at. */

/** Side of a cell, in units of the data. */
const CELL = 0.15

export class NearestRows {
  private readonly cells = new Map<number, number[]>()

  /** @param rows [n, 2] */
  constructor(private readonly rows: Float32Array) {
    for (let i = 0; i < rows.length; i += 2) {
      const key = keyOf(cellOf(rows[i]), cellOf(rows[i + 1]))
      const cell = this.cells.get(key)
      if (cell) cell.push(i)
      else this.cells.set(key, [i])
    }
  }

  /** The mean over points [m, 2]. */
  meanDistance(points: Float32Array): number {
    let sum = 0
    for (let i = 0; i < points.length; i += 2) sum += this.distance(points[i], points[i + 1])
    return (2 * sum) / points.length
  }

  private distance(x: number, y: number): number {
    const [column, line] = [cellOf(x), cellOf(y)]
    let least = Infinity
    // rings of cells, until none farther out can hold a nearer row
    for (let ring = 0; (ring - 1) * CELL < least; ring++) {
      for (let dy = -ring; dy <= ring; dy++) {
        const step = Math.abs(dy) === ring ? 1 : 2 * ring
        for (let dx = -ring; dx <= ring; dx += step) {
          for (const i of this.cells.get(keyOf(column + dx, line + dy)) ?? [])
            least = Math.min(least, Math.hypot(this.rows[i] - x, this.rows[i + 1] - y))
        }
      }
    }
    return least
  }
}

const cellOf = (x: number): number => Math.floor(x / CELL)
const keyOf = (column: number, line: number): number => column * 65536 + line
