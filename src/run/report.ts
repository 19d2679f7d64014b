/**
 * The pictures and the report of a run: samples beside data, the chain forward and backward, loss curves, and the page
 * that shows them; those of a run on pictures are made in picture-report.ts. What the page says is kept as a ReportInput
 * without its pictures (they are PNG files of the run folder), so that `lfm evaluate` adds a likelihood later without
 * training or drawing anything again.
 */

import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RowKind } from '../data/kinds.js'
import type { RowValues, Tensor } from '../data/tensor.js'
import { type Content, writeFileAtomic } from '../files/atomic.js'
import { cannotWrite } from '../files/reasons.js'
import { leastLoss } from '../learn/closed-forms.js'
import { bestOf } from '../learn/validation.js'
import { slicedWasserstein } from '../metrics/sliced.js'
import type { Flow } from '../model/flow.js'
import type { Evaluations } from '../ode/solver.js'
import {
  chainFigure,
  chainLabel,
  columnLabel,
  cornerFigure,
  curvesFigure,
  lossFigure,
  MOST_COLUMNS,
  pointsFigure,
  renderPng,
  renderReport,
} from '../plot/index.js'
import type { ReportCurve, ReportInput } from '../plot/report.js'
import type { PlannedFit } from '../recipes/recipe.js'
import type { Told } from './conditioning.js'
import { drawPictureFiles, noise, PICTURE_GRID } from './picture-report.js'
import { type OnRows, rowsTogether } from './rows-together.js'
import type { ValidationCurve } from './training-calls.js'

/** A report without its pictures: plain data that a manifest holds. */
export type ReportFacts = Omit<ReportInput, 'pictures'>

const pictureFiles = {
  samples: 'samples.png',
  forward: 'forward-chain.png',
  backward: 'backward-chain.png',
  neighbours: 'neighbours.png',
  interpolation: 'interpolation.png',
  loss: 'loss.png',
  excessLoss: 'excess-loss.png',
  curve: 'quality-curve.png',
  teacher: 'teacher.png',
} as const

const LOSS_TABLE = 'losses.csv'
const VALIDATION_TABLE = 'validation.csv'
export const reportName = 'report.html'

/** Writes one file of a run folder that is not part of its checkpoint. Throws DataError where that fails. */
async function writeExtra(folder: string, name: string, content: Content): Promise<string> {
  const path = join(folder, name)
  await writeFileAtomic(path, content).catch((error) => {
    throw cannotWrite(path, error)
  })
  return path
}

/** Writes one of the report's pictures. */
export const savePicture = async (folder: string, name: keyof typeof pictureFiles, png: Uint8Array): Promise<void> => {
  await writeExtra(folder, pictureFiles[name], png)
}

/** Removes pictures, report and losses of a run that has been replaced. */
export async function removeReport(folder: string): Promise<void> {
  const names = [...Object.values(pictureFiles), LOSS_TABLE, VALIDATION_TABLE, reportName]
  await Promise.all(
    names.map((name) =>
      rm(join(folder, name), { force: true }).catch((error) => {
        throw cannotWrite(join(folder, name), error)
      }),
    ),
  )
}

/** Samples of the picture, and rows of each state of a chain. */
const PICTURE_SAMPLES = 10_000
const CHAIN_ROWS = 5000
/** Samples whose evaluations are counted where nothing is drawn. */
const UNDRAWN_SAMPLES = 64

/** Loss of every step, in order, for each sub-flow. */
export type LossHistory = readonly Float32Array[]

/** Of each sub-flow; curves without a point where nothing was measured. */
export type ValidationHistory = readonly ValidationCurve[]

/** Means over every `every` steps: [last step, mean loss]. */
export function thinned(losses: Float32Array, every: number): { steps: number[]; loss: number[] } {
  const steps: number[] = []
  const loss: number[] = []
  for (let first = 0; first < losses.length; first += every) {
    const part = losses.subarray(first, first + every)
    steps.push(first + part.length)
    loss.push(part.reduce((sum, value) => sum + value, 0) / part.length)
  }
  return { steps, loss }
}

/** Mean loss of the last tenth of the steps of each sub-flow, at most 1000; null before any. */
export const finalLosses = (history: LossHistory): (number | null)[] =>
  history.map((losses) => {
    if (losses.length === 0) return null
    const last = losses.subarray(Math.max(0, losses.length - Math.min(1000, Math.ceil(losses.length / 10))))
    return last.reduce((sum, value) => sum + value, 0) / last.length
  })

/**
 * Validation loss of each sub-flow's parameters as they became the model; null where nothing was measured.
 * @param kept whether the best ones did (train.patience), else the last
 */
export const validationLosses = (history: ValidationHistory, kept: boolean): (number | null)[] =>
  history.map(({ losses }) => (kept ? losses[bestOf(losses)] : losses.at(-1)) ?? null)

/** Writes the loss history as losses.csv: sub-flow, step, and the mean loss of the steps since the row before. */
export async function writeLosses(folder: string, history: LossHistory, every: number): Promise<void> {
  const rows = history.flatMap((losses, i) => {
    const { steps, loss } = thinned(losses, every)
    return steps.map((step, k) => `${i + 1},${step},${loss[k]}`)
  })
  await writeExtra(folder, LOSS_TABLE, `${['sub_flow,step,loss', ...rows].join('\n')}\n`)
}

/** Writes validation losses as validation.csv: sub-flow, step and loss; nothing where there are none. */
export async function writeValidation(folder: string, history: ValidationHistory): Promise<void> {
  const rows = history.flatMap(({ steps, losses }, i) => steps.map((step, k) => `${i + 1},${step},${losses[k]}`))
  if (rows.length > 0) await writeExtra(folder, VALIDATION_TABLE, `${['sub_flow,step,loss', ...rows].join('\n')}\n`)
}

/**
 * Least loss of each fit where the data are Gaussian with these variances along their principal axes, divided as outputScale
 * divides; null where none is known.
 */
export function leastLosses(
  fits: readonly Pick<PlannedFit, 'kind'>[],
  scales: readonly number[],
  variances: readonly number[] | null,
): (number | null)[] {
  let current = variances
  return fits.map(({ kind }, i) => {
    if (!current || !kind) return null
    const least = leastLoss(kind, current) / scales[i] ** 2
    const { gamma } = kind
    current = gamma === null ? current : current.map((S) => Math.exp(-2 * gamma) * S - Math.expm1(-2 * gamma))
    return least
  })
}

const takeRows = (values: RowValues, D: number, rows: number): RowValues =>
  values.subarray(0, Math.min(values.length, rows * D))

/** Puts a picture into the run folder: SVG text is drawn, the bytes of a PNG are taken as they are. */
type Save = (name: keyof typeof pictureFiles, picture: string | Uint8Array) => Promise<void>

/** What the pictures show, for the report. */
export interface Drawn {
  /** samples */
  n: number
  /** of one sample */
  evaluations: Evaluations
  /** of a table of more than two columns; null for others */
  columns: ReportInput['columns']
}

export interface DrawOptions {
  /** what a row is */
  rowKind: RowKind
  /** false: only samples are drawn, for their evaluations; for a machine that cannot draw pictures. Default true */
  draw?: boolean
  /** names of the columns, where there are any */
  columns?: readonly string[] | null
  /** conditions of the training rows, which samples are drawn of; default: none */
  told?: Told
  signal?: AbortSignal
  /** rows that were carried through the model so far, of all that the pictures need */
  onProgress?: OnRows
}

/**
 * Draws the pictures of a trained flow into the run folder.
 * @param data [n, …], training rows in their own units
 */
export async function drawPictures(
  folder: string,
  flow: Flow,
  fits: readonly PlannedFit[],
  data: Tensor,
  history: LossHistory,
  validation: ValidationHistory,
  floors: readonly (number | null)[],
  { draw = true, rowKind, columns = null, told = () => ({}), signal, onProgress }: DrawOptions,
): Promise<Drawn> {
  if (!draw) {
    await flow.sample(UNDRAWN_SAMPLES, { ...told(UNDRAWN_SAMPLES), signal })
    return { n: 0, evaluations: flow.evaluations!, columns: null }
  }
  const save: Save = async (name, picture) => {
    const png = typeof picture === 'string' ? await renderPng(picture) : picture
    await writeExtra(folder, pictureFiles[name], png)
  }
  const single = fits.length === 1 && flow.stages.length === 1 && !fits[0].stream
  await drawLosses({ fits, single, history, validation, floors }, save)
  if (rowKind === 'points') return drawPoints(flow, data, columns, told, save, signal, onProgress)
  const { files, evaluations } = await drawPictureFiles(flow, data, told, signal, onProgress)
  for (const [name, png] of Object.entries(files)) await save(name as keyof typeof files, png)
  return { n: PICTURE_GRID, evaluations, columns: null }
}

/** The distance between two sets of numbers in standard deviations of the first. */
function apart(data: Float64Array, samples: Float64Array): number {
  const mean = data.reduce((sum, value) => sum + value / data.length, 0)
  const variance = data.reduce((sum, value) => sum + (value - mean) ** 2 / data.length, 0)
  return slicedWasserstein(data, samples, 1) / Math.sqrt(variance || 1)
}

/**
 * The columns that are drawn, in their order: all of a few, else those whose samples are farthest from the data. Rows of samples
 * that are not finite are left out.
 */
function chosenColumns(data: RowValues, samples: RowValues, D: number): number[] {
  const all = Array.from({ length: D }, (_, column) => column)
  if (D <= MOST_COLUMNS) return all
  const columnOf = (values: RowValues, column: number): Float64Array =>
    Float64Array.from(values.filter((value, i) => i % D === column && Number.isFinite(value)))
  const distances = all.map((column) => {
    const drawn = columnOf(samples, column)
    return drawn.length === 0 ? Infinity : apart(columnOf(data, column), drawn)
  })
  return all
    .sort((a, b) => distances[b] - distances[a])
    .slice(0, MOST_COLUMNS)
    .sort((a, b) => a - b)
}

/** Rows as points: samples beside data, and the chain in both directions. */
async function drawPoints(
  flow: Flow,
  data: Tensor,
  columns: readonly string[] | null,
  told: Told,
  save: Save,
  signal?: AbortSignal,
  onProgress?: OnRows,
): Promise<Drawn> {
  const D = flow.field.dimension
  const { stages } = flow
  const N = stages.length
  const note = (n: number): string | undefined =>
    n === 0
      ? 'data'
      : !stages[n - 1].angle
        ? undefined
        : stages[n - 1].gamma === null
          ? 'free: to noise'
          : `γ = ${stages[n - 1].gamma}`
  const drawn = data.values.subarray(0, PICTURE_SAMPLES * D)
  const all = drawn instanceof Uint8Array ? Float32Array.from(drawn) : drawn

  const start = takeRows(all, D, CHAIN_ROWS)
  const startRows = start.length / D
  const part = rowsTogether(PICTURE_SAMPLES + CHAIN_ROWS + (flow.isInvertible ? startRows + CHAIN_ROWS : 0), onProgress)
  const samples = await flow.sample(PICTURE_SAMPLES, {
    ...told(PICTURE_SAMPLES),
    signal,
    onProgress: part(PICTURE_SAMPLES),
  })
  const evaluations = flow.evaluations!
  const rows = takeRows(all, D, PICTURE_SAMPLES)
  const shown = chosenColumns(rows, samples.values, D)
  const pair: readonly [number, number] = [shown[0], shown[1] ?? shown[0]]
  const names = columns ?? undefined
  await save(
    'samples',
    D > 2
      ? await cornerFigure({ data: rows, samples: samples.values, dimensions: D, columns: shown, names })
      : await pointsFigure({
          panels: [
            { title: 'Data', subtitle: `${rows.length / D} points`, values: rows, dimensions: D },
            { title: 'Samples', subtitle: `${PICTURE_SAMPLES} points`, values: samples.values, dimensions: D },
          ],
          names,
          panelSize: 380,
        }),
  )

  let latent = noise(CHAIN_ROWS, flow.rowShape, flow.settings.seed)
  // maps lead from noise to data alone
  if (flow.isInvertible) {
    const forward = await flow.trajectory(
      { values: start, shape: [startRows, ...flow.rowShape] },
      { ...told(startRows), direction: 'encode', signal, onProgress: part(startRows) },
    )
    await save(
      'forward',
      await chainFigure(
        forward.states.map(({ values }, n) => ({ label: chainLabel(n), note: note(n), values })),
        { dimensions: D, pair, names },
      ),
    )
    const encoded = { values: samples.values.subarray(0, CHAIN_ROWS * D), shape: [CHAIN_ROWS, ...flow.rowShape] }
    latent = await flow.encode(encoded, { ...told(CHAIN_ROWS), signal, onProgress: part(CHAIN_ROWS) })
  }
  const backward = await flow.trajectory(latent, { ...told(CHAIN_ROWS), signal, onProgress: part(CHAIN_ROWS) })
  await save(
    'backward',
    await chainFigure(
      backward.states.map(({ values }, i) => ({
        label: chainLabel(N - i),
        note: i === 0 ? 'noise' : i === N ? 'samples' : undefined,
        values,
      })),
      { dimensions: D, pair, names },
    ),
  )
  const nameOf = (column: number): string => columns?.[column] ?? columnLabel(column)
  return {
    n: PICTURE_SAMPLES,
    evaluations,
    columns: D > 2 ? { of: D, shown: shown.map(nameOf), pair: pair.map(nameOf) } : null,
  }
}

async function drawLosses(
  {
    fits,
    single,
    history,
    validation,
    floors,
  }: {
    fits: readonly PlannedFit[]
    /** whether the model is one flow from the data to the noise, and one fit */
    single: boolean
    history: LossHistory
    validation: ValidationHistory
    floors: readonly (number | null)[]
  },
  save: Save,
): Promise<void> {
  const every = Math.max(1, Math.ceil(Math.max(...history.map((losses) => losses.length)) / 400))
  const final = finalLosses(history)
  const series = history.map((losses, i) => ({
    label: single ? 'plain flow matching' : fits[i].settings.name,
    note: fits[i].note,
    ...thinned(losses, every),
    validation: validation[i] && { steps: validation[i].steps, loss: validation[i].losses },
    floor: floors[i] ?? undefined,
    final: final[i] ?? undefined,
  }))
  await save('loss', await lossFigure({ series }))
  if (floors.every((floor) => floor !== null))
    await save('excessLoss', await lossFigure({ series, quantity: 'excess' }))
}

/**
 * Draws the distance of samples against evaluations into the run folder.
 * @param curve null where it cannot be drawn: a picture of an earlier one is removed
 */
export async function drawCurve(folder: string, curve: ReportCurve | null): Promise<void> {
  if (!curve) {
    const path = join(folder, pictureFiles.curve)
    return rm(path, { force: true }).catch((error) => {
      throw cannotWrite(path, error)
    })
  }
  const { quantity, solver, points, floor } = curve
  // Vega marks what it draws
  const panels = [{ curves: [{ label: solver, points: points.map((point) => ({ ...point })) }] }]
  const png = await renderPng(await curvesFigure({ panels, quantity, floor }))
  await writeExtra(folder, pictureFiles.curve, png)
}

/** Writes report.html from the facts and the pictures that the folder has. Returns its path. */
export async function writeReport(folder: string, facts: ReportFacts): Promise<string> {
  const pictures: ReportInput['pictures'] = {}
  for (const [name, file] of Object.entries(pictureFiles)) {
    const bytes = await readFile(join(folder, file)).catch(() => undefined)
    if (bytes) pictures[name as keyof typeof pictureFiles] = bytes
  }
  return writeExtra(folder, reportName, renderReport({ ...facts, pictures }))
}
