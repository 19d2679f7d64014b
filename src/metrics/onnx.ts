/**
 * Features from a network in an ONNX file, run by onnxruntime-node: the user brings Inception. The file takes float32
 * [n, 3, S, S], values (b − 128)/128 of bytes b, and its first output holds n vectors; for FID that is the pool of 2048 of
 * Inception v3 at S = 299. Pictures are 8-bit, are resized here in one of clean-fid's ways (resize.ts), and a grey one
 * gives all three channels.
 */

import { DataError, InvalidArgumentError } from '../errors.js'
import type { FeatureExtractor } from './features.js'
import { type ResizeName, resizePlane } from './resize.js'

/** How pictures are given to a network of an ONNX file. */
export interface OnnxFeatureOptions {
  /** default 'clean' */
  resize?: ResizeName
  /** side of the network's pictures; default 299 */
  size?: number
  /** pictures in one call; default 16 */
  batch?: number
}

/** Opens an ONNX file. Throws InvalidArgumentError without onnxruntime-node, DataError where the file is no such network. */
export async function openOnnxFeatures(path: string, options: OnnxFeatureOptions = {}): Promise<FeatureExtractor> {
  const { resize = 'clean', size = 299, batch = 16 } = options
  const runtime = await import('onnxruntime-node').catch((error: Error) => {
    throw new InvalidArgumentError(
      `Features of ${path} need the package onnxruntime-node, which could not be loaded (${error.message}). ` +
        'npm install onnxruntime-node brings it.',
    )
  })
  // what it finds wrong comes as an error; its own line on stderr would quote the file to the terminal as it is
  const session = await runtime.InferenceSession.create(path, { logSeverityLevel: 4 }).catch((error: Error) => {
    throw new DataError(`${path} cannot be read as an ONNX network: ${error.message}`)
  })
  const plane = size * size
  return {
    name: `${path}, ${resize}`,
    async extract({ values, shape: [n, C, H, W] }) {
      if (C !== 1 && C !== 3) {
        throw new InvalidArgumentError(`Features of ${path} are of pictures of 1 or 3 channels, but these have ${C}.`)
      }
      let found = new Float32Array(0)
      let dimension = 0
      const resized = new Float32Array(plane)
      for (let first = 0; first < n; first += batch) {
        const count = Math.min(batch, n - first)
        const input = new Float32Array(count * 3 * plane)
        for (let i = 0; i < count; i++) {
          for (let c = 0; c < C; c++) {
            const at = ((first + i) * C + c) * H * W
            resizePlane(values.subarray(at, at + H * W), H, W, size, resize, resized)
            for (let copy = c; copy < 3; copy += C) {
              const to = (3 * i + copy) * plane
              for (let k = 0; k < plane; k++) input[to + k] = (resized[k] - 128) / 128
            }
          }
        }
        const feeds = { [session.inputNames[0]]: new runtime.Tensor('float32', input, [count, 3, size, size]) }
        const output = await session.run(feeds).then(
          (result) => result[session.outputNames[0]],
          (error: Error) => {
            throw new DataError(`${path} does not take float32 [${count}, 3, ${size}, ${size}]: ${error.message}`)
          },
        )
        if (!(output.data instanceof Float32Array) || output.dims[0] !== count) {
          throw new DataError(
            `${path} gives ${output.type} [${output.dims.join(', ')}], but must give one float32 vector for each of ` +
              `${count} pictures.`,
          )
        }
        if (first === 0) {
          dimension = output.data.length / count
          found = new Float32Array(n * dimension)
        }
        found.set(output.data, first * dimension)
      }
      return { values: found, dimension }
    },
    dispose: () => session.release(),
  }
}
