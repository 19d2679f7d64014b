/**
 * How replays become submissions, on a GPU that is played: on hardware the next one is encoded and handed over while the GPU
 * works on the one before; on a processor, where nobody else would work meanwhile, it is not.
 */

import { expect, test } from 'vitest'
import { type CompiledProgram, type RunsOn, WebgpuExecutable } from '../../src/device/webgpu/executable.js'
import { Line } from '../../src/device/webgpu/line.js'

/** Commands are counted by dispatches; a submission is done when `finish` is called for it. */
function played() {
  const submitted: number[] = []
  const finish: (() => void)[] = []
  const gpu = {
    addEventListener: () => undefined,
    lost: new Promise(() => undefined),
    createCommandEncoder() {
      let dispatches = 0
      const pass = {
        setPipeline: () => undefined,
        setBindGroup: () => undefined,
        dispatchWorkgroups: () => dispatches++,
        end: () => undefined,
      }
      return { beginComputePass: () => pass, finish: () => dispatches }
    },
    queue: {
      submit: ([dispatches]: number[]) => submitted.push(dispatches),
      onSubmittedWorkDone: () => new Promise<void>((resolve) => finish.push(resolve)),
    },
  } as unknown as GPUDevice
  return { gpu, submitted, finish }
}

const dispatch = { groups: [1, 1, 1], name: '', flops: 0, bytes: 0, identity: '', sizes: [] }
const program = { dispatches: [dispatch, dispatch], launches: 2, variants: {}, uses: [], owned: [] }

function executableOn(gpu: GPUDevice, software: boolean, played: object = program): WebgpuExecutable {
  const on = { gpu, line: new Line(gpu, 'played'), memory: null, software, profiler: null }
  return new WebgpuExecutable(on as unknown as RunsOn, played as CompiledProgram)
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5))

test.each([
  { software: false, most: 2 },
  { software: true, most: 1 },
])('at most $most are under way where software is $software', async ({ software, most }) => {
  const { gpu, submitted, finish } = played()
  const running = executableOn(gpu, software).run(100)
  let done = 0
  let underWay = 0
  while (submitted.reduce((sum, dispatches) => sum + dispatches / 2, 0) < 100 || done < submitted.length) {
    await settled()
    underWay = Math.max(underWay, submitted.length - done)
    // nothing more is handed over before the oldest is done
    expect(submitted.length - done).toBeLessThanOrEqual(most)
    if (done < finish.length) finish[done++]()
  }
  await running
  expect(underWay).toBe(most)
  // a submission is a list of whole replays
  expect(submitted.every((dispatches) => dispatches % 2 === 0)).toBe(true)
})

test('a long replay is cut into submissions that no watchdog minds, and a short one is not', async () => {
  const run = async (software: boolean, flops: readonly number[]): Promise<number[]> => {
    const { gpu, submitted, finish } = played()
    const dispatches = flops.map((one) => ({ ...dispatch, flops: one, bytes: 0 }))
    const running = executableOn(gpu, software, { ...program, dispatches }).run(1)
    await settled()
    for (const done of finish) done()
    await running
    return submitted
  }
  // a step of 9.6 TFLOP in twelve products, of which two are of no account
  const step = [1e12, 1e12, 1e12, 1, 1e12, 1e12, 1e12, 1e12, 1e12, 1e12, 1, 0.6e12]
  expect(await run(false, step)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
  expect(await run(false, new Array(12).fill(5e10))).toEqual([2, 2, 2, 2, 2, 2])
  expect(await run(false, new Array(12).fill(1e9))).toEqual([12])
  // nobody watches a processor
  expect(await run(true, step)).toEqual([12])
})

test('once a replay was measured, its time says how it is cut', async () => {
  const { gpu, submitted, finish } = played()
  const dispatches = new Array(10).fill({ ...dispatch, flops: 1e11, bytes: 0 })
  const executable = executableOn(gpu, false, { ...program, dispatches })
  for (let replay = 0; replay < 3; replay++) {
    const running = executable.run(1)
    while (finish.length === 0) await settled()
    finish.pop()!()
    await running
  }
  // by estimate 2 s, of which nothing is learnt from the first; then milliseconds
  expect(submitted.slice(0, 10)).toEqual(new Array(10).fill(1))
  expect(submitted.at(-1)).toBe(10)
})

test('an adapter whose memory is full says how much of it is in use here, and what to do', async () => {
  const listeners: ((event: object) => void)[] = []
  const gpu = {
    addEventListener: (_: string, on: (event: object) => void) => listeners.push(on),
    lost: new Promise(() => undefined),
  }
  const line = new Line(gpu as unknown as GPUDevice, 'a small card', () => 3 * 2 ** 30)
  class GPUOutOfMemoryError {
    readonly message = 'VK_ERROR_OUT_OF_DEVICE_MEMORY'
  }
  for (const on of listeners) on({ preventDefault: () => undefined, error: new GPUOutOfMemoryError() })
  expect(() => line.check()).toThrow(
    /memory of 'a small card' is full, with 3072 MiB in use here.*OUT_OF_DEVICE_MEMORY/,
  )
  // once told, it goes on
  line.check()
})
