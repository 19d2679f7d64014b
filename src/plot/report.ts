/**
 * A run as one HTML file that opens from disk without a network: styles inline, pictures as data URIs, no script. What
 * it says comes from `ReportInput` alone, so that the same report can be written by training, by `lfm evaluate` and by a
 * program. Every text is escaped.
 */
import { escapeHtml, figure, grid, page, table, tile } from './page.js'
import { chainLabel } from './points.js'
import { mixedTable, type ReportTable } from './report-table.js'
import { formatNumber } from './theme.js'

/** One sub-flow, in the chain's order. */
export interface ReportSubFlow {
  /** Length of the Ornstein–Uhlenbeck step; null for the free sub-flow, to noise. */
  gamma: number | null
  /** what is fitted, in short: 'γ = 0.1'. Left out: from gamma */
  note?: string
  /** For instance 'linear'. */
  interpolant: string
  /** Training steps that were done. */
  steps: number
  /** Trainable numbers in this sub-flow's network. */
  parameters: number
  /** Mean squared error for a dimension, averaged over the last steps; null before any. */
  finalLoss: number | null
  /** Loss on validation rows, of the parameters that are the model; null or left out where there are none. */
  validationLoss?: number | null
  /** `finalLoss` less the least loss that any field can reach, where that is known. */
  excessLoss?: number | null
}

/** The likelihood of the test set, as `lfm evaluate` measures it; nats a point unless said otherwise. */
export interface ReportEvaluation {
  /** Mean of −log p(x) over the test points, in the data's own units. */
  nll: number
  /** The true density's mean of −log p(x) over the same points, where it is known: the floor of `nll`. */
  entropy?: number | null
  /** `nll` less `entropy`: the divergence KL(true ‖ model). */
  kl?: number | null
  /** Of pictures: nll / (D ln 2), plus what the quantisation asks for; null or left out for points. */
  bitsPerDim?: number | null
  /** Function evaluations of the velocity field for one point, over all sub-flows (the mean over points). */
  nfe: number
  /** The greatest over points, where it differs from the mean. */
  nfeMax?: number | null
  /** Test points. */
  n: number
  /** Change of `nll` when the solver's steps are doubled (or its tolerances tightened): the solver's own error. */
  doublingChange?: number | null
  /** For instance «rk4, 20 steps a sub-flow». */
  solver: string
  /** For instance «exact» or «Hutchinson, 4 probes». */
  trace: string
  /** Device that evaluated. */
  device: string
  /** Wall time in seconds. */
  seconds: number
}

/** Samples of a run on pictures against pictures that it was not trained on, in the space of some features. */
export interface ReportQuality {
  /** Fréchet distance of the features. */
  fid: number
  /** Share of samples that lie among the pictures. */
  precision: number
  /** Share of pictures that lie among the samples. */
  recall: number
  /** Share of samples of a model of classes that the features' classifier takes for their class; left out: there is none. */
  accuracy?: number
  /** Weight of guidance, or one for each sub-flow; left out: none. */
  guidance?: readonly number[]
  /** FID of as many other pictures of the data as there are samples: what a perfect model would have; null without any. */
  floor: number | null
  /** What made the features: «digits», or a file and how pictures were resized for it. */
  features: string
  /** A caution about the FID, in a sentence; null if there is none. */
  caution?: string | null
  /** How many were drawn. */
  samples: number
  /** The pictures that they were compared with. */
  against: {
    /** train, validation or test */
    part: string
    /** how many */
    n: number
  }
  /** Neighbours of the manifolds of precision and recall. */
  neighbours: number
  /** Function evaluations of a sample, in the mean. */
  nfe: number
  /** Of the sample that took most; null where all took as many. */
  nfeMax?: number | null
  /** For instance «rk4, 8 steps a sub-flow». */
  solver: string
  /** Device that drew the samples. */
  device: string
  /** Wall time. */
  seconds: number
}

/** The distance of samples from the data against function evaluations, as `lfm evaluate` measures it on points. */
export interface ReportCurve {
  /** «sliced W2» */
  quantity: string
  /** Function evaluations of a sample, over all sub-flows, and the distance. */
  points: readonly {
    /** of a sample, in all sub-flows */
    evaluations: number
    /** the distance */
    value: number
  }[]
  /** Distance of as many training rows from the same part. */
  floor: number
  /** For instance «ab2, even in the angle». */
  solver: string
  /** Of each point. */
  samples: number
  /** The rows that they were compared with. */
  against: {
    /** train, validation or test */
    part: string
    /** how many */
    n: number
  }
  /** Wall time. */
  seconds: number
}

/** Whom students have learnt from. */
export interface ReportTeacher {
  /** its run */
  folder: string
  /** what its students are */
  kind: string
  /** evaluations of a sample of its own */
  nfe: number
  /** titles of the parts of the picture */
  shown: string[]
}

/** Everything a report shows. */
export interface ReportInput {
  /** For instance the config's name: «rose». */
  title: string
  /** When the run ended or was last added to, as ISO 8601. */
  date: string
  /** The run folder as the user named it, for the commands in the report, for instance «runs/rose». */
  runFolder: string
  /** Kind ('webgpu', 'native', 'reference'), the adapter's or processor's name, the CPU target chosen at run time. */
  device: { kind: string; adapter?: string | null; cpuTarget?: string | null }
  data: {
    /** For instance «image-density, rose.png». */
    description: string
    /** D. */
    dimensions: number
    /** Whether a row is a picture; left out: a point. */
    pictures?: boolean
    /** Whether rows are those of a table of mixed columns, which have no likelihood. */
    mixed?: boolean
    /** Rows of each part; 0 where there is none. */
    train: number
    validation: number
    test: number
  }
  /** For instance «mlp 256 · 256 · 256, softplus20, t at the first layer». */
  model: string
  subFlows: readonly ReportSubFlow[]
  /** Rows in a training batch. */
  batch: number
  /** Seed of the run. */
  seed: number
  /** Wall time of training, without compilation, pushes and checkpoints. */
  trainSeconds: number
  /** Wall time of pushing the training set through the sub-flows. */
  pushSeconds: number
  /** Wall time of a training step in milliseconds, averaged over all. */
  stepMs: number
  sampling: {
    /** For instance «rk4, 8 steps a sub-flow». */
    solver: string
    /** Function evaluations for one sample, over all sub-flows (the mean over samples). */
    nfe: number
    /** The greatest over samples, where it differs from the mean. */
    nfeMax?: number | null
    /** Samples drawn for the picture. */
    n: number
  }
  /** Of a table of more than two columns: the names of those that the pictures show, and of the two that the chain shows. */
  columns?: { of: number; shown: readonly string[]; pair: readonly string[] } | null
  /** PNG files' bytes; a picture that is not there is left out with its section. */
  pictures: {
    /** Samples beside data. */
    samples?: Uint8Array
    /** X_0 … X_N. */
    forward?: Uint8Array
    /** From noise back to X_0. */
    backward?: Uint8Array
    /** Samples, each beside the training pictures that are nearest to it. */
    neighbours?: Uint8Array
    /** From one noise to another, through the chain. */
    interpolation?: Uint8Array
    loss?: Uint8Array
    excessLoss?: Uint8Array
    /** Distance against evaluations; shown beside `curve`. */
    curve?: Uint8Array
    /** Samples of a teacher and of its students; shown beside `teacher`. */
    teacher?: Uint8Array
  }
  evaluation?: ReportEvaluation | null
  /** Of a run on pictures, once `lfm evaluate` has drawn samples. */
  quality?: ReportQuality | null
  /** Of a run on a table of mixed columns, once `lfm evaluate` has drawn samples. */
  table?: ReportTable | null
  /** Of a run on points, once `lfm evaluate` has drawn samples. */
  curve?: ReportCurve | null
  /** Of students: the run that they learnt from, and what the picture shows. */
  teacher?: ReportTeacher | null
  /** What a reader should know: resumed, skipped steps, a software adapter. One sentence each. */
  remarks?: readonly string[]
  /** The whole config as YAML text. */
  config: string
  /** Names and versions: the package, Node, the engine's parts. */
  versions: Readonly<Record<string, string>>
  /** Commands that make this run again, one a line, with paths as the user gave them. */
  reproduce: readonly string[]
}

/** The report as one HTML document. */
export function renderReport(run: ReportInput): string {
  const sections = [
    summary(run),
    quality(run),
    mixedTable(run),
    likelihood(run),
    curve(run),
    samples(run),
    besideTeacher(run),
    figure({
      title: 'Beside their neighbours',
      png: run.pictures.neighbours,
      kind: 'tiles',
      alt: 'Samples in the first column, the training pictures nearest to each in the columns beside it.',
      caption:
        'Samples, and to the right of each the training pictures that are nearest to it, pixel by pixel: a model that ' +
        'copied would show the same picture twice.',
    }),
    ...chains(run),
    figure({
      title: 'Between two noises',
      png: run.pictures.interpolation,
      kind: 'tiles',
      alt: 'Rows of pictures that change step by step from one sample to another.',
      caption:
        'Each row goes from one noise to another along a quarter of a circle, where every step is standard normal noise, ' +
        'and shows what the chain makes of each.',
    }),
    ...losses(run),
    subFlowTable(run),
    reproduction(run),
  ]
  return page(`${run.title} · Local Flow Matching`, [heading(run), ...sections])
}

function heading({ title, date, model, data, subFlows, teacher, remarks = [] }: ReportInput): string {
  const kind = teacher
    ? `${count(subFlows.length, 'student')} of ${teacher.folder}`
    : subFlows.length === 1
      ? 'Flow matching in one piece'
      : `Local Flow Matching in ${subFlows.length} sub-flows`
  const notes = remarks.map((remark) => `<p class="remark">${escapeHtml(remark)}</p>`).join('\n')
  return `<header>
<p class="kicker">Run report · ${escapeHtml(
    date
      .replace('T', ' ')
      .replace(/(:\d\d)(\.\d+)?(Z?)$/, '$1 $3')
      .trim(),
  )}</p>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(`${kind} on ${data.description}: ${model}.`)}</p>
${notes}
</header>`
}

function summary(run: ReportInput): string {
  const { device, data, subFlows, sampling, batch } = run
  const steps = total(subFlows, 'steps')
  const parameters = total(subFlows, 'parameters')
  const each = [...new Set(subFlows.map((subFlow) => subFlow.parameters))]
  const rows: [string, string][] = [
    ['Device', [device.kind, device.adapter, device.cpuTarget].filter(Boolean).join(' · ')],
    ['Data', `${data.dimensions}-dimensional: ${partsOf(data)}`],
    ['Sub-flows', `${subFlows.length}: ${describeChain(subFlows)}`],
    [
      'Parameters',
      subFlows.length === 1
        ? formatNumber(parameters)
        : `${formatNumber(parameters)} in all, ${each.length === 1 ? formatNumber(each[0]) : 'see below'} in each sub-flow`,
    ],
    [
      'Training',
      `${count(steps, 'step')} in all, batch ${formatNumber(batch)}: ${formatNumber(steps * batch)} samples seen`,
    ],
    [
      'Time',
      `${duration(run.trainSeconds)} training (${formatNumber(run.stepMs)} ms a step), ${duration(run.pushSeconds)} pushing`,
    ],
    ['Sampling', `${evaluations(sampling.nfe, sampling.nfeMax)} a sample (${sampling.solver})`],
    ['Seed', String(run.seed)],
  ]
  return `<section>
<h2>Summary</h2>
${table(rows)}
</section>`
}

/** The samples, beside data where rows are points. */
function samples({ pictures, data, sampling, columns }: ReportInput): string {
  const drawn = `${count(sampling.n, data.pictures ? 'sample' : 'point')}; ${sampling.solver}`
  if (data.pictures) {
    return figure({
      title: 'Samples',
      png: pictures.samples,
      kind: 'tiles',
      alt: `A grid of ${count(sampling.n, 'sampled picture')}.`,
      caption: `${count(sampling.n, 'sample')}, none left out; ${sampling.solver}.`,
    })
  }
  if (columns) {
    const names = list(columns.shown)
    const rest =
      columns.shown.length < columns.of
        ? ` ${columns.shown.length} of ${columns.of} columns are shown: those whose samples are farthest from the data one by one.`
        : ''
    return figure({
      title: 'Samples beside data',
      png: pictures.samples,
      kind: 'plot',
      alt: `All pairs of the columns ${names} as densities, data below the diagonal and samples above it; on it histograms of both.`,
      caption:
        `Data below the diagonal, the model's samples above it (${drawn}): a pair of columns has the same axes and colours ` +
        `on both sides. On the diagonal the data's histogram grey, the samples' a line.${rest}`,
    })
  }
  return figure({
    title: 'Samples beside data',
    png: pictures.samples,
    kind: 'plot',
    narrow: true,
    alt: 'Two panels with the same axes: the data as a density, and the samples as a density.',
    caption: `The model's samples (${drawn}) beside data, on the same axes and with the same colours for the same density.`,
  })
}

/** Samples of students beside those of their teacher. */
function besideTeacher({ teacher, pictures, data }: ReportInput): string {
  if (!teacher) return ''
  return figure({
    title: 'Teacher and students',
    png: pictures.teacher,
    kind: data.pictures ? 'tiles' : 'plot',
    alt: `${data.pictures ? 'Rows of pictures' : 'Panels of points'}: ${list(teacher.shown)}.`,
    caption:
      `Students of the kind ${teacher.kind} beside their teacher, from the same noise, with the number of function evaluations of a ` +
      'sample. The teacher with as few evaluations takes them by ab2, even in the angle; with fewer than it has sub-flows it ' +
      'has no samples.',
  })
}

/** The chain forward and back: rows of pictures, or panels of points. */
function chains({ pictures, data, subFlows, columns }: ReportInput): string[] {
  const [first, last] = [chainLabel(0), chainLabel(subFlows.length)]
  const free = subFlows.at(-1)?.gamma === null
  const kind = data.pictures ? 'tiles' : 'plot'
  const what = data.pictures ? 'Six pictures, a row each' : 'Panels of points'
  const pair = columns ? ` Two of its ${columns.of} columns are shown: ${list(columns.pair)}.` : ''
  return [
    figure({
      title: 'The forward chain',
      png: pictures.forward,
      kind,
      alt: `${what}, from the data ${first} to ${last}${free ? ', which is noise' : ''}.`,
      caption:
        `The training set ${first} and what the learned sub-flows made of it, one after another, up to ` +
        `${last}${free ? ', which should look like Gaussian noise.' : '.'}${pair}`,
    }),
    figure({
      title: 'The backward chain',
      png: pictures.backward,
      kind,
      alt: `${what}, from noise ${last} to the samples ${first}.`,
      caption: `Sampling: noise, integrated back through the sub-flows from the last to the first.${pair}`,
    }),
  ]
}

function losses({ pictures, subFlows }: ReportInput): string[] {
  const ends = (values: readonly (number | null | undefined)[]): string =>
    list(values.map((value) => (given(value) ? formatNumber(value, 4) : 'nothing recorded')))
  const validated = subFlows.some(({ validationLoss }) => given(validationLoss))
  const cut = 'The numbers are the means of the last tenth of the steps, as in the table of sub-flows.'
  return [
    figure({
      title: 'Loss',
      png: pictures.loss,
      kind: 'plot',
      alt: `The loss of each sub-flow against training steps; at the end ${ends(subFlows.map(({ finalLoss }) => finalLoss))}.`,
      caption:
        'Training loss of each sub-flow, recorded values light, their moving mean dark. Most of it is noise that no network ' +
        'can predict; where the least possible loss is known, it is the dashed line.' +
        `${validated ? ' Dots: the loss on validation rows, with the same noise each time.' : ''} ${cut}`,
    }),
    figure({
      title: 'Excess loss',
      png: pictures.excessLoss,
      kind: 'plot',
      alt: `The loss above the least possible one; at the end ${ends(subFlows.map(({ excessLoss }) => excessLoss))}.`,
      caption: `Training loss above the least that any velocity field can reach. ${cut}`,
    }),
  ]
}

function quality({ quality, data, runFolder }: ReportInput): string {
  if (!data.pictures) return ''
  if (!quality) {
    return `<section>
<h2>Quality of the samples</h2>
<p>Not evaluated yet. <code>${escapeHtml(`lfm evaluate ${runFolder}`)}</code> draws samples, measures them and adds it here.</p>
</section>`
  }
  const {
    fid,
    precision,
    recall,
    accuracy,
    guidance,
    floor,
    features,
    caution,
    samples,
    against,
    neighbours,
    nfe,
    nfeMax,
    solver,
  } = quality
  const tiles = [
    ['FID', formatNumber(fid, 4), 'less is better'],
    ...(floor === null ? [] : [['FID of data', formatNumber(floor, 4), 'the floor'] as const]),
    ['Precision', precision.toFixed(3), 'are the samples good?'],
    ['Recall', recall.toFixed(3), 'is everything there?'],
    ...(accuracy === undefined ? [] : [['Accuracy', accuracy.toFixed(3), 'are they of their class?'] as const]),
  ] as const
  return `<section>
<h2>Quality of the samples</h2>
<div class="tiles">${tiles.map(tile).join('')}</div>
${caution ? `<p class="remark">${escapeHtml(caution)}</p>\n` : ''}${table([
  ['Features', features],
  ['Samples', `${formatNumber(samples)}, against ${formatNumber(against.n)} ${against.part} pictures`],
  ['Manifolds', `balls to the neighbour of number ${neighbours}`],
  ['Function evaluations', `${evaluations(nfe, nfeMax)} a sample, over all sub-flows`],
  ['Solver', solver],
  ...(guidance ? [['Guidance', guidance.join(', ')] as const] : []),
  ['Measured on', `${quality.device}, ${duration(quality.seconds)}`],
])}
</section>`
}

function likelihood({ evaluation, runFolder, data }: ReportInput): string {
  if (!evaluation && (data.pictures || data.mixed)) return ''
  if (!evaluation) {
    return `<section>
<h2>Likelihood</h2>
<p>Not evaluated yet. <code>${escapeHtml(`lfm evaluate ${runFolder}`)}</code> computes the test set's likelihood and adds it here.</p>
</section>`
  }
  const { nll, entropy, kl, bitsPerDim, nfe, nfeMax, n, doublingChange, solver, trace, device, seconds } = evaluation
  const tiles: [string, string, string][] = [['NLL', nll.toFixed(4), 'nats a point']]
  if (given(entropy)) tiles.push(['Entropy', entropy.toFixed(4), 'nats: the floor'])
  if (given(kl)) tiles.push(['KL(true ‖ model)', kl.toFixed(4), 'nats: NLL − entropy'])
  if (given(bitsPerDim)) tiles.push(['Bits per dimension', bitsPerDim.toFixed(4), ''])
  const rows: [string, string][] = [
    ['Test points', formatNumber(n)],
    ['Function evaluations', `${evaluations(nfe, nfeMax)} a point, over all sub-flows`],
    ['Solver', `${solver}; divergence: ${trace}`],
    ['Measured on', `${device}, ${duration(seconds)}`],
  ]
  if (given(doublingChange)) {
    rows.splice(2, 0, [
      'Change with twice the steps',
      `${doublingChange < 0 ? '−' : '+'}${small(Math.abs(doublingChange))} nats`,
    ])
  }
  const cards = tiles.map(tile)
  return `<section>
<h2>Likelihood</h2>
<div class="tiles">${cards.join('')}</div>
${table(rows)}
</section>`
}

/** Quality against evaluations. */
function curve({ curve, pictures }: ReportInput): string {
  if (!curve || curve.points.length === 0) return ''
  const { quantity, points, floor, solver, samples, against } = curve
  const values = points.map(({ evaluations, value }) => `${formatNumber(value)} at ${formatNumber(evaluations)}`)
  return figure({
    title: 'Quality against evaluations',
    png: pictures.curve,
    kind: 'plot',
    narrow: true,
    alt: `A falling curve: ${quantity} ${list(values)} function evaluations of a sample.`,
    caption:
      `${quantity} of ${formatNumber(samples)} samples from ${formatNumber(against.n)} ${against.part} points (${solver}): ` +
      `${list(values)} evaluations. As many training points are ${formatNumber(floor)} away, the dashed line: a perfect model ` +
      'would reach it.',
  })
}

function subFlowTable({ subFlows }: ReportInput): string {
  const number = (loss: number | null | undefined): string => (given(loss) ? formatNumber(loss, 4) : '–')
  const excess = subFlows.some((subFlow) => given(subFlow.excessLoss))
  const validated = subFlows.some((subFlow) => given(subFlow.validationLoss))
  const more = [...(excess ? ['Excess loss'] : []), ...(validated ? ['Validation loss'] : [])]
  const head = ['Sub-flow', 'γ', 'Interpolant', 'Steps', 'Parameters', 'Final loss', ...more]
  const rows = subFlows.map(({ gamma, note, interpolant, steps, parameters, ...loss }, i) => [
    String(i + 1),
    gamma === null ? (note ?? 'free') : String(gamma),
    interpolant,
    formatNumber(steps),
    formatNumber(parameters),
    number(loss.finalLoss),
    ...(excess ? [number(loss.excessLoss)] : []),
    ...(validated ? [number(loss.validationLoss)] : []),
  ])
  return `<section>
<h2>Sub-flows</h2>
${grid(head, rows)}
</section>`
}

function reproduction({ config, versions, reproduce }: ReportInput): string {
  return `<section>
<h2>How to make it again</h2>
<pre>${escapeHtml(reproduce.join('\n'))}</pre>
<h3>Config</h3>
<pre>${escapeHtml(config.trimEnd())}</pre>
<h3>Versions</h3>
${table(Object.entries(versions))}
</section>`
}

/** γ of each sub-flow, and the interpolant: once where it is the same for all. */
function describeChain(subFlows: readonly ReportSubFlow[]): string {
  const gammas = subFlows.map(({ gamma, note }) => note ?? (gamma === null ? 'free' : `γ = ${gamma}`))
  const interpolants = [...new Set(subFlows.map(({ interpolant }) => interpolant))]
  return interpolants.length === 1
    ? `${gammas.join(', ').replaceAll(', γ =', ',')}; ${interpolants[0]} interpolant`
    : subFlows.map(({ interpolant }, i) => `${gammas[i]} (${interpolant})`).join(', ')
}

function partsOf({ train, validation, test, pictures }: ReportInput['data']): string {
  const parts = [`${formatNumber(train)} ${pictures ? 'pictures' : 'points'} to train`]
  if (validation > 0) parts.push(`${formatNumber(validation)} to validate`)
  if (test > 0) parts.push(`${formatNumber(test)} to test`)
  return parts.join(', ')
}

/** «a, b and c» */
const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`

function total(subFlows: readonly ReportSubFlow[], key: 'steps' | 'parameters'): number {
  return subFlows.reduce((sum, subFlow) => sum + subFlow[key], 0)
}

function given(value: number | null | undefined): value is number {
  return value !== null && value !== undefined
}

function count(value: number, noun: string): string {
  return `${formatNumber(value)} ${noun}${value === 1 ? '' : 's'}`
}

function evaluations(mean: number, greatest: number | null | undefined): string {
  const most = given(greatest) && greatest !== mean ? ` on average, ${formatNumber(greatest)} at most,` : ''
  return `${formatNumber(mean)} function evaluations${most}`
}

/** A difference, which may be far below one: decimals down to a millionth, then powers of ten. */
function small(value: number): string {
  return value >= 1e-6 || value === 0 ? value.toFixed(6) : formatNumber(value, 2)
}

function duration(seconds: number): string {
  if (seconds < 60) return `${formatNumber(seconds)} s`
  const whole = Math.round(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`
}
