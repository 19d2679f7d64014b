/**
 * The composites that this device has more than the expansion for, and the choice between their *variants*:
 *
 * - `fused`: one launch, in which a workgroup takes a tile of rows through all layers, and in rk4_step through all stages of
 *   all steps (shaders/include/mlp_tile.wgsl); for networks of which a tile fits into workgroup memory.
 * - `layered`, of rk4_step alone: kernel by kernel, but a stage's combination is part of its last layer's launch (layered.ts).
 * - `expanded`: the composite's own expansion, kernel by kernel.
 *
 * The choice looks at the adapter and at the network, never at the number of rows.
 */

import { DeviceError, invalid } from '../../errors.js'
import { inputWidth, type MlpAttributes } from '../../networks/mlp/spec.js'
import type { LoweredOperation } from '../../program/lower.js'
import { type Operation, type Program, ProgramBuilder, type Tensor } from '../../program/program.js'
import { layeredPlanners, layeredRk4, type MlpIntegration } from './layered.js'
import { mlpTile } from './mlp-tile.js'
import { flag, groupsFor, type Plan, type Planner, shapesOf } from './plans.js'
import type { Target } from './target.js'

/** The variants of each composite that has several. */
export const compositeVariants: Readonly<Record<string, readonly string[]>> = {
  mlp_forward: ['fused', 'expanded'],
  mlp_tangents: ['fused', 'expanded'],
  rk4_step: ['fused', 'layered', 'expanded'],
}

/** Whether an operation is one of these composites, with an MLP; other networks are expanded. */
export const hasVariants = ({ contract, attributes }: Operation): boolean =>
  contract.name in compositeVariants && (attributes.net as { kind: string }).kind === 'mlp'

/** Rows of a tile below which a GPU spends its time on streaming weights. */
const ENOUGH_ROWS = 16

/** T of a composite: tangents that each row carries. */
function tangentsOf({ contract, operands, attributes }: Operation | LoweredOperation): number {
  const { net } = attributes as unknown as MlpAttributes
  if (contract.name === 'mlp_forward' || (contract.name === 'rk4_step' && !operands.log_det)) return 0
  const points = (operands.x ?? operands.y)!.shape[0]
  return operands.probes ? operands.probes.shape[0] / points : net.dimension
}

/** The names of those that this adapter can run on this composite, the suggested one first. */
export function usableCompositeVariants(operation: Operation, target: Target): string[] {
  const { net } = operation.attributes as unknown as MlpAttributes
  const tile = mlpTile(net, tangentsOf(operation), target.workgroupBytes)
  const usable = compositeVariants[operation.contract.name].filter((name) => name !== 'fused' || tile)
  const fusedFirst = tile !== null && tile.rows >= ENOUGH_ROWS && !target.software
  return fusedFirst ? usable : [...usable.filter((name) => name !== 'fused'), ...(tile ? ['fused'] : [])]
}

/** What a measurement holds for: the composite and its network, never its rows. */
export const compositeClass = (operation: Operation): string =>
  JSON.stringify([operation.contract.name, operation.attributes.net, tangentsOf(operation)])

/** The variant of a composite; what was forced may be several names, as an executable reports them. */
export const chooseCompositeVariant = (operation: Operation, target: Target): string =>
  forcedComposite(operation, target) ??
  target.tunedComposite?.(operation) ??
  usableCompositeVariants(operation, target)[0]

/** What the caller or a manifest asks for; undefined where that is nothing, or not usable. */
export function forcedComposite(operation: Operation, target: Target): string | undefined {
  const { name } = operation.contract
  const forced = target.forced[name]?.split(' ') ?? []
  const unknown = forced.find((one) => !compositeVariants[name].includes(one))
  if (unknown !== undefined) {
    throw invalid(`The variant of ${name}`, `one of ${compositeVariants[name].join(', ')}`, unknown)
  }
  return usableCompositeVariants(operation, target).find((one) => forced.includes(one))
}

/** Chooses for the composites of one program, and remembers what was chosen. */
export class CompositeChoice {
  readonly chosen: Record<string, string> = {}

  constructor(private readonly target: Target) {}

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
    const operations = program.operations.flatMap((operation) => {
      if (operation.contract.name !== 'rk4_step' || !hasVariants(operation)) return [operation]
      if (this.variantOf(operation) !== 'layered') return [operation]
      const builder = new ProgramBuilder()
      const attributes = operation.attributes as unknown as MlpIntegration
      layeredRk4(builder, operation.operands as Record<string, Tensor>, attributes)
      return builder.operations
    })
    return { operations }
  }
}

/** What this device plans beside the kernels of the registry. */
export const compositePlanners: Readonly<Record<string, Planner>> = {
  mlp_forward: planFused,
  mlp_tangents: planFused,
  rk4_step: planFused,
  ...layeredPlanners,
}

/** The launch of a composite that is taken whole. */
function planFused(operation: LoweredOperation, target: Target): Plan {
  const { name } = operation.contract
  const { net, scale, ...interval } = operation.attributes as unknown as MlpAttributes & Partial<MlpIntegration>
  const tile = mlpTile(net, tangentsOf(operation), target.workgroupBytes)
  if (!tile) throw new DeviceError(`${name}: a tile of this network does not fit into ${target.workgroupBytes} bytes.`)
  const shapes = shapesOf(operation)
  const [batch] = shapes.x ?? shapes.y
  const { start = 0, end = 0, steps = 1 } = interval
  return {
    launches: [
      {
        shader: name,
        activation: net.activation,
        constants: {
          ...tile.constants,
          HAS_PROBES: flag(shapes.probes),
          ...(name === 'rk4_step' ? { HAS_LOG_DET: flag(shapes.log_det) } : {}),
        },
        uniforms: {
          hidden: net.hidden,
          frequencies: net.frequencies,
          layers: net.hidden.length,
          conditions: net.condition,
          inputs: inputWidth(net),
          every_time: flag(net.time === 'every'),
          batch,
          beta: net.beta,
          scale,
          ...(name === 'rk4_step' ? { start, steps, h: (end - start) / steps } : { times: shapes.t[0] }),
        },
        groups: groupsFor(batch, tile.points),
      },
    ],
  }
}
