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

function executableOn(gpu: GPUDevice, software: boolean): WebgpuExecutable {
  const on = { gpu, line: new Line(gpu, 'played'), memory: null, software, profiler: null }
  return new WebgpuExecutable(on as unknown as RunsOn, program as unknown as CompiledProgram)
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
