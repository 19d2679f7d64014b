/**
 * What runs under Vulkan's validation layer (run.mjs): every variant, every kernel, the MLP's integration and training steps at
 * small shapes with edges, without Dawn's own checks, so that nothing holds an access within its binding but our
 * arithmetic. Results are compared as well.
 *
 *     tsx scripts/validated/suite.ts short|long
 */

import { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { forgetful } from '../../src/device/webgpu/findings.js'
import { openAdapter, readShader } from '../../src/device/webgpu/node/adapter.js'
import { parityRuns } from '../../test/parity/runs.js'

const open = async (variants: Readonly<Record<string, string>>): Promise<WebgpuDevice> =>
  WebgpuDevice.open(await openAdapter(undefined, true), readShader, {
    variants,
    profile: false,
    findings: forgetful(),
    openSafe: null,
    onTuned: null,
  })

let count = 0
for await (const { what, complaints, ms } of parityRuns(open, process.argv[2] === 'long' ? 'all' : 'few')) {
  count++
  if (process.env.LFM_VERBOSE) process.stdout.write(`${ms.toFixed(0)} ms ${what}\n`)
  for (const complaint of complaints) {
    process.stdout.write(`wrong: ${what}: ${complaint}\n`)
    process.exitCode = 1
  }
}
process.stdout.write(`${count} programs ran\n`)
