/**
 * Shader modules, bind group layouts and pipelines of one device; each is made once, by the first launch that needs it.
 * Pipelines are made asynchronously, so that those of a program are compiled at the same time, on Dawn's own threads.
 */

import { DeviceError } from '../../errors.js'
import { hashOf } from './findings.js'
import type { Line } from './line.js'
import type { WebgpuMemory } from './memory.js'
import type { Launch } from './plans.js'
import { loadShader, type ReadShader, type Shader } from './shaders.js'

const STAGE_COMPUTE = 0x4

/** What a launch needs of its kernel. */
export interface Prepared {
  readonly shader: Shader
  readonly layout: GPUBindGroupLayout
  readonly pipeline: GPUComputePipeline
  /** the shader's text, as a hash, and its constants */
  readonly identity: string
}

export interface ShaderText {
  readonly shader: Shader
  readonly hash: string
}

/** What a launch's text depends on, as one string. */
const shaderKeyOf = ({ constants: _, uniforms: __, groups: ___, ...text }: Launch): string => JSON.stringify(text)

export class Pipelines {
  private readonly texts = new Map<string, Promise<ShaderText>>()
  private readonly modules = new Map<string, Promise<GPUShaderModule>>()
  private readonly layouts = new Map<string, GPUBindGroupLayout>()
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>()

  constructor(
    private readonly gpu: GPUDevice,
    private readonly line: Line,
    private readonly memory: WebgpuMemory,
    private readonly readShader: ReadShader,
  ) {}

  /** The text of a launch's shader. */
  text(launch: Launch): Promise<ShaderText> {
    return once(this.texts, shaderKeyOf(launch), async () => {
      const shader = await loadShader(this.readShader, launch.shader, launch)
      return { shader, hash: await hashOf(shader.code) }
    })
  }

  async prepare(launch: Launch): Promise<Prepared> {
    const shaderKey = shaderKeyOf(launch)
    const { shader, hash } = await this.text(launch)
    const module = await once(this.modules, shaderKey, async () => {
      this.gpu.pushErrorScope('validation')
      const module = this.gpu.createShaderModule({ code: shader.code, label: shaderKey })
      const error = await this.gpu.popErrorScope()
      if (error) throw new DeviceError(`${launch.shader}.wgsl does not compile: ${error.message}`)
      return module
    })
    this.memory.withinLimit(
      'maxStorageBuffersPerShaderStage',
      shader.bindings.length,
      `${launch.shader}: its number of operands`,
    )
    const layout = this.layout(shader)
    const constants = JSON.stringify(launch.constants)
    const pipelineKey = `${shaderKey} ${constants}`
    const pipeline = await once(this.pipelines, pipelineKey, async () => {
      try {
        return await this.gpu.createComputePipelineAsync({
          label: pipelineKey,
          layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main', constants: launch.constants },
        })
      } catch (error) {
        throw this.line.blame(
          () => new DeviceError(`${launch.shader}.wgsl makes no pipeline: ${(error as Error).message}`),
        )
      }
    })
    return { shader, layout, pipeline, identity: `${hash} ${constants}` }
  }

  private layout({ bindings }: Shader): GPUBindGroupLayout {
    const key = bindings.map(({ index, type }) => `${index} ${type}`).join()
    let layout = this.layouts.get(key)
    if (!layout) {
      layout = this.gpu.createBindGroupLayout({
        entries: [
          { binding: 0, visibility: STAGE_COMPUTE, buffer: { type: 'uniform' } },
          ...bindings.map(({ index, type }) => ({ binding: index, visibility: STAGE_COMPUTE, buffer: { type } })),
        ],
      })
      this.layouts.set(key, layout)
    }
    return layout
  }
}

/** The value for a key, made by the first who asks; a failure is not kept. */
function once<T>(table: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = table.get(key)
  if (!value) {
    value = make()
    table.set(key, value)
    value.catch(() => table.delete(key))
  }
  return value
}
