/**
 * Run by threads.test.ts in a process of its own: `worker.mjs MODE LIVES`. The main thread never touches the engine but in
 * the modes `devices` and `collect`. Prints «alive» at its end.
 */

import { once } from 'node:events'
import { createRequire } from 'node:module'
import { setTimeout as wait } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const { loadAddon } = await import('../../dist/device/native/binding.js')

/** A device with a program that adds ones: total = replays. */
function adding() {
  const addon = loadAddon()
  const device = new addon.Device()
  const length = 1 << 16
  const [total, part] = [device.createBuffer(length), device.createBuffer(length)]
  part.write(new Float32Array(length).fill(1), 0)
  const operands = { total: [0, 0, [length]], part: [1, 0, [length]] }
  const operations = [{ kernel: 'accumulate', operands, attributes: {} }]
  const program = device.compile({ operations, buffers: [total, part], slots: [], constants: new Float32Array(0) })
  const run = (times) => program.run(times, new addon.Stop())
  return { device, total, run, last: () => total.read(length - 1, 1, false) }
}

async function use(mode) {
  const { device, run, last } = adding()
  if (mode === 'endless') {
    const running = run(2 ** 40)
    parentPort.postMessage('busy')
    await running
  }
  if (mode === 'rounds') {
    parentPort.postMessage('busy')
    for (;;) await run(20)
  }
  if (mode === 'calls') {
    // without a pause: wherever the thread is ended, it is most likely inside of a call
    parentPort.postMessage('busy')
    for (;;) {
      const buffer = device.createBuffer(64)
      buffer.write(new Float32Array(64), 0)
      buffer.read(0, 64, false)
      const operands = { total: [0, 0, [64]], part: [0, 0, [64]] }
      const operations = [{ kernel: 'accumulate', operands, attributes: {} }]
      device.compile({ operations, buffers: [buffer], slots: [], constants: new Float32Array(0) })
      run(1)
      loadAddon().info()
      buffer.dispose()
    }
  }
  await run(50)
  if ((await last())[0] !== 50) throw new Error('the engine gave another sum')
  if (mode === 'lingers') {
    parentPort.postMessage('busy')
    await once(parentPort, 'message')
  }
}

const begin = (mode) => new Worker(new URL(import.meta.url), { workerData: mode })
const ended = async (worker) => {
  const failed = new Promise((_, reject) => worker.once('error', reject))
  await Promise.race([once(worker, 'exit'), failed])
}

const modes = {
  async end(lives) {
    for (let i = 0; i < lives; i++) await ended(begin('once'))
  },
  async terminate(lives) {
    for (let i = 0; i < lives; i++) {
      const worker = begin('endless')
      await once(worker, 'message')
      await wait(i % 5)
      await worker.terminate()
    }
  },
  async calls(lives) {
    for (let i = 0; i < 2 * lives; i++) {
      const worker = begin('calls')
      await once(worker, 'message')
      await wait(i % 5)
      await worker.terminate()
    }
  },
  async overlap(lives) {
    for (let i = 0; i < lives; i++) {
      const stays = begin('lingers')
      await once(stays, 'message')
      const [ends, busy] = [begin('once'), begin('rounds')]
      await Promise.all([ended(ends), once(busy, 'message')])
      stays.postMessage('end')
      await ended(stays)
      await busy.terminate()
    }
  },
  async exit() {
    const workers = [begin('endless'), begin('endless')]
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    const { run } = adding()
    run(2 ** 40)
    process.stdout.write('alive\n', () => process.exit(0))
    await new Promise(() => {})
  },
  async reload(lives) {
    const require = createRequire(import.meta.url)
    const path = process.env.LFM_ADDON ?? '../../build/Release/lfm.node'
    for (let i = 0; i < lives; i++) {
      delete require.cache[require.resolve(path)]
      const addon = require(path)
      const buffer = new addon.Device().createBuffer(4)
      buffer.write(Float32Array.of(1, 2, 3, 4), 0)
      if ((await buffer.read(0, 4, false))[3] !== 4) throw new Error('another value came back')
    }
  },
  async collect(lives) {
    for (let i = 0; i < 5 * lives; i++) {
      const done = (() => {
        const { run, last } = adding()
        run(30)
        return last()
      })()
      globalThis.gc()
      if ((await done)[0] !== 30) throw new Error('a collected device lost its work')
      globalThis.gc()
    }
  },
  async devices(lives) {
    const devices = Array.from({ length: 4 }, adding)
    for (let i = 1; i <= lives; i++) {
      await Promise.all(devices.map(({ run }, n) => run(20 * (n + 1))))
      const sums = await Promise.all(devices.map(({ last }) => last()))
      sums.forEach(([sum], n) => {
        if (sum !== i * 20 * (n + 1)) throw new Error(`device ${n} has ${sum}`)
      })
    }
  },
}

if (isMainThread) {
  await modes[process.argv[2]](Number(process.argv[3]))
  if (process.argv[2] !== 'exit') console.log('alive')
} else {
  await use(workerData)
}
