/**
 * What a WebGPU adapter does at most, measured: multiply-adds of float32 in registers (shaders/peak.wgsl) and, where it has
 * matrix units, products of float16 fragments (shaders/peak_units.wgsl). A launch is made longer until it takes some
 * milliseconds; its time is a difference (measure.ts), so that what a submission costs falls out.
 */

import { setTimeout as rest } from 'node:timers/promises'
import type { Device } from '../src/device/device.js'
import { WebgpuDevice } from '../src/device/webgpu/device.js'
import { submit, usage } from '../src/device/webgpu/memory.js'
import { readShader } from '../src/device/webgpu/node/adapter.js'
import { loadShader, packUniforms } from '../src/device/webgpu/shaders.js'
import { LocalFlowError } from '../src/errors.js'
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
/** On no adapter are these done that soon: the loop was left out, or the clock stands still. */
const MOST_ROUNDS = 2 ** 24
/** Of so many measurements the fastest counts. */
const TRIES = 3
/** Share of the expected time that is slept: Dawn polls while somebody waits, and takes a core from a software adapter. */
const SLEPT = 0.8
/** Of every turn s ← s · factor + addend. */
export const FACTOR = 0.999
export const ADDEND = 0.001

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
    float32: { shader: 'peak', groups, flops: 256 * 8 * 16 * 2, bytes: 4 * 256 * groups },
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
    float32: (await openLoop(device.gpu, float32, software)).peak,
    units: hasUnits ? (await openLoop(device.gpu, units, software)).peak : null,
  }
}

/**
 * Rounds after which a launch takes at least so many milliseconds, twice as many each time.
 * @param timeOf milliseconds of a launch of so many rounds
 * @throws LocalFlowError where it never does
 */
export async function longEnough(timeOf: (rounds: number) => Promise<number>, leastMs: number): Promise<number> {
  for (let rounds = LEAST_ROUNDS; rounds <= MOST_ROUNDS; rounds *= 2) {
    if ((await timeOf(rounds)) >= leastMs) return rounds
  }
  throw new LocalFlowError(
    `${MOST_ROUNDS} rounds of a loop of multiply-adds took less than ${leastMs} ms: this adapter's compiler leaves it out, ` +
      'or its queue says too soon that it is done. Shares of its peak cannot be measured.',
  )
}

/** The loop on a device: its peak, and the sums that its invocations stored last. */
export async function openLoop(
  gpu: GPUDevice,
  { shader: name, groups, flops, bytes }: Loop,
  software: boolean,
): Promise<{ readonly peak: AdapterPeak; readonly rounds: number; sums(): Promise<Float32Array> }> {
  const shader = await loadShader(readShader, name)
  const pipeline = await gpu.createComputePipelineAsync({
    label: name,
    layout: 'auto',
    compute: { module: gpu.createShaderModule({ label: name, code: shader.code }), entryPoint: 'main' },
  })
  const uniforms = gpu.createBuffer({ size: 16, usage: usage.uniform | usage.copyTarget })
  const result = gpu.createBuffer({ size: bytes, usage: usage.storage | usage.copySource })
  const bindGroup = gpu.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [uniforms, result].map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
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
  let warm = false
  const rounds = await longEnough(
    async (tried) => {
      gpu.queue.writeBuffer(uniforms, 0, packUniforms(shader, { rounds: tried, factor: FACTOR, addend: ADDEND }))
      if (!warm) await runner.run(1)
      warm = true
      return timed(runner, 1)
    },
    LEAST_MS[software ? 'software' : 'hardware'],
  )
  return {
    rounds,
    async peak() {
      for (let i = 0; i < TRIES; i++) {
        const ms = await timeOnce(runner, 1)
        expected = i === 0 ? ms : Math.min(expected, ms)
      }
      return (groups * rounds * flops) / expected / 1e6
    },
    async sums() {
      const staging = gpu.createBuffer({ size: bytes, usage: usage.copyTarget | usage.mapRead })
      submit(gpu, (encoder) => encoder.copyBufferToBuffer(result, 0, staging, 0, bytes))
      await staging.mapAsync(1)
      const sums = new Float32Array(staging.getMappedRange().slice(0))
      staging.destroy()
      return sums
    },
  }
}
