/**
 * Prints the SHA-256 of the results of the three products, also of few rows, of convolutions, of fused composites and of a batch drawn, straight from the addon: engine.test.ts
 * runs it under several numbers of threads.
 */

import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const addon = require(process.env.LFM_ADDON ?? '../../build/Release/lfm.node')
const device = new addon.Device()
const [B, K, N] = [4603, 61, 83]

const hash = createHash('sha256')
let seed = 1
const fill = (length) =>
  Float32Array.from({ length }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32 - 0.5
  })
const buffer = (length, values = fill(length)) => {
  const made = device.createBuffer(length)
  made.write(values, 0)
  return made
}

async function run(kernel, operands, attributes, results) {
  const buffers = Object.values(operands).map(([made]) => made)
  const places = Object.fromEntries(Object.entries(operands).map(([name, [, shape]], i) => [name, [i, 0, shape]]))
  const operations = [{ kernel, operands: places, attributes }]
  await device.compile({ operations, buffers, slots: [], constants: new Float32Array(0) }).run(1, new addon.Stop())
  for (const name of results) {
    const [made, shape] = operands[name]
    const length = shape.reduce((product, extent) => product * extent, 1)
    const values = await made.read(0, length, false)
    hash.update(Buffer.from(values.buffer))
  }
}

const x = [buffer(B * K), [B, K]]
const y = [buffer(B * N), [B, N]]
const weight = [buffer(N * K), [N, K]]
const layer = { activation: 'softplus', beta: 20 }
await run('linear_forward', { x, weight, bias: [buffer(N), [N]], y }, { ...layer, scale: 1 }, ['y'])
await run('linear_backward_input', { dy: y, weight, saved: x, dx: [buffer(B * K), [B, K]] }, layer, ['dx'])
await run(
  'linear_backward_weight',
  { x, dy: y, t: [buffer(B), [B]], dweight: weight, dbias: [buffer(N), [N]], dtime_weight: [buffer(N), [N]] },
  {},
  ['dweight', 'dbias', 'dtime_weight'],
)
const [pictures, C, M] = [[9, 10], 20, 34]
const wide = [buffer(6 * 90 * C), [6, ...pictures, C]]
const made = [buffer(6 * 90 * M), [6, ...pictures, M]]
const taps = [buffer(9 * C * M), [3, 3, C, M]]
const bias = [buffer(M), [M]]
const activated = { activation: 'silu', beta: 1, scale: 1 }
const forward = { xLayout: 'nhwc', yLayout: 'nhwc', xFirst: 0, yFirst: 0, shiftFirst: 0, residualFirst: 0 }
const backward = { dyLayout: 'nhwc', dxLayout: 'nhwc', dyFirst: 0, dxFirst: 0, savedFirst: 0, addFirst: 0 }
const weights = { xLayout: 'nhwc', dyLayout: 'nhwc', xFirst: 0, dyFirst: 0, shiftFirst: 0 }
for (const variant of ['direct', 'winograd']) {
  const geometry = { stride: 1, padding: 1, upsample: 1, variant }
  const combined = { combine: 'none', coefficients: [] }
  const [to, from] = [
    { x: wide, weight: taps, bias, y: made },
    { dy: made, weight: taps, dx: wide },
  ]
  await run('conv2d', to, { ...geometry, ...activated, ...forward, ...combined }, ['y'])
  const sums = { x: wide, dy: made, dweight: taps, dbias: bias }
  await run('conv2d_backward_weight', sums, { ...geometry, ...weights }, ['dweight', 'dbias'])
  await run('conv2d_backward_input', from, { ...geometry, ...activated, ...backward }, ['dx'])
}
// rows too few for all threads: these share out the columns
{
  const [rows, depth, columns] = [3, 300, 700]
  const few = {
    x: [buffer(rows * depth), [rows, depth]],
    weight: [buffer(columns * depth), [columns, depth]],
    bias: [buffer(columns), [columns]],
    y: [buffer(rows * columns), [rows, columns]],
  }
  await run('linear_forward', few, { ...layer, scale: 1 }, ['y'])
  const [steps, from, to] = [12, 64, 450]
  const sequence = {
    x: [buffer(steps * from), [1, 1, steps, from]],
    weight: [buffer(5 * from * to), [1, 5, from, to]],
    bias: [buffer(to), [to]],
    y: [buffer(steps * to), [1, 1, steps, to]],
  }
  const geometry = { stride: 1, padding: 2, upsample: 1, variant: 'direct', combine: 'none', coefficients: [] }
  await run('conv2d', sequence, { ...geometry, ...activated, ...forward }, ['y'])
}
const net = { hidden: [40, 33], frequencies: [], activation: 'silu', beta: 1, everyTime: true, scale: 1.5 }
const P = [40 * 3, 40, 40, 33 * 40, 33, 33, 3 * 33, 3, 3].reduce((sum, n) => sum + 64 * Math.ceil(n / 64), 0)
const field = { parameters: [buffer(P), [P]], x: [buffer(B * 3), [B, 3]], t: [buffer(B), [B]] }
const gradient = { gradient: [buffer(P), [P]], row_loss: [buffer(B), [B]] }
await run('mlp_backward', { ...field, target: [buffer(B * 3), [B, 3]], ...gradient }, net, Object.keys(gradient))
const start = { parameters: field.parameters, y: field.x, log_det: [buffer(B), [B, 1]] }
const end = { out: [buffer(B * 3), [B, 3]], log_det_out: [buffer(B), [B, 1]] }
// time, factor, own, place, whether a step ends, share, reach, carry
const evaluations = [
  [0, 1, 0, 1, 0, 0, 0.2, 0],
  [0.2, 1, 0, 1, 1, 0.4, 0, 0],
  [0.4, 1, 0, 1, 1, 0.3, 0, -0.1],
  [0.7, 0.8, 0.1, 0.9, 0, 0.1, 0.3, 0],
  [1, 1, 0, 1, 1, 0.2, 0, 0],
]
const table = [buffer(40, Float32Array.from(evaluations.flat())), [5, 8]]
await run('integrate', { ...start, table, ...end }, { ...net, scales: [1.5] }, Object.keys(end))
const draw = { seedLow: 1, seedHigh: 2, stream: 3, pairing: 'shuffled', path: 'trig', sampling: 'epochs' }
await run(
  'draw_batch',
  {
    pool: [buffer(5000 * 3), [5000, 3]],
    state: [buffer(8, new Uint32Array(8)), [8]],
    x: [buffer(999 * 3), [999, 3]],
    t: [buffer(999), [999]],
    target: [buffer(999 * 3), [999, 3]],
  },
  {
    ...draw,
    decay: 0.9,
    spread: 0.43,
    leftDecay: 1,
    leftSpread: 0,
    timesPerPair: 1,
    drop: 0,
    values: 'floats',
    mirror: 0,
  },
  ['x', 't', 'target'],
)
console.log(hash.digest('hex'))
