/**
 * A teacher and its students side by side: samples of the same noise, at the evaluations that students take, and those of the
 * teacher with as many by the solver that is best with few (ab2, even in the angle).
 */

import type { RowKind } from '../data/kinds.js'
import { rowLength, type Tensor } from '../data/tensor.js'
import { InvalidArgumentError } from '../errors.js'
import type { SampleOptions, Samples } from '../model/call-options.js'
import type { Flow } from '../model/flow.js'
import { pointsFigure, renderPng, tilesPng } from '../plot/index.js'
import type { Told } from './conditioning.js'
import { alongChain } from './picture-report.js'
import { savePicture } from './report.js'
import { jumpsOf } from './sample-curve.js'

const POINTS = 10_000
/** Pictures of each way, from the same noises. */
const PICTURES = 8

interface Way {
  readonly title: string
  readonly samples: Samples
}

interface Shown {
  /** conditions of n rows, of both */
  readonly told: Told
  /** of the teacher; its students have it in their networks */
  readonly guidance: number
  readonly signal?: AbortSignal
}

/** Samples of a teacher with so many evaluations; null where that is too few for it. */
async function withFew(teacher: Flow, n: number, evaluations: number, how: SampleOptions): Promise<Samples | null> {
  if (!teacher.isFlow || teacher.stages.some(({ angle }) => !angle)) return null
  try {
    return await teacher.sample(n, { solver: 'ab2', clock: 'angle', evaluations, ...how })
  } catch (error) {
    if (error instanceof InvalidArgumentError) return null
    throw error
  }
}

async function waysOf(
  student: Flow,
  teacher: Flow,
  n: number,
  { told, guidance, signal }: Shown,
): Promise<{ ways: Way[]; nfe: number }> {
  // students have the guidance in their networks
  const asStudent = { signal, ...told(n) }
  const how = { ...asStudent, guidance: teacher.condition ? guidance : undefined }
  const whole = await teacher.sample(n, how)
  const nfe = teacher.evaluations!.mean
  const ways: Way[] = [{ title: `Teacher, ${nfe}`, samples: whole }]
  for (const evaluations of jumpsOf(student, [1, 2, 4])) {
    const few = await withFew(teacher, n, evaluations, how)
    if (few) ways.push({ title: `Teacher, ${evaluations}`, samples: few })
    const samples = await student.sample(n, { ...asStudent, ...(student.isFlow ? {} : { evaluations }) })
    ways.push({ title: `Student, ${evaluations}`, samples })
  }
  return { ways, nfe }
}

/**
 * Draws them into the run folder.
 * @param data [n, …], shown first where rows are points
 * @returns evaluations of the teacher's own samples, and the titles in their order
 */
export async function drawBesideTeacher(
  folder: string,
  student: Flow,
  teacher: Flow,
  data: Tensor,
  { rowKind, ...shown }: Shown & { readonly rowKind: RowKind },
): Promise<{ nfe: number; shown: string[] }> {
  const pictures = rowKind === 'pictures'
  const { ways, nfe } = await waysOf(student, teacher, pictures ? PICTURES : POINTS, shown)
  if (pictures) {
    const png = await tilesPng({
      background: 'clear',
      pictures: alongChain(ways.map(({ samples }) => samples)),
      columns: ways.length,
      heads: ways.map(({ title }) => title),
      shown: 80,
    })
    await savePicture(folder, 'teacher', png)
  } else {
    const D = student.field.dimension
    const drawn = data.values.subarray(0, POINTS * rowLength(data.shape))
    const rows = drawn instanceof Uint8Array ? Float32Array.from(drawn) : drawn
    const svg = await pointsFigure({
      panels: [
        { title: 'Data', values: rows, dimensions: D },
        ...ways.map(({ title, samples }) => ({ title, values: samples.values, dimensions: D })),
      ],
      panelSize: 230,
    })
    await savePicture(folder, 'teacher', await renderPng(svg))
  }
  return { nfe, shown: ways.map(({ title }) => title) }
}
