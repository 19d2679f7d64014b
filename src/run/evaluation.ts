/**
 * `evaluate`: the negative log-likelihood of a part of the data, beside the entropy and the divergence where the truth is known,
 * and how much it changes when the solver works twice as hard; of a run on pictures the quality of its samples
 * (evaluate-pictures.ts). Of the test part the result goes into the run's report. For the validation part, on which settings are
 * chosen, it is only given back: the report's likelihood is always of rows on which nothing was chosen.
 */

import { resolveData } from '../config/index.js'
import { loadData } from '../data/load.js'
import { evenly } from '../data/pictures.js'
import type { LoadedData } from '../data/source.js'
import type { Table } from '../data/tables/table.js'
import { beside } from '../data/tables/told.js'
import { takeRows } from '../data/tensor.js'
import { CheckpointError, DataError, invalid } from '../errors.js'
import { folderOf } from '../files/folders.js'
import { missingForFigures } from '../files/native-parts.js'
import { compareTables, type TableComparison } from '../metrics/tables/index.js'
import { describeSolver, overridden } from '../ode/solver.js'
import type { ReportCurve, ReportQuality } from '../plot/report.js'
import type { ReportTable } from '../plot/report-table.js'
import { toldOf } from './conditioning.js'
import { type PictureOptions, pictureQuality } from './evaluate-pictures.js'
import { type Likelihood, likelihoodOf } from './likelihood.js'
import type { LocalFlow } from './local-flow.js'
import { openFlow, type RunDevice } from './open-flow.js'
import { drawCurve, writeReport } from './report.js'
import { addEvaluation, openRun, type Run, rowKindOf } from './run.js'
import { sampleCurve } from './sample-curve.js'

export type { ReportCurve, ReportQuality } from '../plot/report.js'

/** The parts of the data. Training rows are for pictures alone: papers quote FIDs against them. */
export type Part = 'train' | 'validation' | 'test'

/** What is evaluated, and how; solver settings override those of the config. */
export interface EvaluateOptions extends RunDevice, PictureOptions {
  /** default 'test' */
  part?: Part
  /** of a run on pictures: how many pictures to score. Default 0 */
  likelihood?: number
  /** of a run on a table: columns that are predicted by what learnt from synthetic rows, and from real ones. Default none */
  targets?: readonly string[]
  /** the data, for a run that a program trained on rows of its own. Default: those of the run's config */
  data?: LoadedData
  /** aborting leaves the report as it was, and rejects with signal.reason */
  signal?: AbortSignal
  /** what is going on, a sentence each */
  onNote?: (sentence: string) => void
}

/** What was found of a run. */
export interface Evaluated {
  /** the rows that were measured on */
  readonly part: Part
  /** null of pictures, unless a likelihood was asked for */
  readonly likelihood: Likelihood | null
  /** FID, precision and recall; null of points */
  readonly quality: ReportQuality | null
  /** how alike samples and rows of the table are; null of other runs, and where no samples are asked for */
  readonly table: TableComparison | null
  /** distance of samples against function evaluations; null of pictures and tables */
  readonly curve: ReportCurve | null
  /** path of the report that it went into; null where it went into none */
  readonly report: string | null
  /** what it was measured on */
  readonly device: {
    /** webgpu, native or reference */
    readonly kind: string
    /** the adapter's or the processor's */
    readonly name: string
  }
  /** how the divergence was computed; null without a likelihood */
  readonly trace: 'exact' | 'hutchinson' | null
}

/**
 * Evaluates a finished run on rows that it was not trained on: what `lfm evaluate` does.
 *
 * @param folder the run folder
 * @throws CheckpointError where there is no finished run, or it has no data; DataError where the part is empty
 */
export async function evaluate(folder: string, options: EvaluateOptions = {}): Promise<Evaluated> {
  const { part = 'test', data: given, signal } = options
  const { solver, steps, evaluations, clock } = options
  const run = await openRun(folder)
  const pictured = rowKindOf(run) === 'pictures'
  if (!pictured) refusePictureOptions(options, part)
  if (options.targets?.length && !run.extra.encoding) {
    throw invalid('targets', 'left out: it is for runs on tables of mixed columns', options.targets)
  }
  const data = given ?? (await dataOf(run, part))
  const rows = data[part]
  if (!rows) throw new DataError(`There is no ${part} part (data.${part} is 0); there is nothing to evaluate on.`)
  const undrawn = pictured || part !== 'test' || options.samples === 0 ? null : await missingForFigures()
  if (undrawn) options.onNote?.(`The report will have no curve. ${undrawn.message}`)
  const { flow, device, close } = await openFlow(run, options)
  try {
    const quality = pictured ? await pictureQuality(flow, device, data, part, options) : null
    const configured = flow.options.ode.evaluate
    // of pictures the options are for samples
    const own = pictured ? {} : overridden(configured, { solver, steps, evaluations, clock })
    const settings = { ...configured, ...own }
    const scored = pictured ? evenly(rows.shape[0], options.likelihood ?? 0) : null
    const counted = scored ? takeRows(rows, scored, 0, scored.length) : rows
    const conditions = toldOf(flow.condition, data, part)(counted.shape[0], scored ? (i) => scored[i] : undefined)
    if (!flow.isFlow) {
      options.onNote?.(
        'No likelihood: the stages of this model are maps, which have none; students of the kind reflow keep it.',
      )
    }
    if (flow.encoding) {
      options.onNote?.('No likelihood: categories and whole numbers of a table have no density.')
    }
    const likelihood =
      flow.isFlow && !flow.encoding && counted.shape[0] > 0
        ? await likelihoodOf(flow, settings, counted, data.density, { ...conditions, signal })
        : null
    const evaluation = likelihood && {
      ...likelihood,
      solver: describeSolver(settings),
      trace: settings.trace === 'exact' ? 'exact' : `Hutchinson, ${settings.probes} probes`,
      device: device.info.name,
    }
    const table = flow.encoding ? await tableQuality(flow, data, part, options) : null
    const curve = pictured || flow.encoding ? null : await pointQuality(flow, data, part, options)
    signal?.throwIfAborted()
    if (curve && part === 'test' && curve.points.length > 0) {
      await drawCurve(folder, undrawn ? null : curve)
    }
    const facts = await addEvaluation(run, {
      ...(evaluation && part === 'test' && { evaluation }),
      ...(curve && part === 'test' && { curve }),
      ...(quality && { quality }),
      ...(table && part === 'test' && { table: reported(table, part) }),
    })
    const report = facts && (quality || part === 'test') ? await writeReport(folder, facts) : null
    const { kind, info } = device
    return {
      part,
      likelihood,
      quality,
      table,
      curve,
      report,
      device: { kind, name: info.name },
      trace: likelihood && settings.trace,
    }
  } finally {
    await close()
  }
}

/**
 * As many samples as the part has rows, beside the table's training rows and the part; null where none are asked for.
 * @throws DataError where the data are no table, as those of a program that gives only rows of numbers
 */
async function tableQuality(
  flow: LocalFlow,
  { table, labels, condition }: LoadedData,
  part: Part,
  { samples, targets, evaluations, signal }: EvaluateOptions,
): Promise<TableComparison | null> {
  const heldOut = table?.[part]
  if (!table || !heldOut) throw new DataError('The data are no table of mixed columns, which the model was trained on.')
  if (samples === 0) return null
  const n = samples ?? heldOut.rows
  const told = toldOf(flow.condition, { labels, condition }, part)(n)
  const synthetic = await flow.sampleTable(n, { ...told, evaluations, signal })
  const { seed } = flow.settings
  if (!condition || !('encoding' in condition)) {
    return compareTables({ training: table.train, heldOut, synthetic }, { targets, seed })
  }
  // what goes with what is told is to be seen beside it
  const tables = {
    training: beside(table.train, condition.train),
    heldOut: beside(heldOut, condition[part]!),
    synthetic: beside(synthetic, told.cond as Table),
  }
  return compareTables(tables, { targets, told: condition.train.columns.map(({ name }) => name), seed })
}

/** What a report keeps of a comparison; JSON knows no NaN. */
function reported({ figures, shapes, rows }: TableComparison, part: Part): ReportTable {
  const number = (value: number): number | null => (Number.isFinite(value) ? value : null)
  return {
    figures: figures.map(({ name, ideal, synthetic, real, redrawn, independent, copula }) => ({
      name,
      ideal,
      synthetic: number(synthetic),
      real: number(real),
      redrawn: number(redrawn),
      independent: number(independent),
      copula: number(copula),
    })),
    columns: shapes.columns.filter(({ score }) => Number.isFinite(score)),
    rows: { heldOut: rows.heldOut, synthetic: rows.synthetic },
    part,
  }
}

/** Samples of a point of the curve. */
const CURVE_SAMPLES = 10_000

/** The curve of a run on points; null where none is asked for. */
async function pointQuality(
  flow: LocalFlow,
  data: LoadedData,
  part: Part,
  { samples = CURVE_SAMPLES, signal }: EvaluateOptions,
): Promise<ReportCurve | null> {
  if (samples === 0 || part === 'train') return null
  return sampleCurve(flow, data, part, { samples, signal })
}

/** Throws where options that are for pictures were given for a run on points. */
function refusePictureOptions(options: EvaluateOptions, part: Part): void {
  const names = ['features', 'resize', 'likelihood', 'guidance'] as const
  const given = names.find((name) => options[name] !== undefined)
  if (given) throw invalid(given, 'left out: it is for runs on pictures', options[given])
  if (part === 'train') throw invalid('part', "test or validation ('train' is for runs on pictures)", part)
}

/** The data of a run, which have the part. Throws CheckpointError or DataError where they do not. */
export async function dataOf(run: Run, part: Part): Promise<LoadedData> {
  const raw = run.manifest.config.raw as { data?: unknown }
  if (raw.data === undefined || !run.extra.configPath) {
    throw new CheckpointError(
      `The run in ${run.folder} was saved by a program and has no data section, so there is no ${part} part to evaluate. ` +
        'Score a file with lfm score; in a program give evaluate its data.',
    )
  }
  const config = resolveData(raw, `the config in ${run.folder}`)
  const data = await loadData(config, {
    seed: run.options.seed,
    baseDir: folderOf(run.extra.configPath),
    large: true,
  }).catch((error) => {
    // the run names the file, and who made the run may be a stranger: nothing that stands in the file is shown
    throw error instanceof DataError && error.withoutContent ? new DataError(error.withoutContent) : error
  })
  if (!data[part]) {
    throw new DataError(`The config has no ${part} part (data.${part} is 0); there is nothing to evaluate on.`)
  }
  return data
}
