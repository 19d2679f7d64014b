/**
 * Bits per dimension of 8-bit pictures by uniform dequantisation (Theis et al. 2016): byte b, learnt as (b − 127.5)/127.5, becomes
 * (b + u − 128)/127.5 with u uniform on (0, 1), anywhere in its own cell. Then the negative log-likelihood of the continuous
 * values bounds that of the bytes: bits a dimension ≤ nll/(D ln 2) + log₂ 127.5.
 */

import { rowLength, type Tensor } from '../data/tensor.js'
import { RandomStream, streams } from '../random/stream.js'

/** Pictures of bytes with the noise of a seed, in [−1, 1] up to half a cell; row i depends on the seed and i alone. */
export function dequantise(
  { values, shape }: Tensor,
  seed: number,
): { values: Float32Array; shape: readonly number[] } {
  const D = rowLength(shape)
  const random = new RandomStream(seed, streams.dequantise)
  const result = new Float32Array(values.length)
  for (let i = 0; i < result.length; i++) {
    if (i % D === 0) random.row(i / D)
    result[i] = (values[i] + random.uniform() - 128) / 127.5
  }
  return { values: result, shape }
}

/** Nats of continuous values as bits a dimension; `pixels` says whether they were dequantised bytes. */
export const bitsPerDimension = (nll: number, D: number, pixels: boolean): number =>
  nll / D / Math.LN2 + (pixels ? Math.log2(127.5) : 0)
