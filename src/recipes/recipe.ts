/**
 * A *recipe* says which networks are fitted, in which order and on what, and which of them are the model. It plans its fits
 * and makes the pool of the next one; run-recipe.ts does the rest for all recipes: checkpoints, progress, resuming.
 */

import type { z } from 'zod'
import type { Device } from '../device/device.js'
import type { Sampling } from '../kernels/draw_batch.js'
import type { SegmentTables } from '../kernels/segments.js'
import type { SubFlowKind } from '../learn/closed-forms.js'
import type { Coupling } from '../learn/couplings.js'
import type { FitSettings, TrainingState } from '../learn/fit.js'
import type { Objective } from '../learn/objectives.js'
import type { PathName } from '../learn/paths/registry.js'
import type { Pool, PoolColumns, PoolConditions, PoolValues, RowStore, StoredRows } from '../learn/pool.js'
import type { Task } from '../learn/task.js'
import type { TimeLaw } from '../learn/times.js'
import type { Flow } from '../model/flow.js'
import type { Network } from '../networks/network.js'
import type { Evaluations, SolverSettings } from '../ode/solver.js'
import type { PairSettings } from './optimal-pairs.js'

/** Where the left ends of the next sub-flow come from: pushed through the trained one, or drawn from the process. */
export const pushes = ['learned', 'simulated'] as const
export type Push = (typeof pushes)[number]

/** One sub-flow of a longer chain, which is trained alone. */
export interface ChainPart {
  /** from 1 */
  readonly number: number
  /** sub-flows of the chain */
  readonly of: number
  /** Γ, the time of the process at its left end */
  readonly before: number
}

/** Everything that recipes know of a config. Lists have one entry for each fit, except `gammas`. */
export interface RecipeSettings<Own = unknown> {
  /** step sizes of the model's stages; null, only ever the last, is the free one */
  readonly gammas: readonly (number | null)[]
  readonly paths: readonly PathName[]
  readonly coupling: Coupling
  /** quantile functions of the training times; null: uniform */
  readonly quantiles: readonly (Float32Array | null)[]
  readonly timesPerPair: number
  /** probability that a row's condition is left out of a batch, where rows have one */
  readonly conditionDropout: number
  /** whether rows are learnt with some of their columns given, drawn anew for every batch; left out: no */
  readonly masks?: boolean
  readonly sampling: Sampling
  readonly steps: readonly number[]
  /** what is learnt from data */
  readonly objective: Objective
  /** how the columns of a row lie together, for objectives that learn choices; null or left out: not at all, or it is not known yet */
  readonly segments?: SegmentTables | null
  /** of every fit */
  readonly fit: Omit<FitSettings, 'name' | 'number' | 'steps'>
  /** start the parameters of a fit from those of the one before */
  readonly warmStart: boolean
  /** scale each network's output by its target's spread */
  readonly outputScale: boolean
  /** width of pictures that are mirrored at random while the pool is the data; 0: none */
  readonly mirror: number
  readonly push: Push
  /** which sub-flow of a longer chain this is; left out: the chain is whole */
  readonly part?: ChainPart
  /** how noise is paired with rows where the coupling is optimal */
  readonly assignment: PairSettings
  /** solver of pushes and of pairs */
  readonly pushSolver: SolverSettings
  /** the recipe's own section; undefined where it has none */
  readonly own: Own
  /** steps between two checkpoints; 0: none */
  readonly checkpointEvery: number
  /** steps between two validation losses (0: none), and how many without a better one end a fit (0: no number does) */
  readonly validation?: { readonly every: number; readonly patience: number }
}

/** One network that is to be fitted. */
export interface PlannedFit {
  readonly settings: FitSettings
  readonly task: Task
  /** what it learns between its ends, where closed forms are known of it */
  readonly kind: SubFlowKind | null
  /** right ends that are noise, assigned to the rows of the pool; left out: none are stored, or the pool has them */
  readonly pairs?: PairSettings
  /** rows that are made while the fit goes on, in place of the pool */
  readonly stream?: PlannedStream
  /** one short line for people: 'γ = 0.1', 'free' */
  readonly note: string
}

export interface PlannedStream {
  /** training steps between two blocks */
  readonly every: number
  /** rows of a block */
  readonly rows: number
  open(context: RecipeContext): Promise<RowStream>
}

/** A pool on the device that is filled anew, block by block. */
export interface RowStream {
  readonly pool: Pool
  readonly variants: Readonly<Record<string, string>>
  /** makes a block, numbered from 0: always the same rows for the same number */
  fill(block: number): Promise<Evaluations>
  dispose(): void
}

export interface RecipePlan {
  readonly fits: readonly PlannedFit[]
  /** numbers (from 0) of the fits that are the model, from the data's side to the noise's */
  readonly stages: readonly number[]
  /** where fits are told which stage they are, what each stage is told; left out: nothing */
  readonly told?: readonly ToldStage[]
}

/** A stage of the model that is a fitted network under a condition of its own. */
export interface ToldStage {
  readonly condition: Float32Array
  /** times the output scale of the fit */
  readonly outputScale: number
}

/** The networks of a model's stages, of those that were fitted. @param fitted what the fits are of */
export function stageNetworks(
  { stages, told }: Pick<RecipePlan, 'stages' | 'told'>,
  fitted: Network,
  networks: readonly TrainedNetwork[],
): TrainedNetwork[] {
  return stages.map((fit, i) => {
    const { parameters, outputScale } = networks[fit]
    if (!told) return networks[fit]
    return {
      parameters: fitted.told!(parameters, told[i].condition),
      outputScale: outputScale * told[i].outputScale,
    }
  })
}

/** A network whose fit has ended: what carrying rows needs of it. */
export interface TrainedNetwork {
  /** flat [P]; the moving average where one is kept */
  readonly parameters: Float32Array
  /** output scale */
  readonly outputScale: number
}

/** The state of a recipe; going on from it is bit-identical to not having stopped. */
export interface RecipeState {
  readonly finished: readonly TrainedNetwork[]
  /** number of the current fit, from 1; one more than there are when all have ended */
  readonly fit: number
  /** output scale of the current network */
  readonly outputScale: number
  readonly training: TrainingState | null
  /** the pool of the current fit; null where it is the data themselves */
  readonly pool: PoolColumns | null
}

export interface RecipeContext<Own = unknown> {
  readonly device: Device
  readonly network: Network
  /** X_0 [n, D], already scaled, or pixels; null where all rows are made */
  readonly data: PoolValues | null
  /** rows that are larger than memory, of which `data` are the first; null or left out: `data` are all */
  readonly stored?: StoredData | null
  /** rows that are not learnt from, as the data are; null or left out: none */
  readonly validation?: PoolValues | null
  /** conditions of the rows of both, [n, C], where the network takes one; null or left out: none */
  readonly conditions?: { readonly data: PoolConditions; readonly validation: PoolConditions | null } | null
  /** the model that students learn from, on the same device */
  readonly teacher?: Flow
  /** conditions [M, C] that a conditional teacher is told and its students learn under, each as often as it is there; null or left out: none */
  readonly told?: PoolConditions | null
  readonly settings: RecipeSettings<Own>
  readonly signal?: AbortSignal
  /** rows done of what is made between two fits */
  readonly onRows?: (rows: number, of: number) => void
}

/** Rows that are learnt from window by window (learn/windows.ts). */
export interface StoredData {
  readonly rows: StoredRows
  /** rows of a window */
  readonly window: number
  /** a place for as many rows, to push them to */
  make(): Promise<RowStore>
}

/** A pool that was made between two fits. */
export interface MadePool {
  readonly pool: Pool
  readonly evaluations: Evaluations
  readonly variants: Readonly<Record<string, string>>
}

/** What a config says of the fits, before the recipe arranges it. */
export interface Arrangement {
  readonly gammas: (number | null)[]
  readonly steps: number[]
  readonly paths: PathName[]
  readonly times: TimeLaw[]
}

/** @typeParam Own what it knows of a config beside what all recipes do */
export interface Recipe<Own = unknown> {
  plan(settings: RecipeSettings<Own>): RecipePlan
  /** rows of the pools that it makes from n rows of data; left out: as many */
  madeRows?(n: number, own: Own): number
  /**
   * The pool of the fit after the last finished one, on the device. Null: the one that is there stays.
   * @param pool of the fit that has just ended; the caller disposes of it, and hands on the conditions of its rows
   */
  nextPool(context: RecipeContext<Own>, pool: Pool, finished: readonly TrainedNetwork[]): Promise<MadePool | null>
  /** The same of rows to validate on. Left out: nextPool */
  nextValidation?(
    context: RecipeContext<Own>,
    pool: Pool,
    finished: readonly TrainedNetwork[],
  ): Promise<MadePool | null>
  /** parameters and output scale that a fit, numbered from 1, begins from. Left out: fresh ones, or those of the fit before */
  begin?(context: RecipeContext<Own>, number: number): TrainedNetwork
}

/** A recipe that a config may ask for by name. @typeParam Own its own section of a config, in full */
export interface NamedRecipe<Own = unknown> extends Recipe<Own> {
  readonly description: string
  /** schema of its own section, `flow.<name of the recipe>`; left out: it has none */
  readonly section?: z.ZodType<Own>
  /** what its fits are called, several of them */
  readonly fitsAre: 'sub-flows' | 'fits'
  /** columns of a condition that the fits make themselves, and the model's stages know (RecipePlan.told); left out: none */
  tells?(gammas: readonly (number | null)[]): number
  /** how many entries lists with one for each fit have */
  fits(gammas: readonly (number | null)[], own: Own): number
  /** the configured chain: recipes other than Local Flow take its steps and paths together */
  arrange(configured: Arrangement): Arrangement
}
