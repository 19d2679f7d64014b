/**
 * The rose network learns the same on the WebGPU device, in float32 and in mixed precision, as on the native engine: FILE, and a
 * size. The first losses have to be the same to rounding, since all devices draw the same batches; later ones drift apart
 * as rounding does, and are compared by their mean.
 */

import { writeFileSync } from 'node:fs'
import type { Device } from '../../../src/device/device.js'
import { openDevice } from '../../../src/device/node/select.js'
import type { Precision } from '../../../src/learn/fit.js'
import type { MlpSpec } from '../../../src/networks/mlp/spec.js'
import { stepOf } from '../../../test/webgpu/training-step.js'

const [file, size] = process.argv.slice(2)
const small = size === 'small'
const [STEPS, B, H] = small ? [40, 128, 16] : [400, 1000, 256]
const FIRST = 5
const LAST = STEPS / 4
const allowed = { float32: { first: 1e-4, last: 0.03 }, mixed: { first: 1e-2, last: 0.05 } } as const

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [H, H, H],
  activation: 'softplus',
  beta: 20,
  time: 'first',
  frequencies: [],
}

async function losses(device: Device, precision: Precision): Promise<number[]> {
  const make = (length: number, dtype?: 'f32' | 'u32' | 'f16') => device.createBuffer(length, dtype)
  const { program, buffers, values } = stepOf(net, B, make, precision, STEPS)
  for (const [key, start] of Object.entries(values)) buffers[key as keyof typeof buffers].write(start)
  const executable = await device.compile(program)
  await executable.run(STEPS)
  const ring = [...(await buffers.ring.read())]
  executable.dispose()
  for (const buffer of Object.values(buffers)) buffer.dispose()
  return ring
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length

const native = await openDevice('native')
const webgpu = await openDevice('webgpu', { fast: !small, onWarning: (line) => process.stdout.write(`${line}\n`) })
const expected = await losses(native, 'float32')
const found: Record<string, object> = { native: { losses: expected } }
const lines: string[] = []
for (const precision of ['float32', 'mixed'] as const) {
  if (precision === 'mixed' && !webgpu.dtypes.has('f16')) continue
  const own = await losses(webgpu, precision)
  const first = Math.max(...expected.slice(0, FIRST).map((loss, i) => Math.abs(own[i] / loss - 1)))
  const last = Math.abs(mean(own.slice(-LAST)) / mean(expected.slice(-LAST)) - 1)
  const right = first <= allowed[precision].first && last <= allowed[precision].last
  found[precision] = { first, last, right, losses: own }
  lines.push(
    `${precision}: first losses off by ${first.toExponential(1)}, the last ${LAST} by ${(100 * last).toFixed(2)} %`,
  )
  if (!right) process.exitCode = 1
  writeFileSync(file, `${JSON.stringify(found)}\n`)
}
process.stdout.write(`${lines.join('; ')}\n`)
await webgpu.dispose()
await native.dispose()
