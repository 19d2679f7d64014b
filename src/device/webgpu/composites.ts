/**
 * The composites that this device has more than the expansion for, and the choice between their *variants*:
 *
 * - `fused`: one launch, in which a workgroup takes a tile of rows through all layers, and in integrate through all stages of
 *   all steps (shaders/include/mlp_tile.wgsl); in mlp_backward through all layers and back, the weight gradients after it
 *   (mlp-deltas.ts). For networks of which a tile fits into workgroup memory.
 * - `layered`, of integrate alone: kernel by kernel, but a stage's combination is part of its last layer's launch (layered.ts).
 * - `expanded`: the composite's own expansion, kernel by kernel.
 *
 * The choice looks at the adapter and at the network, never at the number of rows.
 */

import { DeviceError, invalid } from '../../errors.js'
import { isTold, type MlpAttributes, type MlpSpec } from '../../networks/mlp/spec.js'
import type { LoweredOperation } from '../../program/lower.js'
import {
  type Composite,
  type Operation,
  type Program,
  ProgramBuilder,
  type ProgramTensor,
} from '../../program/program.js'
import { layeredIntegration, layeredPlanners, type MlpIntegration, takesLayers } from './layered.js'
import { backwardByDeltas, deltasPlanners, takesDeltas } from './mlp-deltas.js'
import { mlpTile, tileUniforms } from './mlp-tile.js'
import { flag, groupsFor, type LaunchPlan, type Planner, shapesOf } from './plans.js'
import type { AdapterTarget } from './target.js'

/** The variants of each composite that has several. */
export const compositeVariants: Readonly<Record<string, readonly string[]>> = {
  mlp_backward: ['fused', 'expanded'],
  mlp_forward: ['fused', 'expanded'],
  mlp_tangents: ['fused', 'expanded'],
  integrate: ['fused', 'layered', 'expanded'],
}

/** Whether an operation is one of these composites, with one MLP of plain layers; other networks are expanded. */
export const hasVariants = (operation: Operation): boolean => {
  const net = operation.attributes.net as { kind: string }
  const known = operation.contract.name in compositeVariants && net.kind === 'mlp' && !isTold(net as MlpSpec)
  return known && !isChain(operation)
}

/** An integration through several sub-flows: a launch binds the parameters of one. */
const isChain = ({ contract, attributes }: Operation): boolean =>
  contract.name === 'integrate' && (attributes as unknown as MlpIntegration).scales.length > 1

/** A program's operations, integrations sub-flow by sub-flow. */
export function ofOneSubFlow(operations: readonly Operation[]): Operation[] {
  return operations.flatMap((operation) => {
    if (!isChain(operation)) return [operation]
    const builder = new ProgramBuilder()
    ;(operation.contract as Composite).expand(
      builder,
      operation.operands as Record<string, ProgramTensor>,
      operation.attributes,
    )
    return ofOneSubFlow(builder.operations)
  })
}

/** Rows of a tile below which a GPU spends its time on streaming weights. */
const ENOUGH_ROWS = 16
/** Width of a network up to which a GPU waits for launches of a training step more than for weights (docs/notes/webgpu.md). */
const NARROW = 128

/** T of a composite: tangents that each row carries. */
function tangentsOf({ contract, operands, attributes }: Operation | LoweredOperation): number {
  const { net } = attributes as unknown as MlpAttributes
  if (['mlp_forward', 'mlp_backward'].includes(contract.name) || (contract.name === 'integrate' && !operands.log_det))
    return 0
  const points = (operands.x ?? operands.y)!.shape[0]
  return operands.probes ? operands.probes.shape[0] / points : net.dimension
}

/** The names of those that this adapter can run on this composite, the suggested one first. */
export function usableCompositeVariants(operation: Operation, target: AdapterTarget): string[] {
  const { net } = operation.attributes as unknown as MlpAttributes
  const tile = mlpTile(net, tangentsOf(operation), target.workgroupBytes)
  const { name } = operation.contract
  const layers = name === 'integrate' && takesLayers(operation)
  const fused = name === 'mlp_backward' ? takesDeltas(operation, target) : tile !== null
  const usable = compositeVariants[name].filter(
    (variant) => (variant !== 'fused' || fused) && (variant !== 'layered' || layers),
  )
  const narrow = name !== 'mlp_backward' || Math.max(...net.hidden) <= NARROW
  const fusedFirst = fused && tile!.rows >= ENOUGH_ROWS && narrow && !target.software
  return fusedFirst ? usable : [...usable.filter((variant) => variant !== 'fused'), ...(fused ? ['fused'] : [])]
}

/** What a measurement holds for: the composite and its network, never its rows. */
export const compositeClass = (operation: Operation): string =>
  JSON.stringify([operation.contract.name, operation.attributes.net, tangentsOf(operation)])

/** The variant of a composite; what was forced may be several names, as an executable reports them. */
export const chooseCompositeVariant = (operation: Operation, target: AdapterTarget): string =>
  forcedComposite(operation, target) ??
  tunedComposite(operation, target) ??
  usableCompositeVariants(operation, target)[0]

/** What was measured, where more rows than were measured do not make it impossible. */
function tunedComposite(operation: Operation, target: AdapterTarget): string | undefined {
  const tuned = target.tunedComposite?.(operation)
  return tuned !== undefined && usableCompositeVariants(operation, target).includes(tuned) ? tuned : undefined
}

/** What the caller or a manifest asks for; undefined where that is nothing, or not usable. */
export function forcedComposite(operation: Operation, target: AdapterTarget): string | undefined {
  const { name } = operation.contract
  const forced = target.forced[name]?.split(' ') ?? []
  const unknown = forced.find((one) => !compositeVariants[name].includes(one))
  if (unknown !== undefined) {
    throw invalid(`The variant of ${name}`, `one of ${compositeVariants[name].join(', ')}`, unknown)
  }
  return usableCompositeVariants(operation, target).find((one) => forced.includes(one))
}

/** Variants that are other operations in a composite's place, by its name and the variant's. */
const ownExpansions: Readonly<
  Record<string, (builder: ProgramBuilder, o: Record<string, ProgramTensor>, attributes: never) => void>
> = {
  'integrate layered': layeredIntegration,
  'mlp_backward fused': backwardByDeltas,
}

/** Chooses for the composites of one program, and remembers what was chosen. */
export class CompositeChoice {
  readonly chosen: Record<string, string> = {}

  constructor(private readonly target: AdapterTarget) {}

  private variantOf(operation: Operation): string {
    const { name } = operation.contract
    const variant = chooseCompositeVariant(operation, this.target)
    const before = this.chosen[name]?.split(' ') ?? []
    this.chosen[name] = compositeVariants[name].filter((one) => one === variant || before.includes(one)).join(' ')
    return variant
  }

  /** Whether a composite stays whole. */
  readonly takes = (operation: Operation): boolean => hasVariants(operation) && this.variantOf(operation) === 'fused'

  /** A program with this device's own expansions in place of the composites that take them. */
  layered(program: Program): Program {
    const operations = ofOneSubFlow(program.operations).flatMap((operation) => {
      const own = hasVariants(operation) && ownExpansions[`${operation.contract.name} ${this.variantOf(operation)}`]
      if (!own) return [operation]
      const builder = new ProgramBuilder()
      own(builder, operation.operands as Record<string, ProgramTensor>, operation.attributes as never)
      return builder.operations
    })
    return { operations }
  }
}

/** What this device plans beside the kernels of the registry. */
export const compositePlanners: Readonly<Record<string, Planner>> = {
  mlp_forward: planFused,
  mlp_tangents: planFused,
  integrate: planFused,
  ...layeredPlanners,
  ...deltasPlanners,
}

/** The launch of a composite that is taken whole. */
function planFused(operation: LoweredOperation, target: AdapterTarget): LaunchPlan {
  const { name } = operation.contract
  const attributes = operation.attributes as unknown as MlpAttributes & Partial<MlpIntegration>
  const { net, scale, scales } = attributes
  const tile = mlpTile(net, tangentsOf(operation), target.workgroupBytes)
  if (!tile) throw new DeviceError(`${name}: a tile of this network does not fit into ${target.workgroupBytes} bytes.`)
  const shapes = shapesOf(operation)
  const [batch] = shapes.x ?? shapes.y
  return {
    launches: [
      {
        shader: name,
        activation: net.activation,
        constants: {
          ...tile.constants,
          HAS_PROBES: flag(shapes.probes),
          ...(name === 'integrate' ? { HAS_LOG_DET: flag(shapes.log_det) } : {}),
        },
        uniforms: {
          ...tileUniforms(net),
          batch,
          scale: scales ? scales[0] : scale,
          ...(name === 'integrate'
            ? {
                evaluations: shapes.table[0],
                has_ahead: flag(shapes.ahead),
                leaves_ahead: flag(shapes.ahead_out),
              }
            : { times: shapes.t[0] }),
        },
        groups: groupsFor(batch, tile.points),
      },
    ],
  }
}
