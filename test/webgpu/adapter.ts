/** Whether this machine can run the WebGPU suites, asked once by each of them. */

import { listAdapters } from '../../src/device/webgpu/node/index.js'

/**
 * The first adapter's name, or undefined where there is none: the suites are then skipped with a line that nobody
 * overlooks, or fail where LFM_REQUIRE_WEBGPU=1 says that they must run.
 */
export async function adapterOrSkip(): Promise<string | undefined> {
  let reason = 'Dawn found no adapter'
  try {
    const [adapter] = await listAdapters()
    if (adapter) return adapter.name
  } catch (error) {
    reason = (error as Error).message
  }
  if (process.env.LFM_REQUIRE_WEBGPU === '1') throw new Error(`LFM_REQUIRE_WEBGPU=1, but ${reason}`)
  console.warn(`\n*** WEBGPU SUITES SKIPPED: ${reason}; see scripts/software-vulkan.sh ***\n`)
  return undefined
}

/** The first adapter's name where it has a feature of WebGPU; else undefined, with a line that says what is skipped for it. */
export async function adapterWith(feature: string): Promise<string | undefined> {
  const name = await adapterOrSkip()
  if (name === undefined) return undefined
  const [{ features }] = await listAdapters()
  if (features.includes(feature)) return name
  console.warn(`\n*** SUITES SKIPPED: ${name} has no ${feature} ***\n`)
  return undefined
}
