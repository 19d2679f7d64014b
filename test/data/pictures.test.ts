/** Sets of pictures: IDX, CIFAR-10, folders and .npy, how they are made smaller and split, and what is refused. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config/index.js'
import { decodeCifar10, readCifar10 } from '../../src/data/cifar10.js'
import { decodeIdx, readIdxPictures } from '../../src/data/idx.js'
import { readImageFolder } from '../../src/data/image-folder.js'
import { loadData, writeNpy } from '../../src/data/index.js'
import { shrink } from '../../src/data/pictures.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-pictures-'))
afterAll(() => rmSync(dir, { recursive: true }))

let made = 0
const file = (bytes: Uint8Array): string => {
  const path = join(dir, `${made++}`)
  writeFileSync(path, bytes)
  return path
}
const folder = (): string => {
  const path = join(dir, `${made++}`)
  mkdirSync(path)
  return path
}
const load = (data: object, seed = 0) => loadData(resolveConfig({ data }).data, { seed, baseDir: dir })

function idx(shape: readonly number[], values: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length)
  bytes.set([0, 0, type, shape.length])
  shape.forEach((extent, i) => {
    new DataView(bytes.buffer).setUint32(4 + 4 * i, extent)
  })
  bytes.set(Uint8Array.from(values), 4 + 4 * shape.length)
  return bytes
}
const counting = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i)

describe('IDX', () => {
  it('is read with its classes, packed or not', async () => {
    const labels = file(idx([2], [7, 3]))
    for (const pack of [(bytes: Uint8Array) => bytes, gzipSync]) {
      const { tensor, labels: classes } = await readIdxPictures(file(pack(idx([2, 2, 3], counting(12)))), labels)
      expect(tensor.shape).toEqual([2, 1, 2, 3])
      expect([...tensor.values]).toEqual([...counting(12)])
      expect([...classes!]).toEqual([7, 3])
    }
  })

  it.each([
    ['other first bytes', Uint8Array.of(1, 0, 8, 1, 0, 0, 0, 0), 'is no IDX file'],
    ['another type', idx([1], [0], 0xd), 'IDX type 0xd, but must hold unsigned bytes'],
    ['a header that is cut off', Uint8Array.of(0, 0, 8, 3, 0, 0), 'is cut off or damaged'],
    ['no dimension', Uint8Array.of(0, 0, 8, 0), 'its header is of 0 dimensions'],
    ['values that are cut off', idx([3, 4, 4], counting(40)), 'has 40 bytes of values'],
    ['extents whose product is no whole number', idx([2 ** 31, 2 ** 31, 2 ** 31], []), 'has 0 bytes of values'],
  ])('is refused with %s', (_, bytes, message) => {
    expect(() => decodeIdx(bytes, 'digits')).toThrow(message)
  })

  it('is refused where pictures and labels do not fit, and where a packed file is damaged', async () => {
    const pictures = file(idx([2, 2, 2], counting(8)))
    await expect(readIdxPictures(pictures, file(idx([3], [1, 2, 3])))).rejects.toThrow(
      'has 3 labels, but there are 2 pictures',
    )
    await expect(readIdxPictures(file(idx([8], counting(8))))).rejects.toThrow('must hold pictures [n, height, width]')
    await expect(readIdxPictures(file(Uint8Array.of(0x1f, 0x8b, 8, 0)))).rejects.toThrow('cannot be unpacked')
  })

  it('has test pictures of its own', async () => {
    const train = file(idx([5, 2, 2], counting(20)))
    const test = file(idx([3, 2, 2], counting(12).reverse()))
    const labels = file(idx([5], [0, 1, 2, 3, 4]))
    const testLabels = file(idx([3], [9, 8, 7]))
    const data = await load({
      kind: 'idx',
      path: train,
      labels,
      testPath: test,
      testLabels,
      test: 2,
      validation: 1,
      flips: true,
    })
    expect([data.train, data.validation, data.test].map((part) => part?.shape)).toEqual([
      [4, 1, 2, 2],
      [1, 1, 2, 2],
      [2, 1, 2, 2],
    ])
    expect([...data.labels!.test!]).toEqual([9, 8])
    // a class goes with its picture: picture k begins with 4k
    data.labels!.train!.forEach((label, i) => {
      expect(data.train.values[4 * i]).toBe(4 * label)
    })
    expect(data.flips).toBe(true)
    expect(data.scaler).toBeNull()
  })
})

describe('CIFAR-10', () => {
  const record = (label: number, value: number): number[] => [label, ...new Array(3072).fill(value)]

  it('is read from its files in order', async () => {
    const at = folder()
    for (let i = 1; i <= 5; i++) writeFileSync(join(at, `data_batch_${i}.bin`), Uint8Array.from(record(i, 10 * i)))
    writeFileSync(join(at, 'test_batch.bin'), Uint8Array.from([...record(9, 99), ...record(0, 1)]))
    const { tensor, labels } = await readCifar10(at, 'train')
    expect(tensor.shape).toEqual([5, 3, 32, 32])
    expect([0, 1, 2, 3, 4].map((i) => tensor.values[3072 * i + 5])).toEqual([10, 20, 30, 40, 50])
    expect([...labels!]).toEqual([1, 2, 3, 4, 5])
    const data = await load({ kind: 'cifar10', path: at })
    expect([data.train.shape[0], data.test?.shape[0]]).toEqual([5, 2])
    await expect(load({ kind: 'cifar10', path: folder() })).rejects.toThrow('batch.bin cannot be read')
  })

  it('has every pixel in its place behind the class', () => {
    const pixels = Array.from({ length: 2 * 3072 }, (_, i) => (7 * i + (i >> 5)) % 256)
    const { tensor, labels } = decodeCifar10(Uint8Array.from([4, ...pixels.slice(0, 3072), 9, ...pixels.slice(3072)]))
    expect([...tensor.values]).toEqual(pixels)
    expect([...labels!]).toEqual([4, 9])
  })

  it.each([
    ['records that are cut off', record(1, 0).slice(1), 'has 3072 bytes, which is no whole number of records of 3073'],
    ['no records', [], 'has 0 bytes'],
    ['a class that there is not', [...record(3, 0), ...record(10, 0)], 'record 1 (from 0): the class is 10'],
  ])('is refused with %s', (_, bytes, message) => {
    expect(() => decodeCifar10(Uint8Array.from(bytes), 'batch')).toThrow(message)
  })
})

describe('a folder of pictures', () => {
  const write = (path: string, width: number, height: number, rgb: [number, number, number]) =>
    sharp({ create: { width, height, channels: 3, background: { r: rgb[0], g: rgb[1], b: rgb[2] } } }).toFile(path)

  it('is read in the order of names, whatever the format', async () => {
    const at = folder()
    await write(join(at, 'b.png'), 3, 2, [1, 2, 3])
    await write(join(at, 'a.webp'), 3, 2, [250, 250, 250])
    await write(join(at, 'c.JPG'), 3, 2, [128, 128, 128])
    writeFileSync(join(at, 'LICENSE'), 'of the pictures')
    const { tensor, labels } = await readImageFolder(at)
    expect(tensor.shape).toEqual([3, 3, 2, 3])
    expect(labels).toBeNull()
    // red, green and blue of b.png, a plane each
    expect([...tensor.values.subarray(18, 36)]).toEqual([1, 2, 3].flatMap((value) => new Array(6).fill(value)))
    expect(tensor.values[0]).toBeGreaterThan(245)
    expect(Math.abs(tensor.values[36] - 128)).toBeLessThan(4)
  })

  it('has a class for each folder inside', async () => {
    const at = folder()
    for (const name of ['cats', 'dogs', 'empty']) mkdirSync(join(at, name))
    await write(join(at, 'dogs', '1.png'), 4, 4, [9, 9, 9])
    await write(join(at, 'cats', '2.png'), 4, 4, [8, 8, 8])
    await write(join(at, 'cats', '1.png'), 4, 4, [7, 7, 7])
    const { tensor, labels } = await readImageFolder(at, { channels: 'grey' })
    expect(tensor.shape).toEqual([3, 1, 4, 4])
    expect([0, 16, 32].map((i) => tensor.values[i])).toEqual([7, 8, 9])
    expect([...labels!]).toEqual([0, 0, 1])
    expect((await readImageFolder(at, { limit: 2 })).tensor.shape[0]).toBe(2)
  })

  it('is cut to the centre and resized where a size is given', async () => {
    const at = folder()
    await write(join(at, '1.png'), 8, 6, [50, 60, 70])
    await write(join(at, '2.png'), 5, 7, [5, 6, 7])
    const { tensor } = await readImageFolder(at, { size: 4 })
    expect(tensor.shape).toEqual([2, 3, 4, 4])
    expect([tensor.values[0], tensor.values[16], tensor.values[48]]).toEqual([50, 60, 5])
    await expect(readImageFolder(at)).rejects.toThrow('2.png is 5×7 pixels, but the first picture')
    await expect(readImageFolder(at)).rejects.toThrow('1 of 2 differ from it. Give data.size')
    await expect(readImageFolder(at, { size: 6 })).rejects.toThrow('2.png is 5×7 pixels, less than the 6×6')
  })

  it('names files that are no pictures, and counts the good ones', async () => {
    const at = folder()
    await write(join(at, 'good.png'), 2, 2, [0, 0, 0])
    const whole = await sharp({ create: { width: 90, height: 90, channels: 3, background: '#123' } })
      .jpeg()
      .toBuffer()
    writeFileSync(join(at, 'cut.jpg'), whole.subarray(0, whole.length / 2))
    writeFileSync(join(at, 'text.png'), 'hello')
    await expect(readImageFolder(at)).rejects.toThrow(
      /cut\.jpg, .*text\.png cannot be read as pictures; 1 of the 3 files/,
    )
    await expect(readImageFolder(folder())).rejects.toThrow('holds no pictures')
    await expect(readImageFolder(join(at, 'nowhere'))).rejects.toThrow('there is no such file')
  })
})

describe('pictures in a .npy file', () => {
  it('stay as they are, bytes or floats, with options of pictures', async () => {
    const path = join(dir, 'pictures.npy')
    const labels = join(dir, 'labels.npy')
    await writeNpy(path, { values: counting(4 * 16), shape: [4, 1, 4, 4] })
    await writeNpy(labels, { values: Uint8Array.of(3, 2, 1, 0), shape: [4] })
    const data = await load({ kind: 'npy', path, labels, test: 0, shuffle: false, size: 2, limit: 2, flips: true })
    expect(data.train.values).toBeInstanceOf(Uint8Array)
    expect(data.train.shape).toEqual([2, 1, 2, 2])
    // mean of 0, 1, 4, 5 is 2.5; the second of every two is taken
    expect([...data.train.values]).toEqual([3, 5, 11, 13, 35, 37, 43, 45])
    expect([...data.labels!.train!]).toEqual([3, 1])
    expect(data.scaler).toBeNull()
  })

  it('are rows of numbers where the config says so, though they have the shape of pictures', async () => {
    const path = join(dir, 'walks.npy')
    await writeNpy(path, { values: Float32Array.from({ length: 4 * 3 * 5 * 2 }, (_, i) => i), shape: [4, 3, 5, 2] })
    expect(await load({ kind: 'npy', path, test: 0 })).toMatchObject({ rowKind: 'pictures' })
    const walks = await load({ kind: 'npy', path, test: 0, rows: 'points' })
    expect([walks.rowKind, walks.train.shape]).toEqual(['points', [4, 3, 5, 2]])
    const flat = join(dir, 'flat.npy')
    await writeNpy(flat, { values: new Float32Array(8), shape: [4, 2] })
    await expect(load({ kind: 'npy', path: flat, rows: 'pictures' })).rejects.toThrow('data.rows: pictures needs')
    expect(await load({ kind: 'npy', path: flat, test: 0, standardise: false })).toMatchObject({ rowKind: 'points' })
  })

  it('are refused with labels that are none, and with columns', async () => {
    const path = join(dir, 'pictures.npy')
    const bad = join(dir, 'bad.npy')
    await writeNpy(bad, { values: Float32Array.of(0, 1.5, 2, 3), shape: [4] })
    await expect(load({ kind: 'npy', path, labels: bad })).rejects.toThrow('row 1: a label must be a whole number')
    await writeNpy(bad, { values: Uint8Array.of(0, 1), shape: [2] })
    await expect(load({ kind: 'npy', path, labels: bad })).rejects.toThrow('has 2 labels, but there are 4 pictures')
    await expect(load({ kind: 'npy', path, columns: [0] })).rejects.toThrow('only a matrix has columns')
    await writeNpy(bad, { values: new Float32Array(8), shape: [4, 2] })
    await expect(load({ kind: 'npy', path: bad, flips: true })).rejects.toThrow('data.flips is for pictures')
  })
})

describe('area average', () => {
  it('keeps the mean, by any ratio', () => {
    const values = Float32Array.from({ length: 49 }, (_, i) => Math.sin(i))
    const { values: small, shape } = shrink('x', { values, shape: [1, 1, 7, 7] }, 3)
    expect(shape).toEqual([1, 1, 3, 3])
    const mean = (list: ArrayLike<number>) => Array.from(list).reduce((a, b) => a + b) / list.length
    expect(mean(small)).toBeCloseTo(mean(values), 6)
    // 7/3 pixels to each: pixels 0 and 1 whole, a third of pixel 2, in both directions
    const [first] = small
    const weight = [1, 1, 1 / 3]
    let expected = 0
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) expected += weight[i] * weight[j] * values[7 * i + j]
    expect(first).toBeCloseTo((expected * 9) / 49, 6)
  })

  it('rounds bytes, and takes the centre of what is not square', () => {
    const x = { values: Uint8Array.of(100, 0, 1, 100, 100, 2, 3, 100), shape: [1, 1, 2, 4] }
    expect([...shrink('x', x, 1).values]).toEqual([2])
  })
})

describe('pictures of formats that are not read', () => {
  it('are counted and named', async () => {
    const path = folder()
    await sharp({ create: { width: 8, height: 8, channels: 3, background: '#336699' } })
      .png()
      .toFile(join(path, 'a.png'))
    expect((await readImageFolder(path)).remarks).toEqual([])
    for (const name of ['b.gif', 'c.GIF', 'd.tiff', 'notes.txt']) writeFileSync(join(path, name), 'x')
    const { tensor, remarks } = await readImageFolder(path)
    expect(tensor.shape).toEqual([1, 3, 8, 8])
    expect(remarks?.join()).toContain('also has 3 files of other formats (.gif, .tiff)')
    const only = folder()
    writeFileSync(join(only, 'b.bmp'), 'x')
    await expect(readImageFolder(only)).rejects.toThrow('also has a file of another format (.bmp)')
  })
})
