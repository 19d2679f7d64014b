/** Rows, standardised as a model's data are. */

import { holdsPixels, type Tensor } from '../data/tensor.js'
import { pixelValue } from '../kernels/pool.js'

/** The values as a model without a scaler takes them: pixels scaled to [−1, 1], everything else as it is. */
export function modelValues(x: Tensor): Float32Array {
  if (x.values instanceof Float32Array) return x.values
  return holdsPixels(x) ? Float32Array.from(x.values, pixelValue) : Float32Array.from(x.values)
}
