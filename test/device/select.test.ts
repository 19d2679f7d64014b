/** What 'auto' takes, and that a device asked for by name is never replaced by another. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openDevice } from '../../src/device/node/select.js'
import { DeviceError, InvalidArgumentError } from '../../src/errors.js'

const run = promisify(execFile)

/** Runs a module of TypeScript in a process of its own. */
async function script(source: string, env: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }> {
  const select = new URL('../../src/device/node/select.ts', import.meta.url).href
  const text = `import { openDevice } from ${JSON.stringify(select)}\n${source}`
  return run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', text], {
    env: { ...process.env, ...env },
    cwd: new URL('../..', import.meta.url),
  })
}

test('an unknown device is named with the known ones', async () => {
  await expect(openDevice('gpu' as 'native')).rejects.toThrow(InvalidArgumentError)
  await expect(openDevice('gpu' as 'native')).rejects.toThrow(/auto, webgpu, native, reference, but is 'gpu'/)
})

test('a place where there is no adapter is an error, and changes nothing', async () => {
  const { DRI_PRIME } = process.env
  await expect(openDevice('webgpu', { adapter: 'pci-ffff_ff_1f_7' })).rejects.toThrow(
    'There is no PCI device at pci-ffff_ff_1f_7 here',
  )
  expect(process.env.DRI_PRIME).toBe(DRI_PRIME)
})

test('without an addon native is an error, and auto takes the reference with one warning that says why', async () => {
  const { stdout, stderr } = await script(
    `try { await openDevice('native') } catch (error) { console.log(error.name) }
     const device = await openDevice('auto')
     console.log(device.kind)
     await device.dispose()`,
    { LFM_ADDON: '/nowhere/lfm.node', VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' },
  )
  expect(stdout.trim().split('\n')).toEqual([DeviceError.name, 'reference'])
  expect(stderr.match(/local-flow-matching:/g)).toHaveLength(1)
  expect(stderr).toMatch(/\/nowhere\/lfm\.node/)
})

test('auto never takes a software adapter where the native engine is there', async () => {
  const device = await openDevice('auto', { onWarning: () => undefined })
  expect(device.info.type).not.toBe('software')
  await device.dispose()
})

test('webgpu without a Vulkan driver is an error that names Vulkan', async () => {
  const { stdout } = await script(
    `try { await openDevice('webgpu') } catch (error) { console.log(error.name + ': ' + error.message) }`,
    { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' },
  )
  expect(stdout).toMatch(/^DeviceError: .*Vulkan/)
})
