/** Average velocities from data by the program interface: trained, sampled by a few evaluations, saved, loaded and distilled. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { resolveOptions } from '../../src/config/index.js'
import { LocalFlow, type TrainArguments } from '../../src/index.js'
import { describeOn } from '../devices.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-mean-flow-'))
afterAll(() => rmSync(work, { recursive: true }))

const x = {
  values: Float32Array.from({ length: 600 }, (_, i) => Math.sin(0.37 * i * i) + (i % 2)),
  shape: [300, 2],
}
const settings = {
  model: { hidden: [16], activation: 'silu' },
  flow: { recipe: 'plain', gammas: [null] },
  train: { batch: 32, steps: 20, lr: 0.01, objective: 'mean-flow' },
  ode: { sample: { evaluations: 2 } },
  seed: 5,
} satisfies TrainArguments

await describeOn(['webgpu', 'native', 'reference'], 'average velocities from data', (_, kind) => {
  it('sample by as many evaluations as are asked for, have no likelihood, and are saved and loaded as what they are', async () => {
    const losses: number[] = []
    const flow = await LocalFlow.train(x, {
      ...settings,
      device: kind,
      onProgress: (p) => void (p.phase === 'train' && losses.push(p.loss)),
    })
    expect(losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true)
    expect(flow.isFlow).toBe(false)
    expect(flow.field.condition).toBe(1)
    const two = await flow.sample(40)
    expect(flow.evaluations).toEqual({ mean: 2, max: 2 })
    const one = await flow.sample(40, { evaluations: 1 })
    expect(flow.evaluations).toEqual({ mean: 1, max: 1 })
    expect(one.values).not.toEqual(two.values)
    await expect(flow.logProb({ values: x.values.slice(0, 4), shape: [2, 2] })).rejects.toThrow(
      /^A likelihood needs a flow, .* \(of mean-flow: train\.objective flow-matching\)\.$/,
    )
    const folder = join(work, kind)
    await flow.save(folder)
    expect((await readManifest(folder)).extra).toMatchObject({ stages: ['average'] })
    const loaded = await LocalFlow.load(folder)
    expect((await loaded.sample(40)).values).toEqual(two.values)
    for (const model of [flow, loaded]) await model.dispose()
  })
})

await describeOn(['native'], 'average velocities from data', (_, kind) => {
  it('may teach one that takes any number of evaluations, and flows, but no maps', async () => {
    const flow = await LocalFlow.train(x, { ...settings, device: kind })
    const student = await flow.distill({ kind: 'any-step', into: 2, train: { steps: 4 } })
    expect(student.options).toMatchObject({
      train: { objective: 'flow-matching' },
      distill: { teacher: { kind: 'any-step', into: 1 } },
    })
    await student.sample(4)
    await expect(flow.distill({ kind: 'pairs', into: 1 })).rejects.toThrow(/distill\.kind pairs learns from states/)
    for (const model of [flow, student]) await model.dispose()
  })
})

describe('average velocities from data that cannot be', () => {
  const issues = (options: object): string[] => {
    try {
      resolveOptions(options)
    } catch (error) {
      return (error as { issues: string[] }).issues
    }
    return []
  }
  const train = { objective: 'mean-flow' }

  it.each([
    [
      { train },
      /^train\.objective: mean-flow learns one average velocity from the data to noise, but flow has 3 sub-flows; take flow\.recipe: plain\.$/,
    ],
    [{ train, flow: { recipe: 'reflow', gammas: [null] } }, /but flow has 2 fits; take flow\.recipe: plain\.$/],
    [
      { train: { objective: 'mean' } },
      /^train\.objective must be flow-matching, variational or mean-flow, but is 'mean'\.$/,
    ],
  ])('%o is refused in one line', (options, message) => {
    expect(issues(options)).toEqual([expect.stringMatching(message)])
  })

  it('is otherwise resolved, of a chain of one sub-flow too', () => {
    expect(issues({ train, flow: { gammas: [null] } })).toEqual([])
    expect(issues({ train, flow: { recipe: 'plain' } })).toEqual([])
  })
})
