/** What an adapter is and what is asked of it, whatever opens it. */

export interface AdapterInfo {
  /** as the driver names it */
  readonly name: string
  readonly vendor: string
  readonly architecture: string
  /** driver and its version */
  readonly driver: string
  /** whether it computes on a GPU or on the processor (llvmpipe, SwiftShader) */
  readonly type: 'hardware' | 'software'
  readonly features: readonly string[]
  readonly limits: Readonly<Record<LimitName, number>>
  /** lanes of a subgroup; 0 where the adapter has no subgroups */
  readonly subgroupMinSize: number
  readonly subgroupMaxSize: number
}

/** The limits that this device asks for, each as large as the adapter has it. */
export const limitNames = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const
export type LimitName = (typeof limitNames)[number]

export interface OpenAdapter {
  readonly adapter: GPUAdapter
  readonly info: AdapterInfo
}

const softwareNames = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|warp/i

export function describeAdapter(adapter: GPUAdapter, name: string): AdapterInfo {
  const { vendor, architecture, description, subgroupMinSize, subgroupMaxSize } = adapter.info
  const features = [...adapter.features].sort()
  const hasSubgroups = features.includes('subgroups')
  return {
    name,
    vendor,
    architecture,
    driver: description,
    type: softwareNames.test(`${name} ${architecture}`) || architecture === 'software' ? 'software' : 'hardware',
    features,
    limits: Object.fromEntries(limitNames.map((limit) => [limit, adapter.limits[limit]])) as AdapterInfo['limits'],
    subgroupMinSize: (hasSubgroups && subgroupMinSize) || 0,
    subgroupMaxSize: (hasSubgroups && subgroupMaxSize) || 0,
  }
}
