/** The parity cases of convolutions, by the native engine's variants (src/device/native/convolutions.ts). */

import { type ConvolutionVariant, isConvolution, usableVariants } from '../../src/device/native/convolutions.js'
import { casesOn } from './gaps.js'
import type { Case } from './harness.js'

/** What is allowed to Winograd. */
const TOLERANCE = 2e-6

/** Those that a variant can be forced for. */
export const convolutionCases = (variant: ConvolutionVariant): Case[] =>
  casesOn('native')
    .filter(({ kernel, operands, attributes }) => {
      const shapes = Object.fromEntries(Object.entries(operands).map(([name, { shape }]) => [name, shape]))
      return isConvolution(kernel) && usableVariants(kernel, shapes, attributes).includes(variant)
    })
    .map((one) => (variant === 'winograd' ? { ...one, tolerance: TOLERANCE } : one))
