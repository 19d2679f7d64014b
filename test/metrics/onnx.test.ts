/** Resizing in clean-fid's ways by hand-made answers, and features from an ONNX file. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openOnnxFeatures } from '../../src/metrics/onnx.js'
import { type ResizeName, resizePlane } from '../../src/metrics/resize.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-onnx-'))
afterAll(() => rmSync(dir, { recursive: true }))

// 100, 200 to four pixels: bicubic weights of the two are .8671875 and −.0703125 at the edge, .8671875 and .2265625 within
const outer = (100 * 0.8671875 - 200 * 0.0703125) / 0.796875
const inner = (100 * 0.8671875 + 200 * 0.2265625) / 1.09375
test.each<[ResizeName, number[]]>([
  ['clean', [outer, inner, 300 - inner, 300 - outer]],
  ['legacy_tensorflow', [100, 150, 200, 200]],
  ['legacy_pytorch', [100, 125, 175, 200]],
])('%s', (mode, expected) => {
  const out = new Float32Array(16)
  resizePlane([100, 200, 100, 200], 2, 2, 4, mode, out)
  for (let row = 0; row < 4; row++) {
    expected.forEach((value, j) => {
      expect(out[4 * row + j]).toBeCloseTo(value, 3)
    })
  }
})

test('bicubic cuts off to 0 … 255 and averages where a picture is made smaller', () => {
  const out = new Float32Array(16)
  resizePlane([0, 255, 0, 255], 2, 2, 4, 'clean', out)
  expect([out[0], out[3]]).toEqual([0, 255])
  // every second pixel white, three of them to one: without a wider filter each would be the middle one, white or black
  const small = new Float32Array(9)
  const stripes = Array.from({ length: 81 }, (_, i) => ((i % 9) % 2 ? 255 : 0))
  resizePlane(stripes, 9, 9, 3, 'clean', small)
  for (const value of small) expect(Math.abs(value - 127.5)).toBeLessThan(40)
})

/** A network of one node, GlobalAveragePool, as an ONNX file: fields of protocol-buffer messages. */
function onnxFile(size: number | string): Buffer {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) + 128, ...varint(value >> 7)])
  const integer = (field: number, value: number): number[] => [8 * field, ...varint(value)]
  const bytes = (field: number, value: number[]): number[] => [8 * field + 2, ...varint(value.length), ...value]
  const text = (field: number, value: string): number[] => bytes(field, [...Buffer.from(value)])
  const extent = (value: number | string): number[] =>
    bytes(1, typeof value === 'number' ? integer(1, value) : text(2, value))
  const value = (field: number, name: string, extents: (number | string)[]): number[] =>
    bytes(field, [...text(1, name), ...bytes(2, bytes(1, [...integer(1, 1), ...bytes(2, extents.flatMap(extent))]))])
  const node = bytes(1, [...text(1, 'x'), ...text(2, 'y'), ...text(4, 'GlobalAveragePool')])
  const graph = [
    ...node,
    ...text(2, 'pool'),
    ...value(11, 'x', ['n', 3, size, size]),
    ...value(12, 'y', ['n', 3, 1, 1]),
  ]
  return Buffer.from([...integer(1, 8), ...bytes(7, graph), ...bytes(8, integer(2, 13))])
}

test('an ONNX file gives features, of grey pictures too', async () => {
  const path = join(dir, 'pool.onnx')
  writeFileSync(path, onnxFile('side'))
  const features = await openOnnxFeatures(path, { size: 9, batch: 2, resize: 'legacy_pytorch' })
  const values = Uint8Array.from({ length: 3 * 3 * 4 }, (_, i) => 10 * Math.floor(i / 4))
  const { values: found, dimension } = await features.extract({ values, shape: [3, 3, 2, 2] })
  expect(dimension).toBe(3)
  found.forEach((value, i) => {
    expect(value).toBeCloseTo((10 * i - 128) / 128, 5)
  })
  const grey = await features.extract({ values: new Uint8Array(4).fill(64), shape: [1, 1, 2, 2] })
  expect([...grey.values]).toEqual([-0.5, -0.5, -0.5])
  await features.dispose()
})

test('what is no such file is refused', async () => {
  const path = join(dir, 'text.onnx')
  writeFileSync(path, 'hello')
  await expect(openOnnxFeatures(path)).rejects.toThrow('text.onnx cannot be read as an ONNX network')
  writeFileSync(path, onnxFile(299))
  const features = await openOnnxFeatures(path, { size: 8 })
  await expect(features.extract({ values: new Uint8Array(4), shape: [1, 1, 2, 2] })).rejects.toThrow(
    'does not take float32 [1, 3, 8, 8]',
  )
  await features.dispose()
})
