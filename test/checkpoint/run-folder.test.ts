import type { FileHandle } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  findRun,
  formatVersion,
  type ManifestContent,
  makeRunFolder,
  readCheckpointFile,
  readCheckpointTensors,
  readManifest,
  writeCheckpoint,
  writeFileAtomic,
} from '../../src/checkpoint/index.js'
import { CheckpointError, InvalidArgumentError } from '../../src/errors.js'

/** Makes writing fail: the disk has room for this many more bytes, and renaming fails where it is told to. */
const disk = vi.hoisted(() => ({ room: Infinity, renames: true }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const open = async (...args: Parameters<typeof fs.open>): Promise<FileHandle> => {
    const file = await real.open(...args)
    const write = file.write.bind(file) as (bytes: Uint8Array, start: number, length: number) => Promise<unknown>
    file.write = (async (bytes: Uint8Array, start: number, length: number) => {
      if (length > disk.room) {
        await write(bytes, start, disk.room)
        throw noSpace()
      }
      disk.room -= length
      return write(bytes, start, length)
    }) as typeof file.write
    return file
  }
  const rename = async (...args: Parameters<typeof fs.rename>) => {
    if (!disk.renames) throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
    return real.rename(...args)
  }
  return { ...real, open, rename }
})

let root = ''
let run = ''
let runs = 0
beforeAll(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'lfm-run-'))
})
afterAll(() => fs.rm(root, { recursive: true }))
beforeEach(() => {
  run = join(root, `run-${runs++}`)
})
afterEach(() => {
  disk.room = Infinity
  disk.renames = true
})

const content = (step: number): ManifestContent => ({
  packageVersion: '0.1.0',
  created: '2026-01-01T00:00:00.000Z',
  config: { raw: { seed: 1 }, resolved: { seed: 1 } },
  seed: 1,
  device: { kind: 'reference' },
  variants: { reference: { linear_forward: 'plain' } },
  progress: { subFlow: 2, step, phase: 'train' },
})
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const bytesOf = (value: string) => new Uint8Array(Buffer.from(value))
const write = (step: number, files: Record<string, string>, keep?: string[]) =>
  writeCheckpoint(run, {
    files: Object.fromEntries(Object.entries(files).map(([name, value]) => [name, bytesOf(value)])),
    keep,
    manifest: content(step),
  })

async function editManifest(edit: (manifest: Record<string, never>) => unknown): Promise<void> {
  const path = join(run, 'manifest.json')
  const manifest = JSON.parse(await fs.readFile(path, 'utf8'))
  await fs.writeFile(path, JSON.stringify(edit(manifest) ?? manifest))
}

describe('a manifest of format 1', () => {
  it('is read as one of today: its variants are those of its device', async () => {
    await write(7, { 'notes.txt': 'hello' })
    await editManifest((manifest) => ({ ...manifest, formatVersion: 1, variants: { linear_forward: 'plain' } }))
    expect(await readManifest(run)).toMatchObject({
      formatVersion,
      variants: { reference: { linear_forward: 'plain' } },
      progress: content(7).progress,
    })
  })
})

describe('a checkpoint', () => {
  it('is read back as it was written', async () => {
    const written = await writeCheckpoint(run, {
      files: {
        'notes.txt': bytesOf('hello'),
        'subflow.0.safetensors': {
          tensors: { w: { values: Float32Array.of(1, 2), shape: [2] } },
          metadata: { n: '1' },
        },
      },
      manifest: { ...content(7), extra: { mine: [1, 2] }, evaluation: { nll: 1.5 } },
    })
    const manifest = await readManifest(run)
    expect(manifest).toEqual(written)
    expect(manifest).toMatchObject({ formatVersion, ...content(7), extra: { mine: [1, 2] }, evaluation: { nll: 1.5 } })
    expect(text(await readCheckpointFile(run, manifest, 'notes.txt'))).toBe('hello')
    const { tensors, metadata } = await readCheckpointTensors(run, manifest, 'subflow.0.safetensors')
    expect(tensors.get('w')).toEqual({ values: Float32Array.of(1, 2), shape: [2] })
    expect(metadata).toEqual({ n: '1' })
    await expect(readCheckpointFile(run, manifest, 'pool.safetensors')).rejects.toThrow("no file 'pool.safetensors'")
  })

  it('replaces the one before, carries files over without writing them, and leaves other files alone', async () => {
    const first = await write(1, { 'a.bin': 'a1', 'b.bin': 'b1', 'c.bin': 'c1' })
    await fs.writeFile(join(run, 'report.html'), 'mine')
    await fs.writeFile(join(run, 'a.bin'), 'mine')
    const left = join(run, '.a.bin.0123456789abcdef0123.tmp')
    await fs.writeFile(left, 'left on another machine by a killed writer')
    await fs.utimes(left, new Date(0), new Date(0))
    const second = await write(2, { 'b.bin': 'b2' }, ['a.bin'])
    expect(second.files.find(({ name }) => name === 'a.bin')).toEqual(first.files[0])
    const manifest = await readManifest(run)
    expect(manifest.progress.step).toBe(2)
    expect(text(await readCheckpointFile(run, manifest, 'a.bin'))).toBe('a1')
    expect(text(await readCheckpointFile(run, manifest, 'b.bin'))).toBe('b2')
    const expected = ['manifest.json', 'report.html', 'a.bin', ...second.files.map(({ file }) => file)]
    expect((await fs.readdir(run)).sort()).toEqual(expected.sort())
    await expect(write(3, {}, ['c.bin'])).rejects.toThrow("no file 'c.bin' to carry over")
    await expect(write(3, { 'a.bin': '' }, ['a.bin'])).rejects.toThrow(InvalidArgumentError)
  })

  it('has no names that lead out of its folder', async () => {
    for (const name of ['../a.bin', 'a/b.bin', '.bin', 'a', '']) {
      await expect(write(1, { [name]: 'x' })).rejects.toThrow(InvalidArgumentError)
    }
    const { files } = await write(1, { 'a.bin': 'x' })
    await fs.writeFile(join(root, 'secret.0123456789abcdef.ck.bin'), 'x')
    const outside = '../secret.0123456789abcdef.ck.bin'
    await editManifest((manifest) => ({ ...manifest, files: [{ ...files[0], file: outside }] }))
    await expect(readManifest(run)).rejects.toThrow(/manifest\.json is damaged: files\.0\.file/)
  })
})

describe('damage is found and named', () => {
  it('in a file that was cut off, changed or removed', async () => {
    const manifest = await write(1, { 'a.bin': 'some bytes' })
    const path = join(run, manifest.files[0].file)
    await fs.writeFile(path, 'some byteS')
    await expect(readCheckpointFile(run, manifest, 'a.bin')).rejects.toThrow(`${path} is damaged: its content`)
    await fs.writeFile(path, 'some')
    await expect(readCheckpointFile(run, manifest, 'a.bin')).rejects.toThrow('has 4 bytes, but 10 were written')
    await fs.rm(path)
    const missing = expect(readCheckpointFile(run, manifest, 'a.bin')).rejects
    await missing.toThrow(`${path} cannot be read: there is no such file.`)
    await expect(readCheckpointFile(run, manifest, 'a.bin')).rejects.toBeInstanceOf(CheckpointError)
  })

  it('in a manifest that is cut off or lacks something', async () => {
    const { files } = await write(1, { 'a.bin': 'x' })
    await editManifest((manifest) => ({ ...manifest, files: [files[0], files[0]] }))
    await expect(readManifest(run)).rejects.toThrow('names a.bin twice')
    await editManifest((manifest) => ({ ...manifest, files: [{ ...files[0], size: -1 }] }))
    await expect(readManifest(run)).rejects.toThrow('files.0.size')
    await editManifest((manifest) => ({ ...manifest, progress: undefined }))
    await expect(readManifest(run)).rejects.toThrow('damaged: progress')
    await fs.writeFile(join(run, 'manifest.json'), '{"formatVersion": 1')
    await expect(readManifest(run)).rejects.toThrow('damaged: it is no JSON')
    await expect(readManifest(run)).rejects.toBeInstanceOf(CheckpointError)
  })

  it('not in a folder of a newer version, which is said to be newer', async () => {
    await write(1, {})
    await editManifest(() => ({ formatVersion: formatVersion + 1, other: 'layout' }))
    await expect(readManifest(run)).rejects.toThrow(
      /newer version of local-flow-matching \(format 3; this one reads up to 2/,
    )
    await expect(readManifest(run)).rejects.toBeInstanceOf(CheckpointError)
  })
})

describe('when the disk is full', () => {
  it.each([0, 3, 12, 40])('with %i bytes left, the last good checkpoint is kept and named', async (room) => {
    await write(5, { 'a.bin': 'first file', 'b.bin': 'second file' })
    const before = (await fs.readdir(run)).sort()
    disk.room = room
    const refused = write(6, { 'a.bin': 'later file', 'b.bin': 'later second file' })
    await expect(refused).rejects.toThrow(
      /cannot be written to .*: no space is left on the disk\. Kept: the checkpoint at sub-flow 2, step 5, of 20/,
    )
    await expect(refused).rejects.toBeInstanceOf(CheckpointError)
    expect((await fs.readdir(run)).sort()).toEqual(before)
    const manifest = await readManifest(run)
    expect(text(await readCheckpointFile(run, manifest, 'a.bin'))).toBe('first file')
    disk.room = Infinity
    await write(6, { 'a.bin': 'later file' })
    expect((await readManifest(run)).progress.step).toBe(6)
  })

  it('and there was no checkpoint, that is said, and the folder stays free', async () => {
    disk.room = 5
    await expect(write(1, { 'a.bin': 'too long for it' })).rejects.toThrow('There was no checkpoint before it.')
    expect(await fs.readdir(run)).toEqual([])
    expect(await findRun(run)).toBeNull()
  })

  it('or the manifest cannot be put in place, nothing has changed', async () => {
    await write(1, { 'a.bin': 'first' })
    const before = (await fs.readdir(run)).sort()
    disk.renames = false
    await expect(write(2, { 'a.bin': 'second' })).rejects.toThrow('the file system is read-only. Kept: the checkpoint')
    expect((await fs.readdir(run)).sort()).toEqual(before)
  })

  it('a file that is written alone keeps its old content', async () => {
    const path = join(root, 'losses.csv')
    await writeFileAtomic(path, 'old')
    disk.room = 2
    await expect(writeFileAtomic(path, 'new content')).rejects.toThrow('ENOSPC')
    expect(await fs.readFile(path, 'utf8')).toBe('old')
    expect((await fs.readdir(root)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('a run folder', () => {
  it('is made where there is none, and may be there already without a run', async () => {
    const deep = join(run, 'a/b')
    expect(await findRun(deep)).toBeNull()
    await makeRunFolder(deep)
    expect(await fs.readdir(deep)).toEqual([])
    await fs.writeFile(join(deep, 'notes.txt'), '')
    expect(await findRun(deep)).toBeNull()
    await makeRunFolder(deep)
    expect(await fs.readdir(deep)).toEqual(['notes.txt'])
  })

  it('that holds a run is refused unless it is resumed or replaced, and is replaced by a checkpoint alone', async () => {
    await write(3, { 'a.bin': 'x' })
    await fs.writeFile(join(run, 'notes.txt'), '')
    const before = await fs.readdir(run)
    await expect(findRun(run)).rejects.toThrow(/already holds a run\. .*--resume.*--force/)
    await expect(findRun(run)).rejects.toBeInstanceOf(CheckpointError)
    expect((await findRun(run, { resume: true }))?.progress.step).toBe(3)
    await expect(findRun(run, { resume: true, force: true })).rejects.toThrow(InvalidArgumentError)
    expect(await findRun(run, { force: true })).toBeNull()
    await makeRunFolder(run)
    expect(await fs.readdir(run)).toEqual(before)
    const { files } = await write(1, { 'b.bin': 'y' })
    expect((await fs.readdir(run)).sort()).toEqual([files[0].file, 'manifest.json', 'notes.txt'].sort())
  })

  it('that holds a damaged or newer run can be replaced, not resumed', async () => {
    const { files: old } = await write(3, { 'a.bin': 'x' })
    await fs.writeFile(join(run, 'manifest.json'), '{"formatVersion": 99}')
    await expect(findRun(run)).rejects.toThrow('already holds a run')
    await expect(findRun(run, { resume: true })).rejects.toThrow('newer version')
    expect(await findRun(run, { force: true })).toBeNull()
    await write(1, { 'b.bin': 'y' })
    expect((await readManifest(run)).progress.step).toBe(1)
    expect(await fs.readdir(run)).not.toContain(old[0].file)
  })

  it('without a run cannot be resumed or read', async () => {
    await expect(findRun(run, { resume: true })).rejects.toThrow('holds no run to resume')
    await expect(readManifest(run)).rejects.toThrow('holds no run: there is no manifest.json in it.')
  })

  it('that is a file is refused', async () => {
    await fs.writeFile(run, '')
    await expect(makeRunFolder(run)).rejects.toThrow(CheckpointError)
    await expect(makeRunFolder(run)).rejects.toThrow('a file of that name is there')
  })
})
