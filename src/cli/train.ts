/** `lfm train`: from a config to a run folder with checkpoints, pictures and a report. */

import { stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import { stringify } from 'yaml'
import { findRun, lockRun, makeRunFolder, type RunManifest } from '../checkpoint/index.js'
import { applyOverrides, type ResolvedConfig, readConfig, resolveConfig, resolveData } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { LoadedData } from '../data/source.js'
import { type Device, type DeviceKind, mergeVariants, type VariantsByDevice } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { stepProfile } from '../device/profile.js'
import { CheckpointError, ConfigError, DataError, LocalFlowError, TrainingError } from '../errors.js'
import type { Lock } from '../files/lock.js'
import { missingForFigures } from '../files/native-parts.js'
import { bytesText } from '../learn/estimate.js'
import { describeModel, networkFor } from '../networks/registry.js'
import { describeSolver } from '../ode/solver.js'
import type { RecipeState } from '../recipes/recipe.js'
import type { TrainedRecipe } from '../recipes/run-recipe.js'
import { recipeOf, recipeSettings } from '../recipes/settings.js'
import { LocalFlow } from '../run/local-flow.js'
import { LossLog, rowsSha256 } from '../run/recording.js'
import {
  drawPictures,
  finalLosses,
  leastLosses,
  type ReportFacts,
  removeReport,
  writeLosses,
  writeReport,
} from '../run/report.js'
import {
  addTimings,
  noTimings,
  openRun,
  packageVersion,
  type Run,
  type RunIdentity,
  type RunState,
  RunWriter,
  readState,
  type Timings,
} from '../run/run.js'
import { checkBatch, trainFlow } from '../run/training.js'
import { printProfile, readProfile } from './device.js'
import { Interrupted, interruptSignal } from './interrupt.js'
import { clock, note, print, printJson, progressDisplay, rowsDisplay } from './terminal.js'

export interface TrainCommandOptions {
  out: string
  device?: DeviceKind | 'auto'
  set: string[]
  resume?: boolean
  force?: boolean
  fast?: boolean
  profile?: boolean
  json?: boolean
}

/** A config file's sections that must be those of the run that is resumed. */
const FIXED = ['data', 'model', 'flow', 'seed'] as const
/** Keys of `train` that may change between the sessions of a run. */
const FREE_TRAIN_KEYS = ['checkpointEvery', 'logEvery']

/** Throws ConfigError where a resumed run was trained with another config. */
function checkSameRun({ folder, manifest, options }: Run, config: ResolvedConfig): void {
  const stored = { ...options, data: resolveData(manifest.config.raw, `the config in ${folder}`) }
  const fixed = (from: ResolvedConfig): Record<string, unknown> => {
    const train = Object.fromEntries(Object.entries(from.train).filter(([key]) => !FREE_TRAIN_KEYS.includes(key)))
    return { ...Object.fromEntries(FIXED.map((key) => [key, from[key]])), train, 'ode.push': from.ode.push }
  }
  const [before, now] = [fixed(stored), fixed(config)]
  const changed = Object.keys(now).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
  if (changed.length > 0) {
    throw new ConfigError(
      `The run in ${folder} was begun with other settings (${changed.join(', ')}); resume it with the config it was ` +
        'begun with, or train into another folder.',
    )
  }
}

/** A word as a shell reads it. */
const quoted = (word: string): string => (/^[\w./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** The command that was given, but for --resume, --force, --profile and --json. */
function commandLine(configPath: string, { out, device, fast, set }: TrainCommandOptions): string {
  const words = ['lfm', 'train', configPath, '--out', out]
  if (device) words.push('--device', device)
  if (fast) words.push('--fast')
  for (const assignment of set) words.push('--set', assignment)
  return words.map(quoted).join(' ')
}

export async function train(configPath: string, options: TrainCommandOptions): Promise<void> {
  const overrides = options.device ? [...options.set, `device.kind=${options.device}`] : options.set
  const raw = applyOverrides(await readConfig(configPath), overrides)
  const config = resolveConfig(raw, configPath)
  // a folder that is there is locked before its run is looked at; a new one is made once everything else is right
  let lock = await lockIfThere(options.out)
  try {
    return await trainInto(configPath, options, raw, config, async () => {
      await makeRunFolder(options.out)
      if (lock) return
      lock = await lockRun(options.out, note)
      // another may have begun there meanwhile
      await findRun(options.out, { force: options.force })
    })
  } finally {
    await lock?.release()
  }
}

/** The lock of a run folder; null where there is no such folder yet. */
async function lockIfThere(folder: string): Promise<Lock | null> {
  const there = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return there ? lockRun(folder, note) : null
}

/** @param holdFolder makes the run folder where it is not there, and sees to it that nobody else writes to it */
async function trainInto(
  configPath: string,
  options: TrainCommandOptions,
  raw: Record<string, unknown>,
  config: ResolvedConfig,
  holdFolder: () => Promise<void>,
): Promise<void> {
  const manifest = await findRun(options.out, { resume: options.resume, force: options.force })
  const run = manifest && (await openRun(options.out, manifest))
  if (run) checkSameRun(run, config)

  const data = await loadData(config.data, { seed: config.seed, baseDir: dirname(resolve(configPath)) })
  data.remarks.forEach(note)
  const [rows, ...rowShape] = data.train.shape
  checkBatch(config, rows)
  const dataSha256 = rowsSha256(data.train)
  if (run?.extra.dataSha256 && run.extra.dataSha256 !== dataSha256) {
    throw new DataError(
      `The training rows (${data.description}) are not those that the run in ${options.out} was begun with: the data ` +
        'have changed. Resume it with the old data, or train into another folder.',
    )
  }
  const start = run && (await readState(run))
  const device = await openDevice(config.device.kind, {
    variants: config.device.variants,
    remembered: manifest?.variants,
    fast: options.fast ?? config.device.fast,
    profile: options.profile,
  })
  const { signal, release } = interruptSignal('Interrupted.')
  const display = progressDisplay(config.train.steps)
  let session: Session | null = null
  try {
    await holdFolder()
    const identity: RunIdentity = {
      created: manifest?.created ?? new Date().toISOString(),
      raw,
      options: config,
      rowShape,
      rowKind: data.rowKind,
      scaler: data.scaler,
      columns: data.columns,
      configPath: resolve(configPath),
      dataSha256,
      device: device.info,
    }
    const undrawn = (await missingForFigures())?.message ?? null
    if (undrawn) note(`The report will have no pictures. ${undrawn}`)
    session = new Session(options, configPath, config, data, device, identity, manifest, start, display, undrawn)
    if (start) {
      const { fit: subFlow, training } = start.chain
      const N = config.train.steps.length
      note(
        subFlow > N
          ? `${options.out} is already trained; only its pictures and report are made again.`
          : `Going on from step ${training?.step ?? 0} of sub-flow ${subFlow} of ${N}.`,
      )
    }
    await session.run(signal)
  } catch (error) {
    display.end()
    const resume = `${commandLine(configPath, options)} --resume`
    const saved = session?.saved ?? manifest
    if (signal.aborted && error === signal.reason) {
      const message = saved
        ? `Interrupted: saved at ${placeOf(saved)}. Go on with: ${resume}`
        : `Interrupted: nothing was saved yet. Begin again with: ${commandLine(configPath, options)}`
      throw new Interrupted(message, (error as Interrupted).exitCode)
    }
    if (error instanceof LocalFlowError && !(error instanceof CheckpointError)) {
      error.message += ` ${whatIsKept(options.out, saved, error instanceof TrainingError, resume)}`
    }
    throw error
  } finally {
    release()
    await device.dispose()
  }
}

const placeOf = ({ progress: { subFlow, step } }: RunManifest): string => `step ${step} of sub-flow ${subFlow}`

/** The last word of an error that ended a training: what is on disk, and what to do with it. */
function whatIsKept(folder: string, saved: RunManifest | null, diverged: boolean, resume: string): string {
  if (!saved) return `Nothing was saved in ${folder} yet.`
  if (saved.progress.phase === 'done') {
    return `Kept: the trained model in ${folder}. Make its pictures and report with: ${resume}`
  }
  const kept = `Kept: the checkpoint in ${folder} at ${placeOf(saved)}.`
  if (diverged)
    return `${kept} It goes on with the same settings alone; with others begin anew, by --force or elsewhere.`
  return `${kept} Go on with: ${resume}`
}

/** One session of training a run. */
class Session {
  private readonly log: LossLog
  private readonly before: Timings
  /** the last checkpoint that this session wrote */
  saved: RunManifest | null = null
  private writer: RunWriter | null = null

  constructor(
    private readonly command: TrainCommandOptions,
    private readonly configPath: string,
    private readonly config: ResolvedConfig,
    private readonly data: LoadedData,
    private readonly device: Device,
    private readonly identity: RunIdentity,
    private readonly resumed: RunManifest | null,
    private readonly start: RunState | null,
    private readonly display: ReturnType<typeof progressDisplay>,
    /** why no pictures can be drawn; null where they can */
    private readonly undrawn: string | null,
  ) {
    this.log = new LossLog(config.train.steps, start?.losses)
    this.before = start?.timings ?? noTimings
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, data, device, display, start } = this
    const began = performance.now()
    let latest: RecipeState | null = null
    let timings = this.before
    const { parts, trained: chain } = await trainFlow(device, data.train, data.scaler, config, this.identity.raw, {
      signal,
      flips: data.flips,
      rowKind: data.rowKind,
      onEstimate: ({ memory: { peak, activations, optimizer, pool } }) =>
        note(
          `Memory for training: ${bytesText(peak)} (data ${bytesText(pool)}, network ${bytesText(optimizer)}, ` +
            `a step ${bytesText(activations)}).`,
        ),
      start: start?.chain ?? null,
      onProgress: (progress) => display.show(progress),
      onLosses: (subFlow, first, losses) => this.log.add(subFlow, first, losses),
      onCheckpoint: async (state, spent) => {
        latest = state
        timings = addTimings(this.before, spent)
        const variants = this.variants(spent)
        await this.write({ chain: state, losses: this.log.until(state), timings, variants })
      },
    })
    const flow = new LocalFlow(parts, device)
    display.end()
    if (!this.undrawn) note('Drawing the pictures of the report.')
    timings = addTimings(this.before, chain)
    const state: RecipeState = latest ?? start!.chain
    const evaluation = latest ? undefined : start?.evaluation
    const facts = await this.report(flow, chain, timings, signal)
    const losses = this.log.until(state)
    const variants = this.variants(chain)
    await this.write({ chain: state, losses, timings, variants, report: facts, evaluation })
    const path = await writeReport(this.command.out, facts)
    const wall = (performance.now() - began) / 1000
    const profile = this.command.profile ? await readProfile(device, stepProfile) : null
    if (this.command.json) {
      const summary = this.summary(timings, chain, losses)
      printJson(profile ? { ...summary, profile } : summary)
    } else {
      const flows = config.train.steps.length
      print(
        `Trained ${flows === 1 ? 'one sub-flow' : `${flows} sub-flows`}, ${timings.stepsTaken} steps of ` +
          `${config.train.batch} rows, in ${clock(wall)} on ${device.info.name}.`,
        `Report: ${path}`,
      )
      if (profile) printProfile(profile, 'a training step')
    }
    await flow.dispose()
  }

  /** Writes a checkpoint and the losses up to it. The first one of a new run takes the place of a run that is replaced. */
  private async write(state: RunState): Promise<void> {
    const { out } = this.command
    const first = this.writer === null && this.resumed === null
    this.writer ??= new RunWriter(
      out,
      this.identity,
      networkFor(this.config.model, this.data.train.shape.slice(1)),
      this.resumed,
      this.command.force,
    )
    this.saved = await this.writer.write(state)
    if (first) await removeReport(out)
    await writeLosses(out, state.losses, this.config.train.logEvery)
  }

  /** Those of earlier sessions, where this one did not force others, and its own. */
  private variants(spent: Pick<TrainedRecipe, 'variants'>): VariantsByDevice {
    const forced = this.config.device.variants
    const { kind } = this.device
    const stored = this.start?.variants ?? {}
    const before = Object.entries(stored[kind] ?? {}).filter(([name]) => forced[name] === undefined)
    return { ...stored, [kind]: mergeVariants(Object.fromEntries(before), spent.variants) }
  }

  private summary(timings: Timings, chain: TrainedRecipe, losses: readonly Float32Array[]): object {
    const { info } = this.device
    const from = this.resumed?.progress
    return {
      device: info.kind,
      adapter: info.kind === 'webgpu' ? info.name : null,
      cpuTarget: info.cpuTarget,
      subFlows: this.config.train.steps.length,
      steps: timings.stepsTaken,
      finalLosses: finalLosses(losses),
      seconds: timings.seconds,
      pushSeconds: timings.pushSeconds,
      stepMs: stepMs(chain, timings),
      skipped: chain.skipped,
      resumedFrom: from ? { subFlow: from.subFlow, step: from.step } : null,
      run: this.command.out,
    }
  }

  private async report(
    flow: LocalFlow,
    chain: TrainedRecipe,
    timings: Timings,
    signal: AbortSignal,
  ): Promise<ReportFacts> {
    const { config, data, device, command } = this
    const losses = this.log.losses
    const { fits } = recipeOf(config).plan(recipeSettings(config))
    const scales = chain.networks.map(({ outputScale }) => outputScale)
    const least = leastLosses(fits, scales, principalVariances(data))
    const progress = rowsDisplay('drawing')
    const drawn = await drawPictures(command.out, flow, fits, data.train, losses, least, {
      draw: this.undrawn === null,
      rowKind: data.rowKind,
      columns: data.columns,
      signal,
      onProgress: progress.show,
    }).finally(progress.end)
    const { evaluations } = drawn
    const final = finalLosses(losses)
    const { info } = device
    const rows = (part: { shape: readonly number[] } | null): number => part?.shape[0] ?? 0
    const remarks = [...data.remarks]
    if (this.start) remarks.push('The run was interrupted and resumed.')
    if (chain.skipped > 0) remarks.push(`${chain.skipped} steps with a gradient that was not finite were skipped.`)
    if (info.type === 'software') remarks.push('The WebGPU adapter is a software one.')
    if (this.undrawn) remarks.push(`There are no pictures: ${this.undrawn}`)
    return {
      title: basename(this.configPath, extname(this.configPath)),
      date: new Date().toISOString(),
      runFolder: command.out,
      device: { kind: info.kind, adapter: info.name, cpuTarget: info.cpuTarget },
      data: {
        description: data.description,
        dimensions: flow.field.dimension,
        pictures: flow.rowKind === 'pictures',
        train: rows(data.train),
        validation: rows(data.validation),
        test: rows(data.test),
      },
      model: describeModel(config.model),
      subFlows: fits.map(({ settings, kind, note }, i) => ({
        gamma: kind?.gamma ?? null,
        note,
        interpolant: config.flow.interpolant[i],
        steps: settings.steps,
        parameters: flow.field.parameterCount,
        finalLoss: final[i],
        excessLoss: least[i] === null || final[i] === null ? null : final[i] - least[i],
      })),
      batch: config.train.batch,
      seed: config.seed,
      trainSeconds: timings.seconds,
      pushSeconds: timings.pushSeconds,
      stepMs: stepMs(chain, timings),
      sampling: {
        solver: describeSolver(config.ode.sample),
        nfe: evaluations.mean,
        nfeMax: evaluations.max === evaluations.mean ? null : evaluations.max,
        n: drawn.n,
      },
      columns: drawn.columns,
      // parameters of a run that was done before are those that were evaluated
      evaluation: chain.stepsTaken === 0 ? (this.start?.report?.evaluation ?? null) : null,
      quality: chain.stepsTaken === 0 ? (this.start?.report?.quality ?? null) : null,
      curve: chain.stepsTaken === 0 ? (this.start?.report?.curve ?? null) : null,
      remarks,
      config: stringify(this.identity.raw),
      versions: { 'local-flow-matching': packageVersion, 'Node.js': process.version },
      reproduce: [commandLine(this.configPath, command)],
    }
  }
}

/** Milliseconds of a training step, of this session where it took any. */
const stepMs = (chain: TrainedRecipe, timings: Timings): number => {
  const { seconds, stepsTaken } = chain.stepsTaken > 0 ? chain : timings
  return stepsTaken > 0 ? (1000 * seconds) / stepsTaken : 0
}

/** Variances along the principal axes where the data are known to be Gaussian and unscaled; else null. */
function principalVariances(data: LoadedData): number[] | null {
  return data.scaler === null ? (data.density?.principalVariances?.() ?? null) : null
}
