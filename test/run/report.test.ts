import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { FlowContents } from '../../src/run/flow-contents.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { finalLosses, leastLosses, removeReport, thinned, writeLosses } from '../../src/run/report.js'
import { openRun, readState } from '../../src/run/run.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-report-'))
afterAll(() => rmSync(work, { recursive: true }))

/** A flow that nobody has trained. */
function flowOf(raw: object, scales: number[]): LocalFlow {
  const options = resolveOptions(raw)
  const { field } = new LocalFlow({ options, raw, rowShape: [2], rowKind: 'points', scaler: null, subFlows: [] })
  const subFlows = scales.map((outputScale, n) => ({ outputScale, parameters: field.initialise(1, n + 1) }))
  return new LocalFlow({ options, raw, rowShape: [2], rowKind: 'points', scaler: null, subFlows })
}

describe('a loss history', () => {
  it('is thinned to means over stretches, the last of which may be shorter', () => {
    expect(thinned(Float32Array.of(1, 3, 5, 7, 10), 2)).toEqual({ steps: [2, 4, 5], loss: [2, 6, 10] })
  })

  it('ends in the mean of its last tenth; null where there are no steps yet', () => {
    const losses = Float32Array.from({ length: 40 }, (_, i) => (i < 36 ? 100 : i))
    expect(finalLosses([losses, new Float32Array(0), Float32Array.of(3)])).toEqual([37.5, null, 3])
  })

  it('is written as a table', async () => {
    await writeLosses(work, [Float32Array.of(1, 2, 4), Float32Array.of(8)], 2)
    expect(readFileSync(join(work, 'losses.csv'), 'utf8')).toBe('sub_flow,step,loss\n1,2,1.5\n1,3,4\n2,1,8\n')
    await expect(writeLosses(join(work, 'nowhere'), [], 2)).rejects.toThrow('losses.csv cannot be written: there is no')
  })
})

describe('the least loss on Gaussian data', () => {
  // S = variance; linear, dependent: x1 = e^{-γ} x0 + s z, so that S falls towards 1 from sub-flow to sub-flow
  const [step, free] = [0.3, null].map((gamma) => ({ kind: { gamma, path: 'linear', coupling: 'dependent' } as const }))

  it('is that of each sub-flow in turn, divided by the square of its output scale', () => {
    const plain = leastLosses([step, free], [1, 1], [4, 0.25])
    const scaled = leastLosses([step, free], [2, 0.5], [4, 0.25])
    expect(scaled[0]).toBeCloseTo(plain[0]! / 4, 12)
    expect(scaled[1]).toBeCloseTo(plain[1]! * 4, 12)
    // the free sub-flow starts from variances that the first has moved
    const moved = [4, 0.25].map((S) => Math.exp(-0.6) * S + 1 - Math.exp(-0.6))
    expect(plain[1]).toBeCloseTo(leastLosses([free], [1], moved)[0]!, 12)
    expect(plain[1]).not.toBeCloseTo(leastLosses([free], [1], [4, 0.25])[0]!, 3)
  })

  it('is not known for other data, nor for fits on pairs', () => {
    expect(leastLosses([step, free], [1, 1], null)).toEqual([null, null])
    expect(leastLosses([free, { kind: null }], [1, 1], [1])[1]).toBeNull()
  })
})

describe('a run folder', () => {
  it('loses the report of a run that is replaced, and nothing else', async () => {
    const names = ['report.html', 'samples.png', 'excess-loss.png', 'losses.csv', 'manifest.json', 'notes.txt']
    for (const name of names) writeFileSync(join(work, name), '')
    await removeReport(work)
    expect(names.filter((name) => existsSync(join(work, name)))).toEqual(['manifest.json', 'notes.txt'])
  })

  it('is written by a program and read back bit by bit, with the settings as they were written', async () => {
    const raw = {
      model: { hidden: [4], fourier: [1] },
      flow: { gammas: [0.3, null] },
      train: { steps: [3, 5] },
      seed: 8,
    }
    const flow = flowOf(raw, [1.5, 0.5])
    const folder = join(work, 'saved')
    await flow.save(folder)
    writeFileSync(join(folder, 'report.html'), 'of the run that is replaced')
    await flow.save(folder, { force: true })
    expect(existsSync(join(folder, 'report.html'))).toBe(false)
    const run = await openRun(folder)
    expect(run.raw).toEqual(raw)
    expect(run.manifest.seed).toBe(8)
    expect(run.manifest.progress).toEqual({ subFlow: 2, step: 5, phase: 'done' })
    const { chain } = await readState(run)
    expect(chain.finished).toEqual(flow.subFlows)
    expect(chain.fit).toBe(3)
  })

  it('is what it was resolved to, whatever defaults have become', async () => {
    const raw = { model: { hidden: [4] }, ode: { sample: { rtol: 1e-3 } } }
    const parts = { options: resolveOptions(raw), raw, rowShape: [2], rowKind: 'points', scaler: null } as const
    const { field } = new LocalFlow({ ...parts, subFlows: [] })
    const subFlows = [1, 2].map((stream) => ({ outputScale: 1, parameters: field.initialise(1, stream) }))
    const before = { gammas: [0.3, null], interpolant: ['trig', 'linear'], time: ['uniform', 'uniform'] }
    const rate = { steps: [70, 80], lr: 0.001, warmup: 3 }
    const sample = { solver: 'heun', steps: 7, clock: 'local', rtol: 1e-4, atol: 1e-4 } as const
    const folder = join(work, 'defaults')
    const options = {
      ...parts.options,
      flow: { ...parts.options.flow, ...before },
      train: { ...parts.options.train, ...rate },
    }
    await new LocalFlow({ ...parts, options, subFlows } as FlowContents).save(folder)
    const path = join(folder, 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    manifest.config.resolved.ode.sample = sample
    writeFileSync(path, JSON.stringify(manifest))
    const { flow, train, ode } = (await LocalFlow.load(folder)).options
    expect(flow).toMatchObject(before)
    expect(train).toMatchObject(rate)
    expect(ode.sample).toEqual(sample)
  })

  it.each([
    { recipe: 'plain' },
    { recipe: 'plain', gammas: [0.1, 0.2, null] },
    { recipe: 'reflow' },
    { schedule: { kind: 'cosine', n: 3 } },
    {},
  ])('of %o is opened with the options that it was saved with', async (flow) => {
    const raw = { model: { hidden: [4] }, flow, train: { steps: 20 } }
    const options = resolveOptions(raw)
    const contents = { options, raw, rowShape: [2], rowKind: 'points', scaler: null } as unknown as FlowContents
    const { field } = new LocalFlow({ ...contents, subFlows: [] })
    const subFlows = options.flow.gammas.map((_, i) => ({ outputScale: 1, parameters: field.initialise(1, i + 1) }))
    const folder = join(work, `options-${JSON.stringify(flow).replace(/\W/g, '')}`)
    await new LocalFlow({ ...contents, subFlows }).save(folder)
    expect((await openRun(folder)).options).toEqual(options)
  })

  it('keeps what a row is; a run of format 1 is told by its shape', async () => {
    const raw = { model: { hidden: [4] }, flow: { gammas: [null] } }
    const parts = { options: resolveOptions(raw), raw, rowShape: [3, 4, 2], rowKind: 'points', scaler: null } as const
    const { field } = new LocalFlow({ ...parts, subFlows: [] })
    const folder = join(work, 'walks')
    await new LocalFlow({ ...parts, subFlows: [{ outputScale: 1, parameters: field.initialise(1, 1) }] }).save(folder)
    expect((await LocalFlow.load(folder)).rowKind).toBe('points')
    const path = join(folder, 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    delete manifest.extra.rowKind
    writeFileSync(path, JSON.stringify({ ...manifest, formatVersion: 1, variants: {} }))
    expect((await LocalFlow.load(folder)).rowKind).toBe('pictures')
  })
})
