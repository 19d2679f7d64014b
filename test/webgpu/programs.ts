/** Small programs for tests of the device itself. */

import type { DeviceBuffer } from '../../src/device/device.js'
import { kernels } from '../../src/kernels/registry.js'
import { type Program, ProgramBuilder } from '../../src/program/program.js'

/** x ← x + 1 by way of a temporary, so that the result tells how often the program ran. */
export function counting(buffer: DeviceBuffer): Program {
  const builder = new ProgramBuilder()
  const x = builder.tensor(buffer)
  const y = builder.temporary([buffer.length])
  const ones = builder.constant(new Float32Array(buffer.length).fill(1), [1, buffer.length])
  builder.add(kernels.get('stage_combine')!, { y: x, stages: ones, out: y }, { coefficients: [1] })
  builder.add(kernels.get('activation')!, { x: y, y: x }, { activation: 'identity', beta: 1 })
  return builder.build()
}
