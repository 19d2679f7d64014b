/** Going on with a run by the config that it was begun with, after the library's defaults have changed. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { FlowContents } from '../../src/run/flow-contents.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { resumeWith } from '../../src/run/resuming.js'
import { openRun } from '../../src/run/run.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-resuming-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

it('keeps what was left out then and is left out now, and takes what is said', async () => {
  const raw = { model: { hidden: [4] } }
  const now = resolveOptions(raw)
  const before = {
    ...now,
    flow: {
      ...now.flow,
      gammas: [0.3, null],
      interpolant: ['trig', 'linear'] as const,
      time: ['uniform', 'uniform'] as const,
    },
    train: { ...now.train, steps: [70, 80], lr: 0.001, warmup: 3 },
  }
  const contents = { options: before, raw, rowShape: [2], rowKind: 'points', scaler: null } as unknown as FlowContents
  const { field } = new LocalFlow({ ...contents, subFlows: [] })
  const subFlows = [1, 2].map((stream) => ({ outputScale: 1, parameters: field.initialise(1, stream) }))
  const folder = join(work, 'old')
  await new LocalFlow({ ...contents, subFlows }).save(folder)

  const same = resumeWith(await openRun(folder), now, raw, null)
  expect(same.change).toBeNull()
  expect(same.options.flow.gammas).toEqual([0.3, null])
  expect(same.options.train).toMatchObject({ steps: [70, 80], lr: 0.001, warmup: 3 })

  const faster = { ...raw, train: { lr: 0.002 } }
  const changed = resumeWith(await openRun(folder), resolveOptions(faster), faster, null)
  expect(changed.options.train).toMatchObject({ steps: [70, 80], lr: 0.002, warmup: 3 })
  expect(changed.change).toContain('train.lr 0.001 → 0.002')

  const other = { ...raw, flow: { gammas: [0.2, null] } }
  const opened = await openRun(folder)
  expect(() => resumeWith(opened, resolveOptions(other), other, null)).toThrow(
    'other settings (flow.gammas, flow.interpolant)',
  )
})

it("keeps how a student's states are made, whatever is the default by now", async () => {
  const raw = { model: { hidden: [4] }, flow: { recipe: 'plain' }, distill: { kind: 'pairs', into: 2 } }
  const now = resolveOptions(raw)
  expect(now.distill!.solver).toMatchObject({ solver: 'ab2', evaluations: 8 })
  const solver = { ...now.distill!.solver, solver: 'midpoint', evaluations: 16 } as const
  const before = { ...now, distill: { ...now.distill!, solver } }
  const contents = { options: before, raw, rowShape: [2], rowKind: 'points', scaler: null } as unknown as FlowContents
  const { field } = new LocalFlow({ ...contents, subFlows: [] })
  const subFlows = [1, 2].map((stream) => ({ outputScale: 1, parameters: field.initialise(1, stream) }))
  const folder = join(work, 'old-student')
  await new LocalFlow({ ...contents, subFlows }).save(folder)
  const run = await openRun(folder)
  expect(run.options.distill!.solver).toEqual(solver)
  const same = resumeWith(run, now, raw, null)
  expect(same.change).toBeNull()
  expect(same.options.distill!.solver).toEqual(solver)
  const other = { ...raw, distill: { ...raw.distill, evaluations: 12 } }
  expect(() => resumeWith(run, resolveOptions(other), other, null)).toThrow(
    'other settings (distill.solver.evaluations)',
  )
})
