import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseOptions } from '../../bench/options.js'
import { barsOf } from '../../bench/picture.js'
import { compareResults, comparisonText, type Result, type Row, readResult } from '../../bench/result.js'
import { runRounds } from '../../bench/rounds.js'
import { digits, tableHead, tableLine } from '../../bench/table.js'

const row = (given: Partial<Row> = {}): Row => ({
  suite: 'step',
  shape: 'rose',
  rows: 10_000,
  device: 'native',
  peer: null,
  ms: 20,
  gflops: 396,
  peakShare: 0.8,
  ratio: null,
  spread: 0.02,
  ...given,
})

const result = (...rows: Row[]): Result => ({
  machine: { cpu: 'a', cores: 2, memoryGiB: 8, system: 'b', cpuTarget: 'avx2', threads: 2, peak: 498 },
  adapter: null,
  commit: 'abc',
  versions: {},
  quick: false,
  rows,
})

describe('bench: options', () => {
  it('add PyTorch to the peers, clear them, or name some alone', () => {
    expect(parseOptions([]).peers).toEqual(['tfjs-cpu', 'tfjs-wasm', 'tfjs-webgpu', 'onnxruntime'])
    expect(parseOptions(['--peer', 'pytorch']).peers).toHaveLength(5)
    expect(parseOptions(['--peer', 'none']).peers).toEqual([])
    expect(parseOptions(['--peer', 'none,pytorch', '--peer', 'tfjs-wasm']).peers).toEqual(['tfjs-wasm', 'pytorch'])
  })

  it('may be repeated or listed', () => {
    const { filters, devices } = parseOptions(['--filter', 'step,rk4', '--filter', 'tiny', '--device', 'native,webgpu'])
    expect(filters).toEqual(['step', 'rk4', 'tiny'])
    expect(devices).toEqual(['native', 'webgpu'])
    expect(parseOptions([]).devices).toBeNull()
  })

  it('are named where they are wrong', () => {
    expect(() => parseOptions(['--device', 'cuda'])).toThrow(/native, webgpu, reference, but is 'cuda'/)
    expect(() => parseOptions(['--peer', 'jax'])).toThrow(/one-thread, none, but is 'jax'/)
    expect(() => parseOptions(['--fliter', 'x'])).toThrow(/--fliter[\s\S]*--filter NAME/)
    expect(() => parseOptions(['--picture', 'x.gif'])).toThrow(/\.png or \.svg/)
    expect(() => parseOptions(['--variant', 'fused'])).toThrow(/as in integrate=fused, but is 'fused'/)
  })
})

describe('bench: comparison', () => {
  it('tells by how much of the spread a case changed, by shares of the peak where both have one', () => {
    const [change] = compareResults(result(row()), result(row({ ms: 40, peakShare: 0.4, spread: 0.1 })))
    expect(change).toMatchObject({ by: 'share of peak', change: 1 })
    expect(change.spreads).toBeCloseTo(10, 6)
    const [timed] = compareResults(result(row({ peakShare: null })), result(row({ ms: 10 })))
    expect(timed).toMatchObject({ by: 'time', change: -0.5 })
  })

  it('sets against each other only what was measured at the same size on the same device', () => {
    expect(compareResults(result(row({ rows: 100 })), result(row()))).toEqual([])
    expect(compareResults(result(row({ device: 'webgpu' })), result(row()))).toEqual([])
    expect(compareResults(result(row({ peer: 'tfjs-cpu' })), result(row({ peer: 'tfjs-cpu' })))).toEqual([])
  })

  it('prints what moved, and how many did not', () => {
    const before = result(row(), row({ shape: 'tiny' }))
    const after = result(row({ peakShare: 0.4 }), row({ shape: 'tiny', peakShare: 0.799 }))
    const text = comparisonText(compareResults(before, after))
    expect(text).toContain('step/rose (B 10000) on native: 100.0 % slower by share of peak, 50.0 times the spread')
    expect(text).toContain('1 of 2 cases changed by no more')
    expect(comparisonText([])).toContain('No case')
  })

  const folder = mkdtempSync(join(tmpdir(), 'lfm-bench-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('reads what was written, and refuses other files', () => {
    const path = join(folder, 'a.json')
    writeFileSync(path, JSON.stringify(result(row())))
    expect(readResult(path).rows[0]).toEqual(row())
    expect(() => readResult(join(folder, 'none.json'))).toThrow(/could not be read/)
    for (const text of ['{}', '[]', 'null', '{"rows":[{}]}', '{"rows":[null]}']) {
      writeFileSync(path, text)
      expect(() => readResult(path), text).toThrow(/not a result of this bench/)
    }
    writeFileSync(path, 'x')
    expect(() => readResult(path)).toThrow(/could not be read/)
  })
})

describe('bench: table and picture', () => {
  const beside = [row({ peer: 'tfjs-wasm', rows: 1000, ratio: 61.2, spread: 0.05, ms: 900, gflops: 2 })]

  it('says the rows of a peer that took fewer', () => {
    const line = tableLine(row(), ['tfjs-cpu', 'tfjs-wasm'], beside)
    expect(line).toContain('step/rose')
    expect(line).toContain('80 %')
    expect(line).toContain('61.2 ±5.0 % B 1000')
    expect(tableLine(row(), ['tfjs-wasm'], [{ ...beside[0], rows: 10_000 }])).not.toContain('B 10')
    expect(tableHead(['tfjs-wasm'])).toContain('× tfjs-wasm')
  })

  it('keeps three digits', () => {
    expect([0.01234, 0.1234, 1.234, 123.4, 12345.6].map(digits)).toEqual(['0.0123', '0.123', '1.23', '123', '12346'])
  })

  it('draws each side once, ours first, a peer with its larger batch', () => {
    const again = { ...beside[0], device: 'webgpu', rows: 20, gflops: 0.1 }
    const bars = barsOf(result(row(), ...beside, row({ device: 'webgpu' }), again))
    expect(bars.map((bar) => bar.group)).toEqual(['native', 'webgpu', 'tfjs-wasm'])
    expect(bars[2].value).toBe(beside[0].gflops)
  })
})

describe('bench: rounds by benny', () => {
  const group = (name: string, log: string[], fail = false) => ({
    name,
    setUp: async () => void log.push(`open ${name}`),
    round: async () => {
      log.push(name)
      await new Promise((done) => setTimeout(done, 2))
      if (fail) throw new Error('broken')
    },
    report: () => void log.push(`report ${name}`),
    tearDown: async () => void log.push(`close ${name}`),
  })

  it('run one group after the other, each opened once, and report it', async () => {
    const log: string[] = []
    await runRounds('two groups', [group('a', log), group('b', log)], 3)
    const order = log.filter((entry, i) => entry !== log[i - 1])
    expect(order).toEqual(['open a', 'a', 'report a', 'close a', 'open b', 'b', 'report b', 'close b'])
    expect(log.filter((entry) => entry === 'a').length).toBeGreaterThanOrEqual(3)
    expect(log.filter((entry) => entry === 'a').length).toBeLessThanOrEqual(5)
  })

  it('end with the error of a round, after closing what was open', async () => {
    const log: string[] = []
    await expect(runRounds('a failure', [group('a', log, true), group('b', log)], 3)).rejects.toThrow('broken')
    expect(log).toEqual(['open a', 'a', 'close a'])
  })
})
