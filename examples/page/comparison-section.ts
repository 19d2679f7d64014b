/** The second section: samples of the chain, of plain flow matching and of a student from the same noise, beside the data. */

import type { Address } from './address.js'
import { canvas, write } from './elements.js'
import { NearestRows } from './nearest-rows.js'
import { Plane } from './plane.js'
import { type Source, STUDENT_EVALUATIONS } from './source.js'

/** Points of a panel, of the data as of samples, so that none looks denser than another for their number. */
const SHOWN = 3000

export class ComparisonSection {
  private readonly planes = {
    data: new Plane(canvas('data-plane')),
    local: new Plane(canvas('local-plane')),
    plain: new Plane(canvas('plain-plane')),
    student: new Plane(canvas('student-plane')),
  }
  private readonly rows: NearestRows

  /** @param data rows of the data: the first are shown, samples are measured against the others */
  constructor(data: Float32Array) {
    const shown = data.subarray(0, 2 * SHOWN)
    this.rows = new NearestRows(data.subarray(2 * SHOWN))
    this.planes.data.draw((plane) => plane.points(shown))
    write('data-caption', this.measured(shown))
    write('rows', String(data.length / 2 - SHOWN))
  }

  /** @param local samples of the chain */
  async show(source: Source, local: Float32Array, { seed, evaluations }: Address): Promise<void> {
    this.fill('local', local, evaluations)
    this.fill('plain', await source.plain(seed, evaluations), evaluations)
    this.fill('student', await source.student(seed), STUDENT_EVALUATIONS)
  }

  private fill(name: 'local' | 'plain' | 'student', samples: Float32Array, evaluations: number): void {
    const shown = samples.subarray(0, 2 * SHOWN)
    this.planes[name].draw((plane) => plane.points(shown))
    const always = name === 'student' ? ' always' : ''
    write(`${name}-caption`, `${this.measured(shown)}, ${evaluations} evaluations${always}`)
  }

  private measured(points: Float32Array): string {
    return `${this.rows.meanDistance(points).toFixed(4)} off`
  }
}
