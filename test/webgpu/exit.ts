/** Opens the WebGPU device, works, disposes, and must then end by itself; device.test.ts runs it in a process of its own. */

import { openWebgpu } from '../../src/device/webgpu/node/index.js'

const device = await openWebgpu()
const buffer = device.createBuffer(64)
buffer.write(new Float32Array(64).fill(2))
const [value] = await buffer.read()
await device.dispose()
console.log(`read ${value}`)
