/** A run on pictures from the config to the report: what is printed, drawn and written, and what is refused. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { readNpy, writeNpy } from '../../src/data/npy.js'
import {
  built,
  type Ended,
  engine,
  json,
  lfm,
  readText,
  startProcess,
  tensorBits,
  untilCheckpoint,
  workFolder,
} from './lfm.js'

const [n, side] = [300, 16]
/** Bars of random places and heights: 8-bit pictures with something to learn. */
const bars = Uint8Array.from({ length: n * side * side }, (_, at) => {
  const [i, x, y] = [Math.floor(at / side ** 2), at % side, Math.floor(at / side) % side]
  return Math.abs(x - 3 - ((7 * i) % 10)) <= 1 && y > (3 * i) % 9 && y < 14 ? 255 - ((i + x) % 50) : (i + x + y) % 20
})
const config = `
data:  { kind: npy, path: bars.npy, test: 60, flips: true }
model: { hidden: [24], activation: silu }
flow:  { gammas: [0.3, null] }
train: { batch: 64, steps: [40, 40], lr: 0.01, checkpointEvery: 20 }
ode:   { solver: midpoint, steps: 2, evaluate: { trace: hutchinson, probes: 1 } }
`
const work = workFolder({ 'bars.yaml': config })
const run = join(work, 'run')
const train = (out: string, more: string[] = []) =>
  lfm(['train', 'bars.yaml', '--out', out, '--device', engine, ...more], { cwd: work })
const on = (...args: string[]) => lfm([args[0], 'run', ...args.slice(1), '--device', engine], { cwd: work })

let trained: Ended
beforeAll(async () => {
  built()
  await writeNpy(join(work, 'bars.npy'), { values: bars, shape: [n, 1, side, side] })
  trained = await train('run', ['--json'])
}, 120_000)

describe('lfm train', () => {
  it('draws samples, both chains, neighbours and interpolations, and puts them into the report', async () => {
    json(trained)
    // a picture of 16 pixels is shown five times as large, seven times on its way along a chain of three states, whose numbers
    // stand above in a line of 24
    const sizes = {
      samples: [8 * 82 + 2, 8 * 82 + 2],
      'forward-chain': [3 * 114 + 2, 6 * 114 + 2 + 24],
      'backward-chain': [3 * 114 + 2, 6 * 114 + 2 + 24],
      interpolation: [9 * 82 + 2, 4 * 82 + 2],
      neighbours: [7 * 82 + 2 + 12, 8 * 82 + 2 + 24],
    }
    for (const [name, size] of Object.entries(sizes)) {
      const { width, height } = await sharp(join(run, `${name}.png`)).metadata()
      expect([width, height], name).toEqual(size)
    }
    const page = readText(run, 'report.html')
    for (const heading of ['Beside their neighbours', 'Between two noises', 'Quality of the samples']) {
      expect(page).toContain(`<h2>${heading}</h2>`)
    }
    expect(page).toContain('64 samples, none left out')
    expect(page).toContain('240 pictures to train, 60 to test')
  })

  it('shows the pictures themselves in the first column of the forward chain', async () => {
    const { data, info } = await sharp(join(run, 'forward-chain.png')).raw().toBuffer({ resolveWithObject: true })
    const pixel = (x: number, y: number): number => data[(y * info.width + x) * info.channels]
    const top = Array.from({ length: side ** 2 }, (_, k) =>
      pixel(5 + 7 * (k % side), 24 + 5 + 7 * Math.floor(k / side)),
    )
    const found = Array.from({ length: n }, (_, i) => bars.subarray(i * side ** 2, (i + 1) * side ** 2)).some((bar) =>
      top.every((value, k) => value === bar[k]),
    )
    expect(found).toBe(true)
  })

  it('ends bit-identical where it was killed in the middle and resumed', async () => {
    const started = startProcess(
      [process.execPath, join(built(), 'cli/main.js'), 'train', 'bars.yaml', '--out', 'cut', '--device', engine],
      { cwd: work },
    )
    await untilCheckpoint(started, join(work, 'cut'), ({ subFlow, step }) => subFlow > 1 || step >= 20)
    started.child.kill('SIGKILL')
    await started.ended
    json(await train('cut', ['--resume', '--json']))
    expect(await tensorBits(join(work, 'cut'))).toEqual(await tensorBits(run))
  })
})

describe('lfm evaluate', () => {
  it('measures the samples, and the likelihood of as many pictures as are asked for', async () => {
    const result = json(await on('evaluate', '--samples', '80', '--likelihood', '3', '--json'))
    expect(result).toMatchObject({
      part: 'test',
      samples: 80,
      features: 'digits',
      against: { part: 'test', n: 60 },
      n: 3,
    })
    const { fid, floor, precision, recall, nfe, bitsPerDim, nll } = result as Record<string, number>
    expect(fid).toBeGreaterThan(floor)
    expect(floor).toBeGreaterThan(0)
    for (const share of [precision, recall]) expect(share >= 0 && share <= 1).toBe(true)
    expect(nfe).toBe(8)
    expect(bitsPerDim).toBeCloseTo(nll / side ** 2 / Math.LN2 + Math.log2(127.5), 9)
    const page = readText(run, 'report.html')
    expect(page).toContain(`80, against 60 test pictures`)
    expect(page).toContain('Bits per dimension')
    expect((await readManifest(run)).evaluation).toMatchObject({ n: 3 })
  })

  it('draws with another solver where one is named, and says so', async () => {
    const { stdout } = await on('evaluate', '--samples', '60', '--solver', 'euler', '--steps', '3', '--part', 'train')
    expect(stdout).toMatch(/FID of 60 samples against 240 train pictures: \d/)
    expect(stdout).toContain('6 function evaluations a sample (euler, 3 steps a sub-flow)')
  })

  it('refuses features that do not fit', async () => {
    expect((await on('evaluate', '--features', 'inception')).stderr).toContain(
      '--features must be digits, for grey squares, or an ONNX file',
    )
    expect((await on('evaluate', '--resize', 'clean')).stderr).toContain('--resize must be left out')
    writeFileSync(join(work, 'no.onnx'), 'no')
    expect((await on('evaluate', '--features', 'no.onnx', '--samples', '4')).stderr).toContain(
      'cannot be read as an ONNX',
    )
  })
})

describe('lfm sample and score', () => {
  it('write a grid, a folder and an array, and read the folder back', async () => {
    expect((await on('sample', '-n', '5', '-o', 'grid.png')).code).toBe(0)
    expect((await sharp(join(work, 'grid.png')).metadata()).width).toBe(66 * 3 + 2)
    expect((await on('sample', '-n', '5', '-o', 'made')).code).toBe(0)
    const names = ['00000.png', '00001.png', '00002.png', '00003.png', '00004.png']
    expect(readdirSync(join(work, 'made')).sort()).toEqual(names)
    await on('sample', '-n', '5', '-o', 'made.npy')
    const { values, shape } = await readNpy(join(work, 'made.npy'))
    expect(shape).toEqual([5, 1, side, side])
    const third = sharp(join(work, 'made', '00003.png'))
    expect(await third.metadata()).toMatchObject({ width: side, height: side, channels: 1 })
    const data = await third.extractChannel(0).raw().toBuffer()
    const own = values.subarray(3 * side ** 2, 4 * side ** 2)
    own.forEach((value, k) => {
      expect(Math.abs(data[k] - Math.min(255, Math.max(0, 127.5 * value + 127.5)))).toBeLessThanOrEqual(0.5001)
    })
    const scored = json(await on('score', 'made', '--json'))
    const { nll, bitsPerDim } = scored as Record<string, number>
    expect(scored).toMatchObject({ n: 5 })
    expect(bitsPerDim).toBeCloseTo(nll / side ** 2 / Math.LN2 + Math.log2(127.5), 9)
    expect((await on('sample', '-n', '5', '-o', 'made.csv')).stderr).toContain('.npy or .png, or a folder')
  })
})

it('bad pictures are found before anything is trained', async () => {
  const folder = join(work, 'photos')
  mkdirSync(folder)
  const write = (name: string, width: number) =>
    sharp({ create: { width, height: 20, channels: 3, background: '#456' } }).toFile(join(folder, name))
  await write('a.png', 20)
  await write('b.png', 24)
  writeFileSync(join(work, 'photos.yaml'), 'data: { kind: images, path: photos }\n')
  const message = async (...set: string[]) => {
    const ended = await lfm(
      ['train', 'photos.yaml', '--out', 'photos-run', '--device', engine, ...set.flatMap((s) => ['--set', s])],
      { cwd: work },
    )
    expect(ended.code).toBe(1)
    expect(existsSync(join(work, 'photos-run'))).toBe(false)
    return ended.stderr
  }
  expect(await message()).toContain('b.png is 24×20 pixels, but the first picture')
  expect(await message('data.size=32')).toContain('a.png is 20×20 pixels, less than the 32×32')
  writeFileSync(join(folder, 'c.png'), readFileSync(join(work, 'photos.yaml')))
  expect(await message('data.size=16')).toContain('c.png cannot be read as a picture; 2 of the 3 files are good')
})
