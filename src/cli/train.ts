/** `lfm train`: what `run` does (src/run/train-run.ts), with a command line's words, signals and bar. */

import { basename, dirname, extname, resolve } from 'node:path'
import { commandWords, type RunManifest } from '../checkpoint/index.js'
import { applyOverrides, readConfig, resolveConfig } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { DeviceKind } from '../device/device.js'
import { stepProfile } from '../device/profile.js'
import { bytesText } from '../learn/estimate.js'
import { finalLosses } from '../run/report.js'
import { stepMs } from '../run/session.js'
import { placeOf, type TrainedRun, trainRun } from '../run/train-run.js'
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
  const { out, resume, force, fast, profile, set } = options
  const overrides = options.device ? [...set, `device.kind=${options.device}`] : set
  const raw = applyOverrides(await readConfig(configPath), overrides)
  const config = resolveConfig(raw, configPath)
  const command = commandLine(configPath, options)
  const { signal, release } = interruptSignal('Interrupted.')
  const display = progressDisplay(config.train.steps)
  const drawing = rowsDisplay('drawing')
  let kept: RunManifest | null = null
  let began = performance.now()
  try {
    const run = await trainRun(
      {
        raw,
        options: config,
        data: config.data,
        load: () => loadData(config.data, { seed: config.seed, baseDir: dirname(resolve(configPath)) }),
        configPath: resolve(configPath),
        folder: {
          path: out,
          resume,
          force,
          title: basename(configPath, extname(configPath)),
          reproduce: [command],
          words: commandWords,
          goOn: `${command} --resume`,
        },
        fast,
        profile,
      },
      {
        signal,
        onWarning: note,
        onNote: note,
        onEstimate: ({ memory: { peak, activations, optimizer, pool } }) => {
          began = performance.now()
          note(
            `Memory for training: ${bytesText(peak)} (data ${bytesText(pool)}, network ${bytesText(optimizer)}, ` +
              `a step ${bytesText(activations)}).`,
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
      await printRun(run, options, (performance.now() - began) / 1000)
    } finally {
      await run.device.dispose()
    }
  } catch (error) {
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

async function printRun(run: TrainedRun, { json, profile: profiled, out }: TrainCommandOptions, wall: number) {
  const { device, contents, timings, trained, losses, report, resumedFrom: from } = run
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
  const flows = steps.length
  print(
    `Trained ${flows === 1 ? 'one sub-flow' : `${flows} sub-flows`}, ${timings.stepsTaken} steps of ` +
      `${batch} rows, in ${clock(wall)} on ${info.name}.`,
    `Report: ${report}`,
  )
  if (profile) printProfile(profile, 'a training step')
}
