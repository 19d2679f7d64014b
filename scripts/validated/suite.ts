/**
 * What runs under Vulkan's validation layer (run.mjs): every variant, every kernel, the MLP's integration and training steps at
 * small shapes with edges, without Dawn's own checks, so that nothing holds an access within its binding but our
 * arithmetic. Results are compared as well.
 *
 *     tsx scripts/validated/suite.ts short|long SECONDS [PART]     SECONDS: what is not begun by then is left out;
 *                                                                  PART: of the names of what runs
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

const [size, seconds, part = ''] = process.argv.slice(2)
const end = performance.now() + 1000 * Number(seconds)
let count = 0
for await (const { what, complaints, ms } of parityRuns(open, size === 'long' ? 'all' : 'few', part)) {
  count++
  process.stderr.write(`${ms.toFixed(0)} ms ${what}\n`)
  for (const complaint of complaints) {
    process.stdout.write(`wrong: ${what}: ${complaint}\n`)
    process.exitCode = 1
  }
  if (performance.now() > end) {
    process.stdout.write(`the time is up; the last was ${what}\n`)
    break
  }
}
process.stdout.write(`${count} programs ran\n`)
