/** `lfm train`: what `run` does (src/run/train-run.ts), with a command line's words, signals and bar. */

import { basename, dirname, extname, resolve } from 'node:path'
import { commandWords, type RunManifest } from '../checkpoint/index.js'
import { applyOverrides, type ResolvedConfig, readConfig, resolveConfig } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { DeviceKind } from '../device/device.js'
import { stepProfile } from '../device/profile.js'
import { shellLine } from '../files/shell.js'
import { bytesText } from '../learn/estimate.js'
import { standingOf } from '../run/cluster/trained.js'
import { refuseDistillation } from '../run/distilling.js'
import { goesApart, partConfig, partFolder } from '../run/parts.js'
import { finalLosses, validationLosses } from '../run/report.js'
import { stepMs } from '../run/session.js'
import { placeOf, type TrainedRun, type TrainRequest, trainRun } from '../run/train-run.js'
import { printProfile, readProfile } from './device.js'
import { Interrupted, interruptSignal } from './interrupt.js'
import { expectSlurmOptions, fates, type SlurmOptions, submit, type Work } from './submit.js'
import { clock, note, print, printJson, progressDisplay, rowsDisplay } from './terminal.js'

/** Options of every command that trains. */
export interface TrainCommandOptions extends SlurmOptions {
  out: string
  device?: DeviceKind | 'auto'
  set: string[]
  tensorboard?: string
  resume?: boolean
  force?: boolean
  fast?: boolean
  profile?: boolean
  /** train this sub-flow alone */
  subFlow?: number
  /** join sub-flows that were trained alone */
  join?: boolean
}

/** The command that was given, but for --resume, --force, --profile and --json. */
export function commandLine(words: readonly string[], options: TrainCommandOptions): string {
  const { out, device, fast, tensorboard, set, subFlow, join } = options
  const rest = ['--out', out, ...(device ? ['--device', device] : []), ...(fast ? ['--fast'] : [])]
  if (tensorboard) rest.push('--tensorboard', tensorboard)
  if (subFlow) rest.push('--sub-flow', String(subFlow))
  if (join) rest.push('--join')
  return shellLine(['lfm', ...words, ...rest, ...set.flatMap((assignment) => ['--set', assignment])])
}

export async function train(configPath: string, options: TrainCommandOptions): Promise<void> {
  const overrides = options.device ? [...options.set, `device.kind=${options.device}`] : options.set
  const { subFlow, join, out, slurm } = options
  expectSlurmOptions(options)
  const whole = applyOverrides(await readConfig(configPath), overrides)
  const chain = resolveConfig(whole, configPath)
  refuseDistillation(chain)
  if (slurm || options.plan) return submit(await workOf(configPath, options, chain), options)
  if (join) for (const line of await fates(await workOf(configPath, options, chain))) note(line)
  const raw = subFlow ? partConfig(whole, chain, subFlow, '--sub-flow') : whole
  const config = subFlow ? resolveConfig(raw, configPath) : chain
  const work = {
    raw,
    options: config,
    data: config.data,
    load: () => loadData(config.data, { seed: config.seed, baseDir: dirname(resolve(configPath)), large: true }),
    configPath: resolve(configPath),
    ...(join && { join: '--join' }),
  }
  await runTraining(
    work,
    basename(configPath, extname(configPath)),
    commandLine(['train', configPath], options),
    subFlow ? { ...options, out: partFolder(out, subFlow) } : options,
  )
}

/** The words of a command, with absolute paths, for jobs that begin elsewhere. */
export const jobWords = (
  words: readonly string[],
  { device, fast, tensorboard, set }: TrainCommandOptions,
  out: string,
): string[] => [
  ...[...words, '--out', resolve(out)],
  ...(device ? ['--device', device] : []),
  ...(fast ? ['--fast'] : []),
  ...(tensorboard ? ['--tensorboard', resolve(tensorboard)] : []),
  ...set.flatMap((assignment) => ['--set', assignment]),
]

/** The jobs of a training: one for each sub-flow of a simulated push, else one. */
async function workOf(configPath: string, options: TrainCommandOptions, chain: ResolvedConfig): Promise<Work> {
  const { out } = options
  const words = jobWords(['train', resolve(configPath)], options, out)
  const command = commandLine(['train', configPath], { ...options, join: false })
  const numbers = goesApart(chain) ? chain.flow.gammas.map((_, i) => i + 1) : []
  const parts = numbers.map(async (number) => {
    const run = resolve(partFolder(out, number))
    const done = (await standingOf(run)) === 'ended'
    return { name: `sub-flow ${number}`, words: [...words, '--sub-flow', String(number)], run, done }
  })
  const done = (await standingOf(out)) === 'ended'
  const whole = { name: out, words, run: resolve(out), done }
  return {
    folder: out,
    kind: 'train',
    command: `${command} --slurm`,
    jobs:
      numbers.length > 0 ? (await Promise.all(parts)).map((part) => ({ ...part, done: done || part.done })) : [whole],
    inputs: [configPath],
    instead: numbers.length > 0 ? `${command} --sub-flow N, for each N, and --join.` : command,
    together: numbers.length > 0 ? `${command} --join` : null,
  }
}

/** Trains into the run folder that a command names, with a bar, signals, and a result on stdout. */
export async function runTraining(
  work: Omit<TrainRequest, 'folder' | 'fast' | 'profile'>,
  title: string,
  command: string,
  options: TrainCommandOptions,
): Promise<void> {
  const { out, tensorboard, resume, force, fast, profile } = options
  const { signal, release } = interruptSignal('Interrupted.')
  const display = progressDisplay(work.options.train.steps)
  const drawing = rowsDisplay('drawing')
  const storing = rowsDisplay('writing')
  let kept: RunManifest | null = null
  let began = performance.now()
  try {
    const run = await trainRun(
      {
        ...work,
        folder: {
          path: out,
          resume,
          force,
          title,
          reproduce: [command],
          words: commandWords,
          // a run that was joined is a run like any other
          goOn: `${command.replace(' --join', '')} --resume`,
        },
        tensorboard,
        fast,
        profile,
      },
      {
        signal,
        onWarning: note,
        onNote: note,
        onStoring: storing.show,
        onEstimate: ({ memory: { peak, activations, optimizer, pool, validation } }) => {
          began = performance.now()
          storing.end()
          note(
            `Memory for training: ${bytesText(peak)} (data ${bytesText(pool)}, network ${bytesText(optimizer)}, ` +
              `a step ${bytesText(activations)}${validation > 0 ? `, validation ${bytesText(validation)}` : ''}).`,
          )
        },
        onProgress: (progress) => display.show(progress),
        onTrained: () => display.end(),
        onDrawing: drawing.show,
        onFailure: (saved) => {
          kept = saved
        },
      },
    )
    drawing.end()
    try {
      await printRun(run, work.teacher ? 'student' : 'sub-flow', options, (performance.now() - began) / 1000)
    } finally {
      await run.device.dispose()
    }
  } catch (error) {
    storing.end()
    display.end()
    drawing.end()
    if (!signal.aborted || error !== signal.reason) throw error
    const message = kept
      ? `Interrupted: saved at ${placeOf(kept)}. Go on with: ${command} --resume`
      : `Interrupted: nothing was saved yet. Begin again with: ${command}`
    throw new Interrupted(message, (error as Interrupted).exitCode)
  } finally {
    release()
  }
}

async function printRun(
  run: TrainedRun,
  what: string,
  { json, profile: profiled, out }: TrainCommandOptions,
  wall: number,
): Promise<void> {
  const { device, contents, timings, trained, losses, validation, report, resumedFrom: from } = run
  const { info } = device
  const { steps, batch } = contents.options.train
  const profile = profiled ? await readProfile(device, stepProfile) : null
  if (json) {
    printJson({
      device: info.kind,
      adapter: info.kind === 'webgpu' ? info.name : null,
      cpuTarget: info.cpuTarget,
      subFlows: steps.length,
      steps: timings.stepsTaken,
      finalLosses: finalLosses(losses),
      validationLosses: validationLosses(validation, contents.options.train.patience > 0),
      seconds: timings.seconds,
      pushSeconds: timings.pushSeconds,
      stepMs: stepMs(trained, timings),
      skipped: trained.skipped,
      resumedFrom: from ? { subFlow: from.subFlow, step: from.step } : null,
      run: out,
      ...(profile && { profile }),
    })
    return
  }
  const flows = contents.subFlows.length
  const several = `${contents.fitted ? 'one network for ' : ''}${flows} ${what}s`
  print(
    `Trained ${flows === 1 ? `one ${what}` : several}, ${timings.stepsTaken} steps of ` +
      `${batch} rows, in ${clock(wall)} on ${info.name}.`,
    `Report: ${report}`,
  )
  if (profile) printProfile(profile, 'a training step')
}
