/**
 * A small classifier of handwritten digits, whose last hidden layer gives features for FID where no network can be fetched.
 * Pictures become 16×16 by area average; two 3×3 convolutions of stride 2 (16 and 32 channels) and a layer of 64 follow, each
 * with relu, then the ten digits. It runs on the host in plain TypeScript: scripts/train-digit-classifier.mjs trains it on
 * MNIST and writes assets/digit-classifier.safetensors with its test accuracy.
 *
 * Activations are [n, height, width, channels]. A convolution is a product of *patches* [n·h·w, 9·C] with a weight
 * [N, 9·C] (kernel row, kernel column, channel).
 */

import { readFile } from 'node:fs/promises'
import { shrink } from '../data/pictures.js'
import { InvalidArgumentError } from '../errors.js'
import { decodeSafetensors, takeFloat32 } from '../files/safetensors.js'
import type { FeatureExtractor, PixelTensor } from './features.js'

/** Side of the pictures that the classifier sees. */
export const DIGIT_SIDE = 16
export const DIGIT_FEATURES = 64
const CLASSES = 10

/** name: weight [N, K] and bias [N] of each layer, in order; `side` is that of a convolution's input. */
export const digitLayers = [
  { name: 'conv1', K: 9, N: 16, side: 16 },
  { name: 'conv2', K: 9 * 16, N: 32, side: 8 },
  { name: 'hidden', K: 4 * 4 * 32, N: DIGIT_FEATURES, side: null },
  { name: 'out', K: DIGIT_FEATURES, N: CLASSES, side: null },
] as const

export interface DigitLayer {
  weight: Float32Array
  bias: Float32Array
}

/** Activations that a forward pass leaves behind, for the gradient. */
export interface DigitPass {
  /** what each layer's product took, [rows, K] */
  inputs: Float32Array[]
  /** what each layer gave, [rows, N]; the third holds the features, the last the logits */
  outputs: Float32Array[]
}

/** 3×3 patches at every second pixel of [n, side, side, C], zeros beyond the edge: [n·(side/2)², 9·C]. */
export function patches(x: Float32Array, n: number, side: number, C: number): Float32Array {
  const half = side / 2
  const result = new Float32Array(n * half * half * 9 * C)
  let at = 0
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < half; r++) {
      for (let c = 0; c < half; c++) {
        for (let k = 0; k < 9; k++) {
          const row = 2 * r + Math.floor(k / 3) - 1
          const column = 2 * c + (k % 3) - 1
          if (row >= 0 && row < side && column >= 0 && column < side) {
            const from = ((i * side + row) * side + column) * C
            for (let channel = 0; channel < C; channel++) result[at + channel] = x[from + channel]
          }
          at += C
        }
      }
    }
  }
  return result
}

/** y = x Wᵀ + bias, then relu where asked for: x [rows, K] → [rows, N]. */
function product(x: Float32Array, { weight, bias }: DigitLayer, K: number, N: number, relu: boolean): Float32Array {
  const rows = x.length / K
  const y = new Float32Array(rows * N)
  for (let row = 0; row < rows; row++) {
    const xAt = row * K
    for (let j = 0; j < N; j += 2) {
      let a = bias[j]
      let b = bias[j + 1]
      const first = j * K
      for (let k = 0; k < K; k++) {
        const value = x[xAt + k]
        a += value * weight[first + k]
        b += value * weight[first + K + k]
      }
      y[row * N + j] = relu && a < 0 ? 0 : a
      y[row * N + j + 1] = relu && b < 0 ? 0 : b
    }
  }
  return y
}

/** The classifier on pictures [n, 16, 16] of values in [0, 1]. */
export function digitForward(layers: readonly DigitLayer[], x: Float32Array): DigitPass {
  const n = x.length / DIGIT_SIDE ** 2
  const inputs: Float32Array[] = []
  const outputs: Float32Array[] = []
  let values = x
  let channels = 1
  digitLayers.forEach(({ K, N, side }, i) => {
    inputs.push(side === null ? values : patches(values, n, side, channels))
    values = product(inputs[i], layers[i], K, N, i < digitLayers.length - 1)
    outputs.push(values)
    channels = N
  })
  return { inputs, outputs }
}

/** Grey pictures as the classifier takes them: [n, 16, 16], values in [0, 1]. */
export function digitInput(pictures: PixelTensor): Float32Array {
  const [, C, H, W] = pictures.shape
  if (C !== 1 || H !== W || H < DIGIT_SIDE) {
    throw new InvalidArgumentError(
      `The features 'digits' are of grey square pictures of at least ${DIGIT_SIDE}×${DIGIT_SIDE} pixels, but these are ` +
        `[${pictures.shape.slice(1).join(', ')}]; take an ONNX file.`,
    )
  }
  return Float32Array.from(shrink('a picture', pictures, DIGIT_SIDE).values, (byte) => byte / 255)
}

/** Pictures that are worked on at a time. */
const BLOCK = 256

/** Reads a classifier. Throws CheckpointError where the file is damaged or of other layers. */
export async function readDigitLayers(file: URL | string): Promise<DigitLayer[]> {
  const stored = decodeSafetensors(await readFile(file), 'the digit classifier')
  return digitLayers.map(({ name, K, N }) => ({
    weight: takeFloat32(stored, `${name}.weight`, [N, K]),
    bias: takeFloat32(stored, `${name}.bias`, [N]),
  }))
}

const shipped = new URL('../../assets/digit-classifier.safetensors', import.meta.url)

/** The extractor `digits`: 64 features of grey pictures of at least 16×16 pixels. */
export async function openDigitFeatures(): Promise<FeatureExtractor> {
  const layers = await readDigitLayers(shipped)
  /** The values [n, N] of a layer. */
  const layerOf = async (pictures: PixelTensor, layer: number): Promise<Float32Array> => {
    const x = digitInput(pictures)
    const n = pictures.shape[0]
    const { N } = digitLayers[layer]
    const values = new Float32Array(n * N)
    const pixels = DIGIT_SIDE ** 2
    for (let first = 0; first < n; first += BLOCK) {
      const block = x.subarray(first * pixels, Math.min(n, first + BLOCK) * pixels)
      values.set(digitForward(layers, block).outputs[layer], first * N)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return values
  }
  return {
    name: 'digits',
    extract: async (pictures) => ({ values: await layerOf(pictures, 2), dimension: DIGIT_FEATURES }),
    async classify(pictures) {
      const logits = await layerOf(pictures, 3)
      return Uint8Array.from({ length: pictures.shape[0] }, (_, i) => {
        const own = logits.subarray(i * CLASSES, (i + 1) * CLASSES)
        return own.indexOf(Math.max(...own))
      })
    },
    dispose: async () => undefined,
  }
}
