/**
 * Run by scripts/sanitize.mjs: `planted.mjs outside|race`. Faults that a sanitizer must find in Node. A kernel is given operands
 * through the addon's own face that the contracts refuse on every path of the public interface: one ends before the other, so
 * that it is read behind its end; or they overlap, so that one thread reads what another one writes.
 */

import process from 'node:process'
import { loadAddon } from '../../dist/device/native/binding.js'

const addon = loadAddon()
const device = new addon.Device()
const length = 1 << 18
const buffers = [device.createBuffer(2 * length), device.createBuffer(length / 2)]
const operands =
  process.argv[2] === 'race'
    ? { total: [0, 0, [length]], part: [0, length / 2, [length]] }
    : { total: [0, 0, [length]], part: [1, 0, [length / 2]] }
const operations = [{ kernel: 'accumulate', operands, attributes: {} }]
const program = device.compile({ operations, buffers, slots: [], constants: new Float32Array(0) })
await program.run(20, new addon.Stop())
console.log('Nothing stopped it.')
