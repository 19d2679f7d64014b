/**
 * Features of pictures: the vectors in which FID, precision and recall compare two sets. A *feature extractor* turns 8-bit
 * pictures into one vector each; `digits` is the project's own (digit-classifier.ts), an ONNX file is the user's (onnx.ts).
 */

import type { Tensor } from '../data/tensor.js'

/** 8-bit pictures, [n, C, H, W]. */
export interface PixelTensor extends Tensor {
  /** bytes, row-major */
  readonly values: Uint8Array
}

/** What turns pictures into the vectors that FID, precision and recall compare. */
export interface FeatureExtractor {
  /** For reports: what made the features. */
  readonly name: string
  /** [n, F] for pictures [n, C, H, W]. Throws InvalidArgumentError for a shape that it does not take. */
  extract(pictures: PixelTensor): Promise<{ values: Float32Array; dimension: number }>
  /** Of a classifier: the class that it takes each picture for. */
  classify?(pictures: PixelTensor): Promise<Uint8Array>
  /** Frees the network that it runs. */
  dispose(): Promise<void>
}

/** Values in [−1, 1] as the bytes that they stand for: cut off at the ends and rounded to the nearest of 256. */
export function quantise({ values, shape }: Tensor): PixelTensor {
  if (values instanceof Uint8Array) return { values, shape }
  // storing into a Uint8ClampedArray cuts off and rounds
  const bytes = Uint8ClampedArray.from(values, (value) => 127.5 * value + 127.5)
  return { values: new Uint8Array(bytes.buffer), shape }
}
