/**
 * A launch with one mistake in it, which the validation layer has to report, or none of its silence means anything: `bounds` reads
 * behind the end of a buffer, `race` reads workgroup memory before a barrier.
 */

import { submit, usage } from '../../src/device/webgpu/memory.js'
import { openAdapter } from '../../src/device/webgpu/node/adapter.js'

const N = 64
const [mistake] = process.argv.slice(2)
const code = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> shared_x: array<f32, ${N}>;

@compute @workgroup_size(${N})
fn main(@builtin(local_invocation_index) i: u32) {
  shared_x[i] = x[i + ${mistake === 'bounds' ? 1000 : 0}u];
  ${mistake === 'race' ? '' : 'workgroupBarrier();'}
  y[i] = shared_x[(i + 1u) % ${N}u];
}`

const { adapter } = await openAdapter(undefined, true)
const gpu = await adapter.requestDevice()
const pipeline = await gpu.createComputePipelineAsync({
  layout: 'auto',
  compute: { module: gpu.createShaderModule({ code }), entryPoint: 'main' },
})
const buffers = [0, 1].map(() => gpu.createBuffer({ size: 4 * N, usage: usage.storage }))
const bindGroup = gpu.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
})
submit(gpu, (encoder) => {
  const pass = encoder.beginComputePass()
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, bindGroup)
  pass.dispatchWorkgroups(1)
  pass.end()
})
await gpu.queue.onSubmittedWorkDone()
gpu.destroy()
