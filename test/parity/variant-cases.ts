/** Which cases show that a variant of the products is right: few, since processors compile some of them for seconds, each with edges. */

import { halfVariants } from '../../src/device/webgpu/half-variants.js'
import { toHalf } from '../../src/kernels/convert.js'
import { kernels } from '../../src/kernels/registry.js'
import { cases } from './cases.js'
import { type Case, state } from './harness.js'

/** Kernels whose launches are products, and those that there are products of float16 for. */
export const convolutions = ['conv2d', 'conv2d_backward_input', 'conv2d_backward_weight'] as const
export const halfKernels = [
  ...['linear_forward', 'linear_loss', 'linear_backward_input', 'linear_backward_weight'],
  ...convolutions,
] as const
export const productKernels = [...halfKernels, 'linear_tangent', 'mat_mul'] as const

/** Of each kernel: cases that are no multiple of any tile; quads where a core loads four numbers; narrow ones for those made for them. */
const labels: Readonly<Record<'any' | 'quads' | 'thin' | 'dots' | 'narrow' | 'dense', RegExp>> = {
  any: /^\[193, 130\]|\[193, 130, 101\]/,
  quads: /^\[53, 36\]|\[52, 36, 44\]/,
  thin: /^\[(131, 3|130, 2)\]/,
  dots: /^\[67, 256\]/,
  narrow: /^\[7, 3\]/,
  dense: /16 → 32, windows|^1 × 7 × 9, 3 × 3, 8 → 8/,
}
const kindOf = (variant: string): readonly (keyof typeof labels)[] => {
  if (variant in halfVariants) return ['any', 'quads', 'dense']
  if (/^(tile|lanes)/.test(variant)) return ['quads', 'dense']
  if (variant === 'quads8') return ['quads']
  if (variant === 'thin' || variant === 'dots' || variant === 'narrow') return [variant]
  return variant === 'storage' ? ['any', 'dense'] : ['any']
}

/** A few cases of each product that a variant can do; `all`: every one that it is for. */
export function edgeCases(variant: string, all = false): Case[] {
  const half = variant in halfVariants
  return (half ? halfKernels : productKernels).flatMap((kernel) => {
    const own = cases.filter(
      (one) => one.kernel === kernel && kindOf(variant).some((kind) => labels[kind].test(one.label)),
    )
    return all ? own : own.slice(0, 1)
  })
}

/**
 * A float32 case with its float operands in float16, of a convolution its weight, and a loss scale of 8 where the contract of
 * a product takes one.
 */
export function halved(one: Case): Case {
  const { operands: specs } = kernels.get(one.kernel)!
  const convolves = (convolutions as readonly string[]).includes(one.kernel)
  const operands = Object.fromEntries(
    Object.entries(one.operands).map(([operand, given]) => [
      operand,
      specs[operand].dtype === 'float' || (convolves && specs[operand].dtype === 'either')
        ? { ...given, values: (given.values as Float32Array).map(toHalf), half: true }
        : given,
    ]),
  )
  const scaled = (halfKernels as readonly string[]).includes(one.kernel) && 'state' in specs
  return {
    ...one,
    attributes: convolves ? { ...one.attributes, factors: 'f16' } : one.attributes,
    operands: scaled ? { ...operands, state: state(5, 0, 0, 0, 3) } : operands,
  }
}

/** Attention in its variants; of heads whose channels are multiples of four, with positions that fill no tile. */
export const attentionVariants = ['blocks', 'lanes', 'tile'] as const
export const attentionCases = cases.filter(
  ({ kernel, label }) => kernel.startsWith('attention') && / heads of (12|16|32|64)$/.test(label),
)
