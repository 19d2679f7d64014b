/** Dawn's two sets of toggles: names that Dawn knows, the proof that stands before the fast one, and the file of findings. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { type Findings, forgetful } from '../../src/device/webgpu/findings.js'
import { openAdapter, readShader } from '../../src/device/webgpu/node/adapter.js'
import { fileFindings } from '../../src/device/webgpu/node/cache-file.js'
import type { ReadShader } from '../../src/device/webgpu/shaders.js'
import { toggleOptions, toggleSets } from '../../src/device/webgpu/toggles.js'
import { DeviceError } from '../../src/errors.js'
import { adapterOrSkip } from './adapter.js'
import { counting } from './programs.js'

const name = await adapterOrSkip()

describe('toggles', () => {
  test.each(Object.entries(toggleSets))('Dawn knows every name of the %s set', (_, { enabled, disabled }) => {
    const folder = join(dirname(createRequire(import.meta.url).resolve('webgpu')), 'dist')
    const platform = readdirSync(folder).find((one) => one === `${process.platform}-${process.arch}`)
    if (!platform) return
    const dawn = readFileSync(join(folder, platform, 'dawn.node'))
    // C strings: the whole name between two zero bytes
    for (const toggle of [...enabled, ...disabled]) expect(dawn.includes(`\0${toggle}\0`), toggle).toBe(true)
    expect(dawn.includes('\0disable_robustnes\0')).toBe(false)
  })

  test('are given as Dawn reads them, and memory starts as zeros in both sets', () => {
    expect(toggleOptions({ enabled: ['a', 'b'], disabled: ['c'] })).toEqual([
      'enable-dawn-features=a,b',
      'disable-dawn-features=c',
    ])
    for (const { disabled } of Object.values(toggleSets)) {
      expect(disabled).not.toContain('lazy_clear_resource_on_first_use')
    }
  })
})

describe.skipIf(!name)(`webgpu: the fast set of toggles on ${name}`, { timeout: 600_000 }, () => {
  const open = async (fast: boolean, findings: Findings, openSafe: (() => Promise<Device>) | null, read = readShader) =>
    WebgpuDevice.open(await openAdapter(name, fast), read, {
      variants: {},
      profile: false,
      findings,
      openSafe,
      onTuned: null,
    })

  /** Opens a device in the fast set, whose proofs see the shaders that `read` gives. */
  const openFast = async (findings: Findings, read?: ReadShader) => {
    const openSafe = vi.fn(() => open(false, findings, null, read))
    return { device: await open(true, findings, openSafe), openSafe }
  }

  test('a program is proved once, by its first replay, and counts that replay', async () => {
    const findings = forgetful()
    const proved = vi.spyOn(findings, 'set')
    const { device, openSafe } = await openFast(findings)
    expect(device.info.details.toggles).toBe('fast')
    const buffer = device.createBuffer(64)
    buffer.write(new Float32Array(64).fill(5))
    const first = await device.compile(counting(buffer))
    await first.run(0)
    expect(openSafe).not.toHaveBeenCalled()
    await first.run(3)
    await first.run(4)
    expect((await buffer.read())[63]).toBe(12)
    const again = await device.compile(counting(buffer))
    await again.run(2)
    expect((await buffer.read())[0]).toBe(14)
    expect(proved).toHaveBeenCalledTimes(1)

    // other shapes are another program
    const larger = device.createBuffer(128)
    const other = await device.compile(counting(larger))
    await other.run()
    expect(proved).toHaveBeenCalledTimes(2)
    expect(openSafe).toHaveBeenCalledTimes(1)
    for (const made of [first, again, other, buffer, larger]) made.dispose()
    expect(device.memory().buffers).toBe(0)
    await device.dispose()
  })

  test('a program that comes out otherwise with the checks is refused, and not remembered', async () => {
    const findings = forgetful()
    // as a shader would that reads what an access out of bounds gives
    const changed: ReadShader = async (path) => (await readShader(path)).replace('y[i] =', 'y[i] = 0.5 +')
    const { device } = await openFast(findings, changed)
    expect(await changed('activation.wgsl')).not.toBe(await readShader('activation.wgsl'))
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    const running = executable.run()
    await expect(running).rejects.toThrow(DeviceError)
    await expect(executable.run()).rejects.toThrow(/operand y of activation comes out otherwise.*without --fast/)
    await device.dispose()
  })

  test('memory that is used again starts as zeros', async () => {
    const { device } = await openFast(forgetful())
    for (let round = 0; round < 3; round++) {
      const buffer = device.createBuffer(250_000)
      expect((await buffer.read()).every((value) => value === 0)).toBe(true)
      buffer.write(new Float32Array(250_000).fill(7))
      await buffer.read()
      buffer.dispose()
    }
    await device.dispose()
  })
})

describe('the file of findings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lfm-cache-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const adapter = { name: 'a GPU', driver: 'of today' }
  const open = (warn = vi.fn(), one = adapter) => fileFindings(one, warn, join(folder, 'made when needed'))

  test('keeps what several processes find out, by adapter and driver', () => {
    const [one, other] = [open(), open()]
    one.set('passed', { a: 'x' })
    other.set('passed', { b: 'y' })
    other.set('tuned', { a: 'narrow' })
    const later = open()
    expect([later.get('passed', 'a'), later.get('passed', 'b'), later.get('tuned', 'a')]).toEqual(['x', 'y', 'narrow'])
    expect(open(vi.fn(), { ...adapter, driver: 'of tomorrow' }).get('passed', 'a')).toBeUndefined()
    // no other names are left behind
    expect(readdirSync(join(folder, 'made when needed'))).toHaveLength(1)
  })

  test('is ignored with one line where it is damaged, and written anew', () => {
    open().set('passed', { a: 'x' })
    const [file] = readdirSync(join(folder, 'made when needed'))
    for (const text of ['{"format":1', '[]', '{"format":1,"adapter":"a","driver":"b","passed":{"a":1},"tuned":{}}']) {
      writeFileSync(join(folder, 'made when needed', file), text)
      const warn = vi.fn()
      const findings = open(warn)
      expect(findings.get('passed', 'a')).toBeUndefined()
      findings.set('passed', { b: 'y' })
      expect(warn).toHaveBeenCalledTimes(1)
      expect(warn.mock.calls[0][0]).toMatch(/webgpu-[0-9a-f]+\.json is damaged/)
      expect(open().get('passed', 'b')).toBe('y')
    }
  })

  test('that cannot be written costs one line', () => {
    writeFileSync(join(folder, 'a file'), '')
    const warn = vi.fn()
    const findings = fileFindings(adapter, warn, join(folder, 'a file'))
    findings.set('passed', { a: 'x' })
    findings.set('passed', { b: 'x' })
    expect(findings.get('passed', 'a')).toBe('x')
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0][0]).toMatch(/cannot be written/)
  })
})
