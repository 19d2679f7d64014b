/**
 * Run by scripts/sanitize.mjs under AddressSanitizer: a kernel is given operands through the addon's own face that do not fit
 * each other, which the contracts refuse on every path of the public interface, and reads behind the end of a buffer.
 */

import process from 'node:process'
import { loadAddon } from '../../dist/device/native/binding.js'

const addon = loadAddon()
const device = new addon.Device()
const [total, part] = [device.createBuffer(4096), device.createBuffer(1024)]
const operands = { total: [0, 0, [4096]], part: [1, 0, [1024]] }
const operations = [{ kernel: 'accumulate', operands, attributes: {} }]
const program = device.compile({ operations, buffers: [total, part], slots: [], constants: new Float32Array(0) })
await program.run(1, new addon.Stop())
console.log('Nothing stopped it.')
process.exit(0)
