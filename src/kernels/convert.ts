/**
 * y = x in another format: `to` f16 rounds float32 values to float16 (values beyond ±65504, and NaN, become infinite),
 * `to` f32 converts back, which is exact. x and y have the same shape.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, type Kernel, traffic } from './contract.js'

export interface ConvertAttributes {
  readonly to: 'f16' | 'f32'
}

export const convert: Kernel<ConvertAttributes> = {
  kind: 'kernel',
  name: 'convert',
  operands: {
    x: { access: 'read', dtype: 'either' },
    y: { access: 'write', dtype: 'either' },
  },
  check(shapes, { to }) {
    expectShape('convert', 'y', shapes.y, shapes.x!)
    if (to !== 'f16' && to !== 'f32') throw new InvalidArgumentError(`convert: to must be f16 or f32, but is ${to}.`)
  },
  cost: (shapes) => ({ flops: 0, bytes: traffic(shapes) }),
  reference(o, { to }) {
    o.x.data.forEach((value, i) => {
      o.y.data[i] = to === 'f16' ? toHalf(value) : value
    })
  },
}

/** The float16 number nearest to a value, ties to even. */
export function toHalf(value: number): number {
  const size = Math.abs(value)
  if (!(size <= 65504)) return value < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  // ten bits after the leading one, and none below 2⁻²⁴
  const unit = 2 ** Math.max(-24, Math.floor(Math.log2(size)) - 10)
  const units = size / unit
  const whole = Math.floor(units)
  const up = units - whole > 0.5 || (units - whole === 0.5 && whole % 2 === 1)
  return Math.sign(value) * (whole + (up ? 1 : 0)) * unit
}
