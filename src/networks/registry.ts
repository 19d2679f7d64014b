/**
 * The kinds of network there are, a row each: the keys of the config, what they resolve to, and the network for rows of a
 * given shape. A new kind is a folder of its own and a row here.
 */

import * as z from 'zod'
import { ConfigError } from '../errors.js'
import { choicesNetwork, isChoices } from './choices/choices.js'
import { guidedNetwork, isGuided } from './guided/guided.js'
import { mlpNetwork, padded } from './mlp/mlp.js'
import { type MlpModel, mlpSchema, resolveMlp } from './mlp/schema.js'
import type { MlpSpec } from './mlp/spec.js'
import type { NamedTensor, Network, NetworkSpec } from './network.js'
import { type UnetModel, unetSchema } from './unet/schema.js'
import { describeUnet1d, sequenceSpec, type Unet1dModel, unet1dSchema } from './unet/sequences.js'
import { type UnetSpec, unetProblem } from './unet/spec.js'
import { unetNetwork } from './unet/unet.js'
import { microBatchProblem } from './unet/unet_backward.js'

export type { MlpModel } from './mlp/schema.js'
export type { UnetModel } from './unet/schema.js'
export type { Unet1dModel } from './unet/sequences.js'

/** The section `model`, fully resolved. */
export type Model = MlpModel | UnetModel | Unet1dModel

/** Rows of a batch, and the micro-batches it goes through a network in. */
export interface MicroBatching {
  readonly batch: number
  readonly microBatches: number
}

export interface NetworkTraits {
  /** the key of the config that sets its size */
  readonly sizeKey: string
  /** whether it takes micro-batches, and its activations can be computed again (TrainingMode) */
  readonly savesMemory: boolean
  /** how likelihoods compute the divergence by default */
  readonly trace: 'exact' | 'hutchinson'
  /** learning rate of students, times that of a teacher trained on data */
  readonly studentRate: number
}

/** What a network is trained with: rows of a batch, and steps of the longest fit. */
export interface Budget {
  readonly batch: number
  readonly steps: number
}

/** The batch and the steps for which rates by the width are: those of a config that says nothing. */
const usualBudget: Budget = { batch: 1000, steps: 7200 }
/** What a batch and steps change in a rate, at most, up or down. */
const MOST_CHANGE = 4

/** Larger batches bear higher rates, and so do fewer steps: the powers fit the best of five rates in nine budgets (docs/method.md). */
function rateFactor({ batch, steps }: Budget): number {
  const factor = (batch / usualBudget.batch) ** (1 / 3) * (usualBudget.steps / steps) ** (1 / 4)
  return Math.min(MOST_CHANGE, Math.max(1 / MOST_CHANGE, factor))
}

interface NetworkKind<Written, M, Spec extends NetworkSpec> {
  resolve(written: Written): M
  /** Throws ConfigError where rows […dims] do not fit the model, named with the key. */
  specFor(model: M, rowShape: readonly number[]): Spec
  /** for a config's model, in the layout that suits devices best */
  forTraining(spec: Spec): Network
  /** for a description, in the layout that it has */
  ofSpec(spec: Spec): Network
  /** what is wrong with such micro-batches, as a sentence; null where nothing is */
  batchProblem(spec: Spec, batches: MicroBatching): string | null
  readonly traits: NetworkTraits
  /** the number that sets its size, and the keys as they are written for another one */
  size(model: M): number
  resized(model: M, size: number): object
  /** the learning rate where none is given, and whether it wants to rise to that in a warm-up */
  usualRate(written: Written, budget: Budget): { readonly lr: number; readonly warmup: boolean }
  /** what a network with a condition has beside it, whatever its model says */
  readonly conditioned?: Partial<Spec>
  /** one line for people */
  describe(model: M): string
}

const mlp: NetworkKind<z.output<typeof mlpSchema>, MlpModel, MlpSpec> = {
  resolve: resolveMlp,
  specFor: ({ hidden, activation, beta, time, conditionAt, fourier }, rowShape) => ({
    kind: 'mlp',
    dimension: rowShape.reduce((product, extent) => product * extent, 1),
    condition: 0,
    hidden,
    activation,
    beta,
    time,
    frequencies: fourier,
    ...(conditionAt === 'every' && { everyCondition: true }),
  }),
  forTraining: (spec) => mlpNetwork(spec, padded(spec)),
  ofSpec: (spec) => mlpNetwork(spec),
  batchProblem: () => null,
  // students begin near where they end: of rates of 1, 2 and 4 times, two was best or near it (docs/distillation.md)
  traits: { sizeKey: 'model.hidden', savesMemory: false, trace: 'exact', studentRate: 2 },
  size: ({ hidden }) => hidden[0],
  resized: ({ hidden }, size) => ({
    hidden: hidden.map((width) => Math.max(1, Math.round((width * size) / hidden[0]))),
  }),
  // 0.008 at 64, 0.006 at 100, 0.003 at 256 were best of rates that differ by factors of two to three, with a cosine
  usualRate({ hidden }, budget) {
    const byWidth = 0.008 * (64 / Math.max(...hidden)) ** 0.7
    return { lr: Number((byWidth * rateFactor(budget)).toPrecision(2)), warmup: true }
  },
  describe(model) {
    const activation =
      model.activation === 'softplus' && model.beta !== 1 ? `softplus(β = ${model.beta})` : model.activation
    const time = model.time === 'first' ? 't at the first layer' : 't at every layer'
    const features = model.fourier.length > 0 ? `, ${model.fourier.length} Fourier frequencies` : ''
    const told = model.conditionAt === 'every' ? ', conditions at every layer' : ''
    return `${model.kind} ${model.hidden.join(' · ')}, ${activation}, ${time}${told}${features}`
  },
}

/** What UNets have in common, of pictures and of sequences. */
const unetKind = {
  forTraining: unetNetwork,
  ofSpec: unetNetwork,
  batchProblem: (spec, { batch, microBatches }) => microBatchProblem(spec, batch, microBatches),
  traits: { sizeKey: 'model.width', savesMemory: true, trace: 'hutchinson', studentRate: 1 },
  size: ({ width }) => width,
  resized: (_, width) => ({ width }),
  usualRate: () => ({ lr: 0.001, warmup: false }),
} satisfies Partial<NetworkKind<{ readonly width: number }, { readonly width: number }, UnetSpec>>

const unet: NetworkKind<UnetModel, UnetModel, UnetSpec> = {
  ...unetKind,
  resolve: (written) => written,
  specFor({ kind, classes: _, ...model }, rowShape) {
    if (rowShape.length !== 3) {
      throw new ConfigError(
        `model.kind unet is for pictures, rows [C, H, W], but the rows have the shape [${rowShape.join(', ')}]. ` +
          'Take model.kind mlp, or data of four dimensions.',
      )
    }
    const [channels, height, breadth] = rowShape
    const net: UnetSpec = { kind, channels, height, breadth, condition: 0, ...model }
    const problem = unetProblem(net)
    if (problem) throw new ConfigError(problem)
    return net
  },
  conditioned: { scaleShift: true },
  describe({ width, multipliers, depth, attention, headChannels, dropout, scaleShift, residualResampling }) {
    const words = [
      `unet of width ${width} · (${multipliers.join(', ')})`,
      `${depth} ${depth === 1 ? 'block' : 'blocks'} a level`,
      attention.length > 0 ? `attention at ${attention.join(' and ')}, ${headChannels} channels a head` : '',
      dropout > 0 ? `dropout ${dropout}` : '',
      scaleShift ? 'time by scale and shift' : '',
      residualResampling ? 'resampling in residual blocks' : '',
    ]
    return words.filter((word) => word !== '').join(', ')
  },
}

const unet1d: NetworkKind<Unet1dModel, Unet1dModel, UnetSpec> = {
  ...unetKind,
  resolve: (written) => written,
  specFor: sequenceSpec,
  describe: describeUnet1d,
}

const kinds = { mlp, unet, unet1d } as const

/** The keys of the section `model`. */
export const modelSchema = z.discriminatedUnion('kind', [mlpSchema, unetSchema, unet1dSchema])

const kindOf = (kind: string): NetworkKind<unknown, unknown, NetworkSpec> =>
  kinds[kind as keyof typeof kinds] as unknown as NetworkKind<unknown, unknown, NetworkSpec>

/** The section `model` as it was written, fully resolved. */
export const resolveModel = (written: z.output<typeof modelSchema>): Model =>
  kindOf(written.kind).resolve(written) as Model

/** The learning rate of a model where none is given. */
export const usualRateOf = (written: z.output<typeof modelSchema>, budget: Budget): { lr: number; warmup: boolean } =>
  kindOf(written.kind).usualRate(written, budget)

/** What holds for a kind of model or network at any size. */
export const traitsOf = ({ kind }: { readonly kind: string }): NetworkTraits => kindOf(kind).traits

/**
 * The network of a model for rows […dims].
 * @param condition columns of its condition. Default 0: none
 * @param secondTime whether it takes a second time, as one more column behind the condition's. Default false
 * @throws ConfigError where rows of this shape do not fit the model, named with the key
 */
export function networkFor(
  model: Model,
  rowShape: readonly number[],
  { secondTime = false, condition = 0 }: { secondTime?: boolean; condition?: number } = {},
): Network {
  const kind = kindOf(model.kind)
  const spec = kind.specFor(model, rowShape)
  // a second time enters as the first does in files and derivatives: at the first layer
  const told = condition > 0 && kind.conditioned
  const asked = secondTime
    ? { condition: condition + 1, secondTime, everyCondition: false, ...told }
    : { condition, ...told }
  return kind.forTraining({ ...spec, ...asked } as NetworkSpec)
}

/**
 * Parameters of `to` that are those of `from`, a network of the same layers. A second time that only `to` takes has weight 0;
 * one that only `from` takes is left out.
 */
export function inherited(from: Network, parameters: Float32Array, to: Network): Float32Array {
  const time = from.secondTime ?? to.secondTime
  if (!time || (from.secondTime && to.secondTime)) return parameters.slice()
  const shapes = new Map(to.toTensors(new Float32Array(to.parameterLength), '').map(({ name, shape }) => [name, shape]))
  const tensors = from.toTensors(parameters, '').map((named): NamedTensor => {
    if (named.name !== time.tensor) return named
    const shape = shapes.get(time.tensor)!
    const [rows, columns] = shape
    const own = named.shape[1]
    const values = new Float32Array(rows * columns)
    const behind = Math.min(own, columns) - time.first
    for (let row = 0; row < rows; row++) {
      const weights = named.values.subarray(row * own, (row + 1) * own)
      values.set(weights.subarray(0, time.first), row * columns)
      values.set(weights.subarray(own - behind), (row + 1) * columns - behind)
    }
    return { name: time.tensor, shape, values }
  })
  return to.fromTensors(new Map(tensors.map((named) => [named.name, named])), '')
}

const bySpec = new WeakMap<NetworkSpec, Network>()

/** The network that a composite's attribute describes. */
export function networkOf(spec: NetworkSpec): Network {
  const made = (): Network =>
    isGuided(spec)
      ? guidedNetwork(networkOf(spec.net), spec.weight)
      : isChoices(spec)
        ? choicesNetwork(networkOf(spec.net), spec)
        : kindOf(spec.kind).ofSpec(spec)
  const known = bySpec.get(spec) ?? made()
  bySpec.set(spec, known)
  return known
}

/** Throws ConfigError where rows of this shape, or batches like these, do not fit the model. */
export function checkTraining(model: Model, batches: MicroBatching, rowShape: readonly number[]): void {
  const kind = kindOf(model.kind)
  const problem = kind.batchProblem(kind.specFor(model, rowShape), batches)
  if (problem) throw new ConfigError(problem)
}

/** One line for people. */
export const describeModel = (model: Model): string => kindOf(model.kind).describe(model)

/** The number that sets a model's size: the width of its first hidden layer, or of a UNet. */
export const sizeOf = (model: Model): number => kindOf(model.kind).size(model)

/** The keys of the section `model` that make a model of another size: all its widths in the same proportions. */
export const resizedKeys = (model: Model, size: number): object => kindOf(model.kind).resized(model, size)
