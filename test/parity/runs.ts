/**
 * Parity without a test runner: kernels, variants, composites and training steps, one result after the other, for
 * programs that write each down at once (scripts/gpu-host/prove/parity.ts) or watch from outside (scripts/validated).
 */

import type { Device } from '../../src/device/device.js'
import { compositeVariants } from '../../src/device/webgpu/composites.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { halfVariants } from '../../src/device/webgpu/half-variants.js'
import { variants } from '../../src/device/webgpu/variants.js'
import type { Precision } from '../../src/learn/fit.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { stepOf } from '../webgpu/training-step.js'
import { cases } from './cases.js'
import { compositeCases, compositeReference, runComposite } from './composites.js'
import { type Case, compare, runCase } from './harness.js'
import { edgeCases, halfKernels, halved, productKernels } from './variant-cases.js'

export interface ParityResult {
  readonly what: string
  /** the largest error as a share of what is allowed */
  readonly worst: number
  readonly ms: number
  /** empty: right */
  readonly complaints: readonly string[]
}

type Open = (variants: Readonly<Record<string, string>>) => Promise<Device>

interface Compared {
  readonly operand: string
  readonly error: number
  readonly allowed: number
  readonly detail: string
}

async function timed(what: string, work: () => Promise<readonly Compared[]>): Promise<ParityResult> {
  const began = performance.now()
  const result = (worst: number, complaints: readonly string[]): ParityResult => ({
    what,
    worst,
    ms: performance.now() - began,
    complaints,
  })
  try {
    const all = await work()
    const wrong = all.filter(({ error, allowed }) => !(error <= allowed))
    const shares = all.map(({ error, allowed }) => (error === 0 ? 0 : error / allowed))
    return result(
      Math.max(0, ...shares),
      wrong.map(
        ({ operand, error, allowed, detail }) => `${operand} is off by ${error} (allowed ${allowed}), ${detail}`,
      ),
    )
  } catch (error) {
    return result(Number.POSITIVE_INFINITY, [(error as Error).message])
  }
}

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 3,
  condition: 0,
  hidden: [20, 33],
  activation: 'softplus',
  beta: 5,
  time: 'every',
  frequencies: [],
}

/** Three steps of training on odd sizes: losses that are numbers, and a state that counted them. */
async function trained(device: Device, precision: Precision): Promise<readonly Compared[]> {
  const step = stepOf(net, 203, (length, dtype) => device.createBuffer(length, dtype), precision)
  const { program, buffers, values } = step
  for (const [key, start] of Object.entries(values)) buffers[key as keyof typeof buffers].write(start)
  const executable = await device.compile(program)
  await executable.run(3)
  const losses = [...(await buffers.ring.read(0, 3))]
  executable.dispose()
  for (const buffer of Object.values(buffers)) buffer.dispose()
  const good = losses.every((loss) => loss > 0 && Number.isFinite(loss))
  return [{ operand: 'losses', error: good ? 0 : 1, allowed: 0, detail: losses.join(', ') }]
}

/**
 * `few`: the last case of each kernel and one of each variant and product; `all`: everything but the slowest that is the same again; of these, those
 * with `part` in their names.
 */
export async function* parityRuns(open: Open, much: 'few' | 'all', part = ''): AsyncGenerator<ParityResult> {
  const all = much === 'all'
  async function* only(what: string, work: () => Promise<readonly Compared[]>): AsyncGenerator<ParityResult> {
    if (what.includes(part)) yield await timed(what, work)
  }
  const first = (await open({})) as WebgpuDevice
  const hasHalf = first.dtypes.has('f16')
  const named = Object.keys(halfVariants).filter((one) => hasHalf && (!halfVariants[one].units || first.units !== null))
  const label = (one: Case, variant: string): string => `${one.kernel}, ${one.label}, as ${variant}`

  for (const kernel of new Set(cases.map((one) => one.kernel))) {
    const needsHalf = ({ operands }: Case): boolean => Object.values(operands).some(({ half }) => half)
    const own = cases.filter((one) => one.kernel === kernel && (hasHalf || !needsHalf(one)))
    // labels are made of sizes: the last cases have the most unusual ones
    for (const one of all ? own : own.slice(-1)) yield* only(`${one.kernel}, ${one.label}`, () => runCase(first, one))
  }
  for (const variant of [...Object.keys(variants), ...named]) {
    const isHalf = variant in halfVariants
    const kernels: readonly string[] = isHalf ? halfKernels : productKernels
    const device = await open(Object.fromEntries(kernels.map((kernel) => [kernel, variant])))
    for (const one of edgeCases(variant, all)) {
      yield* only(label(one, variant), () => runCase(device, isHalf ? halved(one) : one))
    }
    await device.dispose()
  }
  for (const variant of new Set(Object.values(compositeVariants).flat())) {
    const having = Object.keys(compositeVariants).filter((name) => compositeVariants[name].includes(variant))
    const device = await open(Object.fromEntries(having.map((name) => [name, variant])))
    for (const name of having) {
      const own = compositeCases.filter(({ composite }) => composite === name)
      for (const one of all ? own : own.slice(0, 1)) {
        yield* only(`${name}, ${one.label}, as ${variant}`, async () => {
          const want = await compositeReference(one)
          const { results } = await runComposite(device, one)
          return Object.entries(results).map(([result, values]) => compare(result, values, want[result], one.tolerance))
        })
      }
    }
    await device.dispose()
  }
  for (const precision of ['float32', 'mixed'] as const) {
    if (precision === 'float32' || hasHalf) {
      yield* only(`three training steps, ${precision}`, () => trained(first, precision))
    }
  }
  await first.dispose()
}
