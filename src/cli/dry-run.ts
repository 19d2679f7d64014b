/** `lfm train CONFIG --dry-run`: what a config's training takes, with or without its data. Nothing is trained or written. */

import { dirname, resolve } from 'node:path'
import { applyOverrides, type ResolvedConfig, readConfig, resolveConfig } from '../config/index.js'
import { loadData } from '../data/load.js'
import { plannedRow } from '../data/row-shape.js'
import { trainingRows } from '../data/source.js'
import { holdsPixels } from '../data/tensor.js'
import type { Device } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { ConfigError, DataError, DeviceError } from '../errors.js'
import { machineBytes } from '../files/machine.js'
import { bytesText, checkMemory } from '../learn/estimate.js'
import { checkTraining, describeModel } from '../networks/registry.js'
import { stagesOf } from '../ode/methods.js'
import { isAdaptive } from '../ode/solver.js'
import { fittedNetwork, ownSection, recipeOf } from '../recipes/settings.js'
import { type Conditioned, conditionedData } from '../run/conditioning.js'
import { checkBatch, estimateRun } from '../run/training.js'
import { note, print, printJson } from './terminal.js'
import type { TrainCommandOptions } from './train.js'

interface Rows {
  readonly rowShape: readonly number[]
  readonly pixels: boolean
  /** n; null where the data are not there */
  readonly count: number | null
  /** rows that are on the device at a time */
  readonly held: number | null
  /** what the model is told; null where that is nothing, or not known */
  readonly condition: Conditioned['condition'] | null
  /** validation rows */
  readonly unseen: number
  readonly description: string
}

/** 35746307 → '35 746 307' */
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ')

/** 9.56e12 → '9.56 TFLOP' */
function flopsText(flops: number): string {
  const power = Math.max(0, Math.min(6, Math.floor(Math.log10(Math.max(flops, 1)) / 3)))
  return `${(flops / 1000 ** power).toPrecision(3)} ${['', 'k', 'M', 'G', 'T', 'P', 'E'][power]}FLOP`
}

export async function dryRun(configPath: string, options: TrainCommandOptions): Promise<void> {
  const overrides = options.device ? [...options.set, `device.kind=${options.device}`] : options.set
  const config = resolveConfig(applyOverrides(await readConfig(configPath), overrides), configPath)
  const rows = await rowsOf(config, configPath)
  if (rows.count !== null) checkBatch(config, rows.count)
  const field = fittedNetwork(config, rows.rowShape, rows.condition)
  checkTraining(config.model, config.train, rows.rowShape)
  const { kind, variants } = config.device
  const device: Device | null = await openDevice(kind, { variants }).catch((error: unknown) => {
    if (!(error instanceof DeviceError)) throw error
    note(`${error.message} The plan is that of any GPU.`)
    return null
  })
  try {
    const estimate = estimateRun(field, config, { ...rows, count: rows.held }, device, rows.unseen)
    const { memory, rowFlops, stepFlops, parameters } = estimate
    const steps = config.train.steps.reduce((sum, count) => sum + count, 0)
    const N = config.train.steps.length
    const push = pushFlops(config, rows.count, rowFlops)
    if (options.json) {
      printJson({
        ...estimate,
        subFlows: N,
        steps,
        batch: config.train.batch,
        rows: rows.count,
        rowShape: rows.rowShape,
      })
    } else {
      const lines = [
        describeModel(config.model),
        `data: ${rows.description}`,
        `parameters: ${grouped(parameters)}${N > 1 ? ` in each of ${N} sub-flows` : ''}`,
        `forward pass of a row: ${flopsText(rowFlops)}`,
        `training step of ${config.train.batch} rows: ${flopsText(stepFlops)}; all ${grouped(steps)} steps: ${flopsText(steps * stepFlops)}`,
        ...(push === null ? [] : [`pushes: ${flopsText(push)}`]),
        `peak memory of training: ${bytesText(memory.peak)} (activations ${bytesText(memory.activations)}, parameters and ` +
          `optimizer ${bytesText(memory.optimizer)}, ${rows.count === null ? 'the data not counted' : `data ${bytesText(memory.pool)}`}` +
          `${memory.validation > 0 ? `, validation ${bytesText(memory.validation)}` : ''})`,
      ]
      print(...lines)
    }
    if (device) checkMemory(estimate, config, device.info, machineBytes())
  } finally {
    await device?.dispose()
  }
}

/** Flops of all pools that are made between fits; null where they are not known beforehand. */
function pushFlops({ ode, flow, train }: ResolvedConfig, count: number | null, rowFlops: number): number | null {
  const pushes = flow.push === 'simulated' && flow.recipe === 'local' ? 0 : train.steps.length - 1
  if (pushes === 0 || count === null || isAdaptive(ode.push)) return null
  const rows = recipeOf({ flow }).madeRows?.(count, ownSection(flow)) ?? count
  const { solver, steps } = ode.push
  const all = typeof steps === 'number' ? pushes * steps : steps.slice(0, pushes).reduce((sum, few) => sum + few, 0)
  return rows * all * stagesOf(solver) * rowFlops
}

async function rowsOf(config: ResolvedConfig, configPath: string): Promise<Rows> {
  try {
    const loaded = await loadData(config.data, {
      seed: config.seed,
      baseDir: dirname(resolve(configPath)),
      large: true,
    })
    const { train, validation, scaler, description, remarks } = loaded
    remarks.forEach(note)
    const [, ...rowShape] = train.shape
    const count = trainingRows(loaded)
    const { large } = loaded
    return {
      rowShape,
      count,
      // on a device that binds as much
      held: large ? Math.min(count, Math.floor(large.windowBytes / (4 * large.width))) : count,
      pixels: holdsPixels(train) && !scaler,
      condition: conditionedData(loaded, config)?.condition ?? null,
      unseen: validation?.shape[0] ?? 0,
      description: `${description}, ${count} to train on`,
    }
  } catch (error) {
    if (!(error instanceof DataError)) throw error
    const planned = plannedRow(config.data)
    if (!planned) {
      throw new ConfigError(
        `${error.message} Without the data the shape of a row is not known; give data.size for pictures, or data.columns.`,
      )
    }
    const shape = planned.rowShape.join(', ')
    return {
      ...planned,
      count: null,
      held: null,
      condition: null,
      unseen: 0,
      description: `not there (${error.message}); planned for rows [${shape}]`,
    }
  }
}
