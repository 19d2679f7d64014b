/**
 * Matrix units: whether an adapter has some that multiply 16 × 16 float16 factors into float32 sums, and in which form its
 * Dawn wants the loads of fragments written (several are in use). Asked by making a pipeline of a product in each.
 */

import { halfVariants } from './half-variants.js'
import { loadShader, type ReadShader } from './shaders.js'
import { type UnitsProduct, unitsForms } from './target.js'

const FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName

/** One entry of what an adapter reports (Dawn's `subgroupMatrixConfigs`). */
interface MatrixConfig {
  readonly componentType: string
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

/** Whether the lanes of a subgroup and one of the configurations are those that fragments_units.wgsl is written for. */
export function hasUnits(info: GPUAdapterInfo): boolean {
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: readonly MatrixConfig[] }
  const lanes = info.subgroupMinSize === 32 && info.subgroupMaxSize === 32
  const fits = ({ componentType, resultComponentType, M, N, K }: MatrixConfig): boolean =>
    componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16
  return lanes && [...subgroupMatrixConfigs].some(fits)
}

/** The first form that this device makes a pipeline of; null where there are no units, or none of the forms is understood. */
export async function findUnits(
  gpu: GPUDevice,
  adapter: GPUAdapter,
  readShader: ReadShader,
): Promise<UnitsProduct | null> {
  if (!gpu.features.has(FEATURE) || !gpu.features.has('shader-f16') || !hasUnits(adapter.info)) return null
  for (const form of unitsForms) {
    if (await isAccepted(gpu, readShader, form)) return form
  }
  return null
}

/** Whether the compiler of WGSL takes a form, and the driver what that makes of it. */
async function isAccepted(gpu: GPUDevice, readShader: ReadShader, form: UnitsProduct): Promise<boolean> {
  const { code } = await loadShader(readShader, 'linear_forward_half', { product: form })
  gpu.pushErrorScope('validation')
  const module = gpu.createShaderModule({ label: form, code })
  if (await gpu.popErrorScope()) return false
  const constants = form === 'units_old' ? {} : halfVariants.units64.constants
  try {
    await gpu.createComputePipelineAsync({
      label: form,
      layout: 'auto',
      compute: { module, entryPoint: 'main', constants },
    })
    return true
  } catch {
    return false
  }
}
