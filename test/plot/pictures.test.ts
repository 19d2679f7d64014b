/** Tiles of pictures: which pixel goes where. */

import sharp from 'sharp'
import { expect, test } from 'vitest'
import { picturePng, tilesPng } from '../../src/plot/index.js'

/** Two pictures of 2×1 pixels with three channels: red of all pixels, then green, then blue. */
const pictures = { values: Uint8Array.of(10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120), shape: [2, 3, 1, 2] }

test('pictures stand side by side, each pixel a square of 28', async () => {
  const png = await tilesPng({ pictures, columns: 2 })
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true })
  expect([info.width, info.height]).toEqual([2 * 58 + 2, 28 + 4])
  const at = (x: number, y: number): number[] => [...data.subarray((y * info.width + x) * info.channels).subarray(0, 3)]
  expect(at(0, 0)).toEqual([255, 255, 255])
  expect([at(2, 2), at(29, 29), at(30, 2), at(57, 20)]).toEqual([
    [10, 30, 50],
    [10, 30, 50],
    [20, 40, 60],
    [20, 40, 60],
  ])
  expect(at(58, 10)).toEqual([255, 255, 255])
  expect([at(60, 2), at(115, 29)]).toEqual([
    [70, 90, 110],
    [80, 100, 120],
  ])
})

test('the first column can be set apart, and a last row may be short', async () => {
  const three = { values: new Uint8Array(3 * 64 * 64), shape: [3, 1, 64, 64] }
  const { width, height } = await sharp(await tilesPng({ pictures: three, columns: 2, lead: true })).metadata()
  expect([width, height]).toEqual([2 * 66 + 2 + 12, 2 * 66 + 2])
})

test('words stand above the columns, and what is between the tiles may be clear', async () => {
  const draw = async (heads: string[]) =>
    sharp(await tilesPng({ pictures, columns: 2, heads, background: 'clear' }))
      .raw()
      .toBuffer({ resolveWithObject: true })
  const { data, info } = await draw(['X₀', 'a < b & c'])
  expect([info.width, info.height, info.channels]).toEqual([2 * 58 + 2, 24 + 28 + 4, 4])
  const opacity = (x: number, y: number): number => data[(y * info.width + x) * 4 + 3]
  expect([opacity(0, 40), opacity(59, 40), opacity(5, 24 + 2 + 5)]).toEqual([0, 0, 255])
  // letters above either column, none where there is no word
  const inked = (from: number, to: number, of: Buffer): number => {
    let count = 0
    for (let y = 0; y < 24; y++) for (let x = from; x < to; x++) if (of[(y * info.width + x) * 4 + 3] > 0) count++
    return count
  }
  expect(inked(0, 58, data)).toBeGreaterThan(20)
  expect(inked(60, 118, data)).toBeGreaterThan(20)
  expect(inked(60, 118, (await draw(['X₀', ''])).data)).toBe(0)
})

test('tiles may be shown larger', async () => {
  const { height } = await sharp(await tilesPng({ pictures, columns: 2, shown: 112 })).metadata()
  expect(height).toBe(56 + 4)
})

test('a picture alone keeps its size and channels', async () => {
  const { data, info } = await sharp(await picturePng(pictures, 1))
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect([info.width, info.height, info.channels]).toEqual([2, 1, 3])
  expect([...data]).toEqual([70, 90, 110, 80, 100, 120])
})

test('what is no picture is refused', async () => {
  const two = { values: new Uint8Array(8), shape: [1, 2, 2, 2] }
  await expect(tilesPng({ pictures: two, columns: 1 })).rejects.toThrow('must be [n, 1 or 3, height, width]')
})
