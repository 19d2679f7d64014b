/**
 * What a WebGPU adapter does at most, measured: multiply-adds of float32 in registers (shaders/peak.wgsl) and, where it has
 * matrix units, products of float16 fragments (shaders/peak_units.wgsl). A launch is made longer until it takes some
 * milliseconds; its time is a difference (measure.ts), so that what a submission costs falls out.
 */

import { setTimeout as rest } from 'node:timers/promises'
import type { Device } from '../src/device/device.js'
import { readShader } from '../src/device/webgpu/adapter.js'
import { WebgpuDevice } from '../src/device/webgpu/device.js'
import { submit, usage } from '../src/device/webgpu/memory.js'
import { loadShader, packUniforms } from '../src/device/webgpu/shaders.js'
import { type Runner, timed, timeOnce } from './measure.js'

/** GFLOP/s */
export type AdapterPeak = () => Promise<number>

export interface AdapterPeaks {
  /** a multiply-add counted as two */
  readonly float32: AdapterPeak
  /** null: the adapter has none, or its Dawn an older form of them */
  readonly units: AdapterPeak | null
}

/** A launch is long enough after so many milliseconds, beside what a submission costs … */
const LEAST_MS = { hardware: 5, software: 10 }
/** … and after so many rounds, beside what an invocation costs. */
const LEAST_ROUNDS = 256
/** Of so many measurements the fastest counts. */
const TRIES = 3
/** Share of the expected time that is slept: Dawn polls while somebody waits, and takes a core from a software adapter. */
const SLEPT = 0.8

interface Loop {
  readonly shader: string
  /** workgroups: enough to fill the adapter many times over */
  readonly groups: number
  /** of one workgroup in one round */
  readonly flops: number
  /** that it stores */
  readonly bytes: number
}

export const loops = (software: boolean): Readonly<Record<'float32' | 'units', Loop>> => {
  const groups = software ? 64 : 16_384
  return {
    // 256 invocations, 8 turns of 16 sums
    float32: { shader: 'peak', groups, flops: 256 * 8 * 16 * 2, bytes: 4 },
    // 4 subgroups, 4 fragments
    units: { shader: 'peak_units', groups: 4096, flops: 4 * 4 * 2 * 16 ** 3, bytes: 4096 * 4 * 4 * 4 * 256 },
  }
}

/** Null where the device is no WebGPU adapter. */
export async function adapterPeaks(device: Device): Promise<AdapterPeaks | null> {
  if (!(device instanceof WebgpuDevice)) return null
  const software = device.info.type === 'software'
  const { float32, units } = loops(software)
  const hasUnits = device.units === 'units' || device.units === 'units_wide'
  return {
    float32: await peakOf(device.gpu, float32, software),
    units: hasUnits ? await peakOf(device.gpu, units, software) : null,
  }
}

async function peakOf(gpu: GPUDevice, { shader: name, groups, flops, bytes }: Loop, software: boolean) {
  const shader = await loadShader(readShader, name)
  const pipeline = await gpu.createComputePipelineAsync({
    label: name,
    layout: 'auto',
    compute: { module: gpu.createShaderModule({ label: name, code: shader.code }), entryPoint: 'main' },
  })
  const uniforms = gpu.createBuffer({ size: 16, usage: usage.uniform | usage.copyTarget })
  const result = gpu.createBuffer({ size: Math.max(256, bytes), usage: usage.storage })
  const bindGroup = gpu.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [uniforms, result].map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
  let rounds = LEAST_ROUNDS
  let expected = 0
  const runner: Runner = {
    async run(times) {
      submit(gpu, (encoder) => {
        const pass = encoder.beginComputePass()
        pass.setPipeline(pipeline)
        pass.setBindGroup(0, bindGroup)
        for (let i = 0; i < times; i++) pass.dispatchWorkgroups(groups)
        pass.end()
      })
      if (software) await rest(SLEPT * expected * times)
      await gpu.queue.onSubmittedWorkDone()
    },
    dispose: () => undefined,
  }
  const setRounds = (value: number): void => {
    rounds = value
    gpu.queue.writeBuffer(uniforms, 0, packUniforms(shader, { rounds, factor: 0.999, addend: 0.001 }))
  }
  setRounds(rounds)
  await runner.run(1)
  while ((await timed(runner, 1)) < LEAST_MS[software ? 'software' : 'hardware']) setRounds(2 * rounds)
  return async () => {
    for (let i = 0; i < TRIES; i++) {
      const ms = await timeOnce(runner, 1)
      expected = i === 0 ? ms : Math.min(expected, ms)
    }
    return (groups * rounds * flops) / expected / 1e6
  }
}
