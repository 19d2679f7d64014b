/** A device that goes away in the midst of a training: the error names the checkpoint that is left, and resuming goes on from it. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { train } from '../../src/cli/train.js'
import type { Executable } from '../../src/device/device.js'
import { DeviceLostError } from '../../src/errors.js'
import { tensorBits, workFolder } from './lfm.js'

/** How many more steps of training the device makes. */
const life = vi.hoisted(() => ({ steps: Number.POSITIVE_INFINITY }))

vi.mock('../../src/device/node/select.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../src/device/node/select.js')>()
  const openDevice: typeof real.openDevice = async () => {
    const device = await real.openDevice('reference')
    const compile = device.compile.bind(device)
    device.compile = async (program): Promise<Executable> => {
      const executable = await compile(program)
      const run = executable.run.bind(executable)
      executable.run = async (times = 1, options) => {
        life.steps -= times
        if (life.steps < 0) throw new DeviceLostError('The device was lost: pulled out.')
        return run(times, options)
      }
      return executable
    }
    return device
  }
  return { ...real, openDevice }
})

it('names the last checkpoint, from which the run goes on', async () => {
  const work = workFolder({
    'toy.yaml': `
data:  { kind: toy, name: moons, train: 200, test: 0 }
model: { hidden: [8], activation: silu }
flow:  { gammas: [null] }
train: { batch: 32, steps: 40, checkpointEvery: 10 }
ode:   { steps: 2 }
`,
  })
  const config = join(work, 'toy.yaml')
  const options = (out: string) => ({ out: join(work, out), set: [], json: true })
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)

  life.steps = 33
  const lost = await train(config, options('run')).catch((error) => error)
  expect(lost).toBeInstanceOf(DeviceLostError)
  const at = (await readManifest(join(work, 'run'))).progress.step
  expect([10, 20, 30]).toContain(at)
  expect(lost.message).toBe(
    `The device was lost: pulled out. Kept: the checkpoint in ${join(work, 'run')} at step ${at} of sub-flow 1. ` +
      `Go on with: lfm train ${config} --out ${join(work, 'run')} --resume`,
  )

  life.steps = 0
  const atOnce = await train(config, options('none')).catch((error) => error)
  expect(atOnce.message).toBe(`The device was lost: pulled out. Nothing was saved in ${join(work, 'none')} yet.`)

  life.steps = Number.POSITIVE_INFINITY
  await train(config, { ...options('run'), resume: true })
  await train(config, options('whole'))
  expect(await tensorBits(join(work, 'run'))).toEqual(await tensorBits(join(work, 'whole')))
  expect(readFileSync(join(work, 'run', 'report.html'), 'utf8')).toContain('was interrupted and resumed')
})
