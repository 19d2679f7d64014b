/** Bad input ends with exit code 1 and one message that says what was wrong and where it came from; nothing is lost by it. */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { readCheckpointTensors, readManifest } from '../../src/checkpoint/index.js'
import { writeNpy } from '../../src/data/index.js'
import { built, engine, json, jsonError, lfm, start, tensorBits, untilCheckpoint, workFolder } from './lfm.js'

const toy = `
data:  { kind: toy, name: moons, train: 500, test: 50 }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 20 }
ode:   { steps: 2 }
device: ${engine}
`
const forFile = (kind: string, path: string): string => `data: { kind: ${kind}, path: ${path} }\ndevice: ${engine}\n`
const work = workFolder({
  'toy.yaml': toy,
  'text.csv': 'a,b\n1,2\n3,four\n',
  'nan.csv': '1,2\n3,4\n5,NaN\n',
  'infinite.csv': '1,2\n-inf,4\n',
  'ragged.csv': '1,2\n3,4\n5,6,7\n',
  'header.csv': 'a,b\n',
  'empty.csv': '',
  'constant.csv': Array.from({ length: 40 }, (_, i) => `${i},7`).join('\n'),
  'short.npy': 'no numpy',
  'three.csv': '1,2,3\n4,5,6\n',
  'two.csv': '1,2\n3,4\n',
  'broken.yaml': 'data: { kind: toy\n  name: moons',
  ...Object.fromEntries(
    ['text', 'nan', 'infinite', 'ragged', 'header', 'empty', 'constant', 'missing'].map((name) => [
      `${name}.yaml`,
      forFile('csv', `${name}.csv`),
    ]),
  ),
  'npy.yaml': forFile('npy', 'short.npy'),
  'white.yaml': forFile('image-density', 'white.png'),
  'nopicture.yaml': forFile('image-density', 'two.csv'),
})

/** What stderr must hold, and nothing on stdout, no stack, no folder `new`. */
async function refused(args: string[], message: RegExp, env: Record<string, string> = {}, expected = 1): Promise<void> {
  const ended = await lfm(args, { cwd: work, env })
  const { code, stderr } = ended
  expect(code, stderr).toBe(expected)
  const error = jsonError(ended)
  expect(error !== null).toBe(args.includes('--json'))
  if (error) {
    expect(Object.keys(error)).toEqual(['name', 'message', 'exitCode'])
    expect(error.exitCode).toBe(expected)
    expect(stderr).toContain(error.message.split('\n')[0])
  }
  expect(stderr).toMatch(message)
  const said = stderr.split(/^(?:lfm|error): /m)
  expect(said).toHaveLength(2)
  expect(said[1]).not.toMatch(/^\s+at /m)
  expect(existsSync(join(work, 'new'))).toBe(false)
}

beforeAll(async () => {
  built()
  const white = { create: { width: 8, height: 8, channels: 3 as const, background: '#fff' } }
  await sharp(white).png().toFile(join(work, 'white.png'))
  json(await lfm(['train', 'toy.yaml', '--out', 'run', '--json'], { cwd: work }))
})

describe('a config or data file', () => {
  it.concurrent.each<[string, RegExp]>([
    ['nowhere.yaml', /^lfm: nowhere\.yaml cannot be read: there is no such file\./],
    ['.', /^lfm: \. cannot be read: it is a folder\./],
    ['broken.yaml', /^lfm: broken\.yaml: (?:.|\n)*at line 2, column 14/],
    ['missing.yaml', /missing\.csv cannot be read: there is no such file\./],
    ['text.yaml', /text\.csv, line 3: field 2 \('b'\) is 'four', which is no number\./],
    ['nan.yaml', /nan\.csv, line 3: field 2 is NaN; every field must be a finite float32 number\./],
    ['infinite.yaml', /infinite\.csv, line 2: field 1 is -inf; every field must be a finite float32 number\./],
    ['ragged.yaml', /ragged\.csv, line 3: 3 fields, but the first line has 2\./],
    ['header.yaml', /header\.csv has zero rows of numbers; at least one is needed\./],
    ['empty.yaml', /empty\.csv has zero rows of numbers; at least one is needed\./],
    ['constant.yaml', /constant\.csv.*: column 1 is constant: each of the 36 training rows has 7\..*data\.columns/],
    ['npy.yaml', /short\.npy/],
    ['white.yaml', /white\.png has no mass: every pixel is white\./],
    ['nopicture.yaml', /two\.csv/],
  ])('%s is refused', async (config, message) => {
    await refused(['train', config, '--out', 'new', '--json'], message)
  })
})

describe('a setting', () => {
  it.concurrent.each<[string, RegExp]>([
    ['model.hidden=[]', /toy\.yaml: model\.hidden must be a non-empty list of widths, but is \[\]\./],
    ['flow.gammas=[0.1, 0]', /flow\.gammas\[1\] must be a number above 0.*, but is 0\./],
    ['flow.gammas=[-0.1, null]', /flow\.gammas\[0\] must be a number above 0.*, but is -0\.1\./],
    ['flow.gammas=[null, 0.1]', /flow\.gammas\[0\] is null, but only the last of the 2 may be/],
    ['train.steps=[1, 2, 3]', /train\.steps has 3 entries, but there are 2 sub-flows/],
    ['flow.interpolant=[trig]', /flow\.interpolant has 1 entries, but there are 2 sub-flows/],
    [
      'train.batch=501',
      /train\.batch asks for 501 pairs, but there are only 500 training rows\. Take train\.batch ≤ 500/,
    ],
    ['ode.rtol=0', /ode\.rtol must be a number above 0, but is 0\./],
    ['ode.evaluate.atol=0', /ode\.evaluate\.atol must be a number above 0, but is 0\./],
    ['train.stepps=5', /train\.stepps is not a key; did you mean train\.steps\?/],
    ['train.lr=fast', /train\.lr must be a number above 0, but is 'fast'\./],
    ['train.steps', /--set train\.steps: must have the form path=value/],
  ])('%s is refused', async (setting, message) => {
    await refused(['train', 'toy.yaml', '--out', 'new', '--json', '--set', setting], message)
  })

  it.concurrent.each<[string[], RegExp]>([
    [['train', 'toy.yaml'], /^error: required option '--out <run>'/],
    [['train', 'toy.yaml', '--out', 'new', '--device', 'gpu'], /argument 'gpu' is invalid\. Allowed choices are auto/],
    [['trian', 'toy.yaml'], /^error: unknown command 'trian'\n\(Did you mean train\?\)/],
    [['train', 'toy.yaml', '--out', 'toy.yaml/x'], /^lfm: toy\.yaml\/x cannot be used as a run folder/],
    [['sample', 'run', '-n', '0', '-o', 'a.csv'], /'0' is invalid\. It must be a whole number from 1 on\./],
    [
      ['sample', 'run', '-n', '9', '-o', 'a.csv', '--evaluations', '1'],
      /^lfm: evaluations must be at least \d+, for a step of rk4 through each of \d sub-flows?, but is 1\./,
    ],
    [
      ['sample', 'run', '-n', '9', '-o', 'a.csv', '--clock', 'sun'],
      /'sun' is invalid\. Allowed choices are local, angle/,
    ],
    [
      ['sample', 'run', '-n', '9', '-o', 'a.csv', '--solver', 'rk5'],
      /choices are euler, midpoint, heun, rk4, ab2, ddim, dopri5/,
    ],
    [['score', 'run', 'toy.csv', '--steps', '1,0'], /'1,0' is invalid\. It must be a whole number from 1 on\./],
    [['sample', 'run', '-n', '1e13', '-o', 'a.csv'], /n must be at most 4294967296 samples, .* but is 10000000000000/],
    [
      ['sample', 'run', '-n', '9', '-o', 'a.txt'],
      /--output must be a file that ends in \.csv, \.npy, \.parquet or \.png, or a folder, or - for standard output, but is 'a\.txt'/,
    ],
    [['sample', 'run', '-n', '9', '-o', 'no/a.csv'], /no\/a\.csv cannot be written: there is no folder no\./],
    [
      ['score', 'run', 'three.csv'],
      /three\.csv has rows of shape \[3\], but the model in run was trained on rows of \[2\]/,
    ],
    [['score', 'run', 'nan.csv'], /nan\.csv, line 3: field 2 is NaN/],
    [['score', 'run', 'nowhere.csv'], /nowhere\.csv cannot be read: there is no such file\./],
    [['score', 'run', 'toy.yaml'], /toy\.yaml does not have the model's columns 'x', 'y'/],
    [['evaluate', 'run', '--part', 'train'], /--part must be test or validation \('train' is for runs on pictures\)/],
    [['evaluate', 'run', '--features', 'digits'], /--features must be left out: it is for runs on pictures/],
    [['evaluate', 'run', '--part', 'validation'], /no validation part \(data\.validation is 0\)/],
  ])('lfm %j is refused', async (args, message) => {
    // what is wrong with the command line itself is told apart from what is wrong with files
    const misused = /^\^?(error|--)|is invalid|choices are/.test(message.source)
    await refused([...args, '--json'], message, {}, misused ? 2 : 1)
  })
})

describe('a run folder', () => {
  const copy = (): string => {
    rmSync(join(work, 'copy'), { recursive: true, force: true })
    cpSync(join(work, 'run'), join(work, 'copy'), { recursive: true })
    return join(work, 'copy')
  }
  const sample = ['sample', 'copy', '-n', '5', '-o', 'a.csv', '--json']
  const parameters = async (): Promise<string> => {
    const { files } = await readManifest(copy())
    return join(work, 'copy', files.find(({ name }) => name === 'subflow-2.safetensors')!.file)
  }
  // biome-ignore lint/suspicious/noExplicitAny: a manifest that is made wrong on purpose
  const edit = (change: (manifest: any) => void): void => {
    const path = join(copy(), 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    change(manifest)
    writeFileSync(path, JSON.stringify(manifest))
  }

  it('that holds no run cannot be resumed, sampled, scored or evaluated', async () => {
    await refused(['train', 'toy.yaml', '--out', 'new', '--resume', '--json'], /^lfm: new holds no run to resume/)
    await refused(['sample', 'new', '-n', '5', '-o', 'a.csv', '--json'], /^lfm: new holds no run: there is no manifest/)
    await refused(['score', 'new', 'two.csv', '--json'], /^lfm: new holds no run/)
    await refused(['evaluate', 'new', '--json'], /^lfm: new holds no run/)
  })

  it('with a truncated file is refused', async () => {
    const path = await parameters()
    truncateSync(path, 300)
    await refused(
      sample,
      /^lfm: copy\/subflow-2\.\w+\.ck\.safetensors is damaged: it has 300 bytes, but \d+ were written\./,
    )
  })

  it('with a tampered file is refused', async () => {
    const path = await parameters()
    const bytes = readFileSync(path)
    bytes[bytes.length - 3] ^= 1
    writeFileSync(path, bytes)
    await refused(sample, /^lfm: copy\/subflow-2\.\w+\.ck\.safetensors is damaged: its content is not what was written/)
  })

  it('of a newer version is refused', async () => {
    edit((manifest) => {
      manifest.formatVersion = 7
    })
    await refused(sample, /^lfm: copy was written by a newer version .*\(format 7;.*\)\. Install a newer version/)
    await refused(['train', 'toy.yaml', '--out', 'copy', '--resume', '--json'], /newer version/)
  })

  it('of another architecture is refused', async () => {
    edit((manifest) => {
      manifest.config.raw.model.hidden = [24]
    })
    await refused(
      sample,
      /^lfm: .*of another architecture: subflow\.1\.layers\.0\.weight should have the shape \[24, 3\], but has \[16, 3\]\./,
    )
  })

  // biome-ignore lint/suspicious/noExplicitAny: a manifest that is made wrong on purpose
  it.each<[string, (manifest: any) => void, RegExp]>([
    ['the row shape', (m) => delete m.extra.rowShape, /manifest\.json is damaged: extra\.rowShape/],
    ['a negative scale', (m) => Object.assign(m.extra, { scales: [1, -1] }), /is damaged: extra\.scales\.1/],
    ['too few scales', (m) => Object.assign(m.extra, { scales: [1] }), /is damaged: it has 1 output scales of 2/],
    [
      'a scaler of other rows',
      (m) => Object.assign(m.extra, { scaler: { mean: [0], std: [1] } }),
      /is damaged: its scaler/,
    ],
    ['columns of other rows', (m) => Object.assign(m.extra, { columns: ['a'] }), /is damaged: it names 1 columns of 2/],
    [
      'a step that is not',
      (m) => Object.assign(m.progress, { step: 99 }),
      /is damaged: it stands at step 99 of sub-flow 2/,
    ],
    ['an unknown setting', (m) => Object.assign(m.config.raw, { modle: {} }), /the config in copy: modle is not a key/],
  ])('whose manifest has %s wrong is refused', async (_, change, message) => {
    edit(change)
    await refused(sample, message)
  })

  it('that is not finished is not sampled, and says how to finish it', async () => {
    const session = start(
      ['train', 'toy.yaml', '--out', 'half', '--set', 'train.steps=1000000', '--set', 'train.checkpointEvery=5'],
      {
        cwd: work,
      },
    )
    await untilCheckpoint(session, join(work, 'half'), ({ step }) => step > 0)
    session.child.kill('SIGKILL')
    await session.ended
    await refused(
      ['sample', 'half', '-n', '5', '-o', 'a.csv'],
      /^lfm: The run in half is not finished: .*of sub-flow 1 of 2.*--resume/,
    )
  })
})

describe('a training that cannot go on', () => {
  it('as its loss is not finite stops at that step and keeps the last finite parameters', async () => {
    const ended = await lfm(
      ['train', 'toy.yaml', '--out', 'diverged', '--json', '--set', 'train.lr=1e30', '--set', 'model.activation=relu'],
      { cwd: work },
    )
    expect([ended.code, jsonError(ended)?.name]).toEqual([1, 'TrainingError'])
    const [, step] =
      /^lfm: The loss became (?:NaN|-?Infinity) at step (\d+) of sub-flow 1;.*Try a smaller train\.lr/m.exec(
        ended.stderr,
      )!
    const manifest = await readManifest(join(work, 'diverged'))
    expect(manifest.progress).toEqual({ subFlow: 1, step: Number(step) - 1, phase: 'train' })
    expect(ended.stderr).toContain(`Kept: the checkpoint in diverged at step ${Number(step) - 1} of sub-flow 1.`)
    const { tensors } = await readCheckpointTensors(join(work, 'diverged'), manifest, 'training.safetensors')
    expect(tensors.size).toBe(12)
    for (const [name, { values }] of tensors) {
      expect((values as Float32Array).every(Number.isFinite), name).toBe(true)
    }
  })

  it('as its report cannot be written keeps the trained model, and makes the report when there is room', async () => {
    const args = ['train', 'toy.yaml', '--out', 'full', '--json']
    const ended = await lfm(args, { cwd: work, fileLimit: 20 })
    expect([ended.code, jsonError(ended)?.name]).toEqual([1, 'DataError'])
    expect(ended.stderr).toMatch(
      /^lfm: full\/samples\.png cannot be written: .* Kept: the trained model in full\. .* lfm train toy\.yaml --out full --resume$/m,
    )
    expect(ended.stderr).not.toMatch(/^\s+at /m)
    const bits = await tensorBits(join(work, 'full'))
    expect(readdirSync(join(work, 'full')).filter((name) => name.endsWith('.tmp'))).toEqual([])
    json(await lfm([...args, '--resume'], { cwd: work }))
    expect(await tensorBits(join(work, 'full'))).toEqual(bits)
    expect(existsSync(join(work, 'full', 'report.html'))).toBe(true)
  })

  it('as there is no Vulkan driver for webgpu says so, and takes no other device', async () => {
    const none = { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent' }
    await refused(['train', 'toy.yaml', '--out', 'new', '--device', 'webgpu', '--json'], /^lfm: .*Vulkan/m, none)
  })
})

describe('Ctrl-C', () => {
  /** So many rows and steps that the interrupt comes in the midst of the work. */
  beforeAll(async () => {
    cpSync(join(work, 'run'), join(work, 'long'), { recursive: true })
    const path = join(work, 'long', 'manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    manifest.config.raw.ode = { steps: engine === 'native' ? 50 : 5 }
    manifest.config.raw.data.test = 2_000_000
    writeFileSync(path, JSON.stringify(manifest))
    const shape = [2_000_000, 2]
    await writeNpy(join(work, 'long.npy'), { values: new Float32Array(4_000_000), shape })
  })

  it.each([
    [
      'sample',
      ['long', '-n', '5000000', '-o', 'long.csv'],
      /^Interrupted(: nothing was written|\. \d+ of 5000000 rows are kept in \S*long\.csv\.partial: go on with --resume)\.$/,
    ],
    [
      'score',
      ['long', 'long.npy', '-o', 'scores.csv'],
      /^Interrupted(: nothing was written|\. \d+ of \d+ rows are kept in \S*scores\.csv\.partial: go on with --resume)\.$/,
    ],
    ['evaluate', ['long'], /^Interrupted: the report was left as it was\.$/],
  ])('ends lfm %s at once with 130', async (command, args, message) => {
    const before = readFileSync(join(work, 'long', 'manifest.json'), 'utf8')
    // Until the command has taken over the signal, the signal ends the process by itself: then it is tried again, later.
    for (let delay = 500; ; delay *= 2) {
      const session = start([command, ...args, '--json'], { cwd: work })
      const ended = await Promise.race([session.ended, new Promise((resolve) => setTimeout(resolve, delay))])
      expect(ended, 'it ended by itself').toBeUndefined()
      session.child.kill('SIGINT')
      const interrupted = await session.ended
      if (interrupted.signal === 'SIGINT') continue
      expect(interrupted.code).toBe(130)
      expect(jsonError(interrupted)).toEqual({
        name: 'Interrupted',
        message: expect.stringMatching(message),
        exitCode: 130,
      })
      expect(interrupted.stderr.trimEnd()).toMatch(message)
      break
    }
    for (const file of ['long.csv', 'scores.csv']) expect(existsSync(join(work, file))).toBe(false)
    expect(readFileSync(join(work, 'long', 'manifest.json'), 'utf8')).toBe(before)
  })
})
