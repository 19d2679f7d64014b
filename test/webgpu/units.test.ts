/**
 * The matrix units' kernels on a machine that has no matrix units. Their indices are tested by the plain twin (half.test.ts in
 * test/parity); here Dawn's compiler reads their text, in both forms, on its backend without a GPU, which knows the
 * extension. What a real unit computes is not tested here.
 */

import { describe, expect, test } from 'vitest'
import { create } from 'webgpu'
import { halfVariants, usableHalfVariants } from '../../src/device/webgpu/half-variants.js'
import { readShader } from '../../src/device/webgpu/node/adapter.js'
import { loadShader } from '../../src/device/webgpu/shaders.js'
import { findUnits, hasUnits } from '../../src/device/webgpu/units.js'

const kernels = ['linear_forward', 'linear_loss', 'linear_backward_input', 'linear_backward_weight']
const features = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[]

// kept as long as the process lives: an instance that is collected before its devices ends the process
const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])

async function open(): Promise<{ adapter: GPUAdapter; gpu: GPUDevice }> {
  const adapter = (await instance.requestAdapter())!
  return { adapter, gpu: await adapter.requestDevice({ requiredFeatures: features }) }
}

async function errorsOf(gpu: GPUDevice, kernel: string, form: string, change = (code: string) => code) {
  const { code } = await loadShader(readShader, `${kernel}_half`, { product: form })
  gpu.pushErrorScope('validation')
  const shader = gpu.createShaderModule({ code: change(code) })
  const { messages } = await shader.getCompilationInfo()
  const error = await gpu.popErrorScope()
  return [...messages]
    .filter(({ type }) => type === 'error')
    .map(({ message }) => message)
    .concat(error?.message ?? [])
}

describe('the text of the matrix units', async () => {
  const { adapter, gpu } = await open()

  test.each(kernels.flatMap((kernel) => ['units_wide', 'units', 'units_old'].map((form) => ({ kernel, form }))))(
    '$kernel as $form is accepted',
    async ({ kernel, form }) => {
      expect(await errorsOf(gpu, kernel, form)).toEqual([])
    },
  )

  // units128 is more than this backend's 16 KiB of workgroup memory
  test.each(kernels)('%s as units64 becomes a pipeline', async (kernel) => {
    const { constants } = halfVariants.units64
    for (const form of ['units_wide', 'units']) {
      const { code } = await loadShader(readShader, `${kernel}_half`, { product: form })
      const compute = { module: gpu.createShaderModule({ code }), entryPoint: 'main', constants }
      await gpu.createComputePipelineAsync({ layout: 'auto', compute })
    }
    const { code } = await loadShader(readShader, `${kernel}_half`, { product: 'units_wide' })
    const compute = { module: gpu.createShaderModule({ code }), entryPoint: 'main', constants: { TEAM_ROWS: 64 } }
    await expect(gpu.createComputePipelineAsync({ layout: 'auto', compute })).rejects.toThrow(/workgroup/i)
  })

  test.each(['conv2d', 'conv2d_backward_input', 'conv2d_backward_weight'])('%s becomes a pipeline', async (kernel) => {
    const loads = kernel === 'conv2d_backward_weight' ? 'taps' : 'patches'
    for (const { constants, team } of [halfVariants.units64, halfVariants.units64_ahead]) {
      const includes = { product: 'units_wide', elements: 'wide', stored: 'f16', loads, team } as const
      const { code } = await loadShader(readShader, kernel, includes)
      expect(code).toContain('subgroupMatrixLoad')
      const compute = { module: gpu.createShaderModule({ code }), entryPoint: 'main', constants }
      await gpu.createComputePipelineAsync({ layout: 'auto', compute })
    }
  })

  test('what measures their peak becomes a pipeline', async () => {
    const { code } = await loadShader(readShader, 'peak_units')
    const compute = { module: gpu.createShaderModule({ code }), entryPoint: 'main' }
    await gpu.createComputePipelineAsync({ layout: 'auto', compute })
  })

  test('the compiler would say what is wrong with it', async () => {
    const broken = (code: string) => code.replace('subgroupMatrixMultiplyAccumulate(', 'subgroupMatrixMultiplyAndAdd(')
    expect((await errorsOf(gpu, 'linear_forward', 'units', broken)).join()).toContain('subgroupMatrixMultiplyAndAdd')
    const wrongSide = (code: string) => code.replace('array<Left, ROWS>', 'array<Right, ROWS>')
    expect(await errorsOf(gpu, 'linear_forward', 'units', wrongSide)).not.toEqual([])
  })

  const config = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }
  const info = (change: object) =>
    ({
      subgroupMinSize: 32,
      subgroupMaxSize: 32,
      subgroupMatrixConfigs: [config],
      ...change,
    }) as unknown as GPUAdapterInfo

  test('an adapter has units for these kernels where it reports their configuration and subgroups of 32', () => {
    expect(hasUnits(info({}))).toBe(true)
    expect(hasUnits(info({ subgroupMatrixConfigs: undefined }))).toBe(false)
    expect(hasUnits(info({ subgroupMatrixConfigs: [{ ...config, K: 8 }] }))).toBe(false)
    expect(hasUnits(info({ subgroupMatrixConfigs: [{ ...config, resultComponentType: 'f16' }] }))).toBe(false)
    expect(hasUnits(info({ subgroupMinSize: 8 }))).toBe(false)
  })

  test('the newer form is taken where both compile, none where there are no units', async () => {
    expect(await findUnits(gpu, { info: info({}) } as GPUAdapter, readShader)).toBe('units_wide')
    expect(await findUnits(gpu, adapter, readShader)).toBe(null)
    const older = (path: string): Promise<string> =>
      path.endsWith('unit_access.wgsl') ? Promise.resolve('fn nothing() {') : readShader(path)
    expect(await findUnits(gpu, { info: info({}) } as GPUAdapter, older)).toBe('units_old')
  })

  test('a form that is read, but becomes no pipeline, is not taken', async () => {
    // more invocations than any workgroup may have
    const large = async (path: string): Promise<string> =>
      (await readShader(path)).replace('const LANES = 32u', 'const LANES = 4096u')
    const { code } = await loadShader(large, 'linear_forward_half', { product: 'units' })
    gpu.pushErrorScope('validation')
    gpu.createShaderModule({ code })
    expect(await gpu.popErrorScope()).toBeNull()
    expect(await findUnits(gpu, { info: info({}) } as GPUAdapter, large)).toBeNull()
  })

  test('where slices are loaded ahead, every invocation loads as much, and no more than there is room for', () => {
    const ahead = Object.values(halfVariants).filter(({ constants }) => constants.AHEAD === 1)
    expect(ahead).toHaveLength(3)
    for (const { tile, threads, constants } of ahead) {
      for (const width of [1, 4]) {
        const loads = tile.map((side) => (side * Number(constants.DEPTH)) / width / threads)
        for (const each of loads) expect(Number.isInteger(each) && each <= 16, `${tile}, ${width}: ${loads}`).toBe(true)
      }
    }
  })

  test('a tile needs as many invocations as a workgroup may have', () => {
    const target = { software: false, lanes: 32, workgroupBytes: 49152, f16: true, forced: {} }
    expect(usableHalfVariants({}, { ...target, units: 'units_wide', threads: 1024 })).toContain('units128')
    expect(usableHalfVariants({}, { ...target, units: 'units_wide', threads: 256 })).toEqual([
      'units64',
      'half32',
      'half64',
      'half128_ahead',
      'units64_ahead',
      'units128_ahead',
    ])
    expect(usableHalfVariants({}, { ...target, units: null })).toEqual(['half64', 'half32', 'half128_ahead'])
    const patches = { patches: { dense: true } }
    expect(usableHalfVariants(patches, { ...target, units: 'units_wide' })[0]).toBe('units64_ahead')
    // fragments are loaded four numbers at a time
    expect(usableHalfVariants(patches, { ...target, units: 'units' })).toEqual(['half64', 'half32', 'half128_ahead'])
  })
})
