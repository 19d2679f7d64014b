/**
 * What a driver's compiler makes of the kernels that take the time, one line of JSON a pipeline on standard output: the work, the
 * variant, the shader and the compiler's statistics, which the layer of this folder writes (run.mjs starts this under it).
 * Nothing is computed: the driver has no card.
 *
 *     tsx scripts/registers/list.ts [FILTER...]     FILTER: a part of a work's name
 */

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { type Case, cases, type Work } from '../../bench/cases.js'
import { openOurs } from '../../bench/ours.js'
import { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { forgetful } from '../../src/device/webgpu/findings.js'
import { halfVariants } from '../../src/device/webgpu/half-variants.js'
import { openAdapter, readShader } from '../../src/device/webgpu/node/adapter.js'
import { unitsForms } from '../../src/device/webgpu/target.js'
import { kernels } from '../../src/kernels/registry.js'

const tiles = ['tile32', 'tile64', 'tile128', 'workgroup64', 'workgroup128']

/** A product with the factors and results in float16 that its contract leaves open. */
function halved(work: Work): Work {
  if (work.kind !== 'kernel') return work
  const { operands } = kernels.get(work.kernel)!
  return { ...work, half: Object.keys(work.operands).filter((name) => operands[name].dtype === 'float') }
}

/** What the device takes by itself. */
const SUGGESTED = 'suggested'

interface Run {
  readonly name: string
  readonly work: Work
  readonly kernel: string
  readonly variants: readonly string[]
}

const run = ({ name, rows, work }: Case, kernel: string, variants: readonly string[], half = false): Run => {
  const own = work(rows ?? 0)
  return { name: half ? `${name}, float16` : name, work: half ? halved(own) : own, kernel, variants }
}

const runs: readonly Run[] = cases.flatMap((one) => {
  const work = one.work(one.rows ?? 0)
  if (one.name.startsWith('products/rose/')) {
    const { kernel } = work as { kernel: string }
    return [run(one, kernel, tiles), run(one, kernel, Object.keys(halfVariants), true)]
  }
  if (['step/rose', 'mixed/rose', 'step/tiny', 'step/cifar10', 'mixed/cifar10'].includes(one.name))
    return [run(one, '', [SUGGESTED])]
  if (['rk4/rose', 'trace/rose'].includes(one.name)) return [run(one, 'integrate', ['fused'])]
  if (/^kernels\/conv2d\w*\/64x64x3x3$/.test(one.name)) {
    return [run(one, (work as { kernel: string }).kernel, tiles.slice(0, 3))]
  }
  if (/^kernels\/conv2d\w*\/64x64x3x3-half$/.test(one.name)) {
    return [run(one, (work as { kernel: string }).kernel, Object.keys(halfVariants))]
  }
  return /^kernels\/attention/.test(one.name) ? [run(one, (work as { kernel: string }).kernel, ['blocks', 'tile'])] : []
})

const statistics = process.env.LFM_REGISTERS!
const written = (): string[] => readFileSync(statistics, 'utf8').split('\n').filter(Boolean)
const filters = process.argv.slice(2)

for (const { name, work, kernel, variants } of runs) {
  if (filters.length > 0 && !filters.some((filter) => name.includes(filter))) continue
  for (const variant of variants) {
    const device = await WebgpuDevice.open(await openAdapter(undefined, true), readShader, {
      variants: variant === SUGGESTED ? {} : { [kernel]: variant },
      profile: false,
      findings: forgetful(),
      openSafe: null,
      onTuned: null,
      ...(halfVariants[variant]?.units ? { units: unitsForms[0] } : {}),
    })
    const { gpu } = device
    const make = gpu.createComputePipelineAsync.bind(gpu)
    let last: Promise<unknown> = Promise.resolve()
    // one after the other, so that the next line written is this one's
    gpu.createComputePipelineAsync = (descriptor) => {
      const made = last.then(async () => {
        const before = written().length
        const pipeline = await make(descriptor)
        const shader = descriptor.label!.match(/"shader":"(\w+)"/)![1]
        for (const line of written().slice(before)) {
          process.stdout.write(`${JSON.stringify({ work: name, variant, shader, ...JSON.parse(line) })}\n`)
        }
        return pipeline
      })
      last = made.catch(() => undefined)
      return made
    }
    try {
      ;(await openOurs(device, work)).dispose()
    } catch (error) {
      process.stderr.write(`${name}, ${variant}: ${(error as Error).message}\n`)
    }
  }
}
process.exit(0)
