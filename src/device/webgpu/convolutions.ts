/**
 * The launches of convolutions: matrix products whose one factor is gathered from pictures (shaders/include/patches.wgsl,
 * pixels.wgsl), by the variants of variants.ts that have cores for it. A convolution is *dense* where all channels, and the
 * windows of them, are multiples of four and lie beside each other: then four are loaded and stored at a time. With factors in
 * float16 it is, and the variants are those of half-variants.ts.
 */

import { LocalFlowError } from '../../errors.js'
import { type Shape, size } from '../../kernels/contract.js'
import type { Conv2dAttributes } from '../../kernels/conv2d.js'
import type { Conv2dBackwardInputAttributes } from '../../kernels/conv2d_backward_input.js'
import type { Conv2dBackwardWeightAttributes } from '../../kernels/conv2d_backward_weight.js'
import { type ConvolutionFactors, isSequenceKernel } from '../../kernels/convolution.js'
import type { Layout } from '../../kernels/pictures.js'
import type { LoweredOperation } from '../../program/lower.js'
import { chooseHalf, halfWeight } from './half-launches.js'
import { activationOf, flag, groupsFor, type Launch, type LaunchPlan, type Planner, shapesOf } from './plans.js'
import type { AdapterTarget, Constants, Variant } from './target.js'
import { chooseVariant, variants } from './variants.js'

type Uniforms = Record<string, number>

/** A picture tensor, or a window of its channels, as shaders address it: distances in numbers. */
interface Pictures {
  readonly B: number
  readonly H: number
  readonly W: number
  readonly start: number
  readonly picture: number
  readonly pixel: number
  readonly channel: number
}

function pictures(shape: Shape, first: number, layout: Layout = 'nhwc'): Pictures {
  const picture = size(shape) / shape[0]
  if (layout === 'nchw') {
    const [B, , H, W] = shape
    return { B, H, W, start: 0, picture, pixel: 1, channel: H * W }
  }
  const [B, H, W, S] = shape
  return { B, H, W, start: first, picture, pixel: S, channel: 1 }
}

const inFours = (...numbers: readonly number[]): boolean => numbers.every((n) => n % 4 === 0)

/** Whether four neighbouring channels of a window can be loaded at a time. */
const isDense = (...windows: readonly (Pictures | undefined)[]): boolean =>
  windows.every((w) => !w || (w.channel === 1 && inFours(w.start, w.pixel)))

/** What is loaded and stored at a time: a Factor and an Element (shaders/include/elements_*.wgsl). */
const widths = { scalar: [1, 1], dots: [4, 1], thin: [1, 4], wide: [4, 4] } as const

interface Core {
  readonly variant: string
  readonly product: string
  readonly elements: Variant['elements']
  readonly constants: Constants
  readonly tile: readonly [rows: number, columns: number]
  /** numbers in a Factor and in an Element */
  readonly factor: number
  readonly element: number
  /** of factors in float16 */
  readonly half?: Pick<Launch, 'loads' | 'team' | 'stored'>
}

interface Asked {
  readonly core: 'patches' | 'taps'
  readonly columns: number
  readonly rows: number | null
  readonly inner: number | null
  readonly dense: boolean
  /** whether at least the results' channels are dense, and a shader knows how to use it */
  readonly quads: boolean
  readonly factors: ConvolutionFactors['factors']
}

function chooseCore(operation: LoweredOperation, target: AdapterTarget, asked: Asked): Core {
  const { core, columns, rows, inner, dense, quads, factors } = asked
  if (factors === 'f16') {
    const of = { rows, columns, inner, patches: { dense }, left: 'inner', right: 'columns' } as const
    const { variant, product, tile, team, constants } = chooseHalf(operation, target, of)
    const half = { loads: core, team, stored: 'f16' } as const
    return { variant, product, elements: 'wide', tile, constants, factor: 4, element: 4, half }
  }
  const shape = { kernel: operation.contract.name, rows, columns, inner, patches: { dense } }
  const variant = chooseVariant({ ...shape, left: 'inner', right: 'columns' }, target)
  const row = variants[variant](target.lanes)
  const product = `${core}_${row.product}`
  if (row.product !== 'storage') {
    const { elements, tile, constants } = row
    return { variant, product, elements, tile, constants, factor: widths[elements][0], element: widths[elements][1] }
  }
  const elements = quads ? 'thin' : 'scalar'
  const element = widths[elements][1]
  // sixteen sums an invocation, of as many columns as there are; 64 invocations, or as many as there are rows for
  const wanted = Math.ceil(columns / element)
  const threadColumns = Math.min(8, wanted)
  const own = Math.min(4, Math.ceil(wanted / threadColumns))
  const threadRows = Math.min(Math.floor(64 / threadColumns), rows === null ? 64 : Math.ceil(rows / 4))
  const constants = { COLUMNS: own, THREAD_COLUMNS: threadColumns, THREAD_ROWS: threadRows }
  const tile = [4 * threadRows, element * own * threadColumns] as const
  return { variant, product, elements, tile, constants, factor: 1, element }
}

/** Where a window of channels lies, in units of so many numbers. */
const windowUniforms = (name: string, { start, picture, pixel, channel }: Pictures, unit: number): Uniforms => ({
  [`${name}_start`]: start / unit,
  [`${name}_picture`]: picture / unit,
  [`${name}_pixel`]: pixel / unit,
  [`${name}_channel`]: channel,
})

interface Patches {
  readonly source: Pictures
  readonly result: Pictures
  /** [kh, kw, C, N] */
  readonly weight: Shape
  readonly backward: boolean
  /** channels of the result and of the source */
  readonly columns: number
  readonly inner: number
  readonly geometry: { readonly stride: number; readonly padding: number; readonly upsample: number }
}

/** A product over pixels of the result: its groups, and the uniforms that patches.wgsl wants. */
function patchesLaunch(core: Core, patches: Patches): { groups: Launch['groups']; uniforms: Uniforms } {
  const { source, result, weight, backward, columns, inner, geometry } = patches
  const { stride, padding, upsample } = geometry
  const [kh, kw] = weight
  const copies = backward ? upsample : 1
  const step = backward ? stride : 1
  // an enlarged picture's pixel meets taps of every remainder, by its copies
  const grid = backward && upsample === 1 ? stride : 1
  const [gridH, gridW] = [Math.ceil(result.H / grid), Math.ceil(result.W / grid)]
  const rows = result.B * gridH * gridW
  const columnTiles = Math.ceil(columns / core.tile[1])
  const rowTiles = Math.ceil(rows / core.tile[0])
  const alongY = Math.min(rowTiles, 32768)
  return {
    groups: [grid * grid * columnTiles, alongY, Math.ceil(rowTiles / alongY)],
    uniforms: {
      rows,
      columns,
      inner,
      column_tiles: columnTiles,
      grid,
      grid_h: gridH,
      grid_w: gridW,
      result_h: result.H,
      result_w: result.W,
      ...windowUniforms('result', result, core.element),
      source_h: source.H,
      source_w: source.W,
      ...windowUniforms('source', source, core.factor),
      kernel_h: kh,
      kernel_w: kw,
      taps_y: copies * Math.ceil(kh / step),
      taps_x: copies * Math.ceil(kw / step),
      padding_y: isSequenceKernel(kh, kw) ? 0 : padding,
      padding_x: padding,
      multiply: backward ? upsample : stride,
      halvings: (backward ? stride : upsample) - 1,
      copies,
      tap_step: step,
    },
  }
}

const conv2d: Planner = (operation, target) => {
  const o = shapesOf(operation)
  const a = operation.attributes as unknown as Conv2dAttributes
  const [, , C, N] = o.weight
  const source = pictures(o.x, a.xFirst, a.xLayout)
  const result = pictures(o.y, a.yFirst, a.yLayout)
  const residual = o.residual && pictures(o.residual, a.residualFirst, a.yLayout)
  const shiftFours = !o.shift || inFours(o.shift[1], a.shiftFirst)
  const quads = inFours(N) && isDense(result, residual) && shiftFours && a.combine !== 'output'
  const dense = quads && inFours(C) && isDense(source) && a.combine === 'none'
  const asked: Asked = { core: 'patches', rows: null, columns: N, inner: C, dense, quads, factors: a.factors }
  const core = chooseCore(operation, target, asked)
  const { before, windows } = weightOf(operation, core)
  const geometry = { stride: a.stride, padding: a.padding, upsample: a.upsample }
  const of: Patches = { source, result, weight: o.weight, backward: false, columns: N, inner: C, geometry }
  const { groups, uniforms } = patchesLaunch(core, of)
  const launch: Launch = {
    shader: 'conv2d',
    activation: activationOf(operation),
    product: core.product,
    elements: core.elements,
    ...core.half,
    constants: {
      ...core.constants,
      RESIDUAL: residual ? result.H / residual.H : 0,
      COMBINE: { none: 0, input: 1, output: 2 }[a.combine],
    },
    uniforms: {
      coefficients: a.coefficients,
      ...uniforms,
      shifts: o.shift ? o.shift[0] : 0,
      shift_columns: o.shift ? o.shift[1] / core.element : 0,
      shift_first: a.shiftFirst / core.element,
      ...residualUniforms(residual ?? result, core.element),
      stages: a.coefficients.length,
      stage_pitch: o.stages ? o.stages[1] : 0,
      weight_at: before / core.element,
      beta: a.beta,
      scale: a.scale,
    },
    groups,
  }
  return { launches: [launch], variant: core.variant, windows }
}

/** Of a weight in float16 the window, and how many of its numbers come before the first that counts. */
function weightOf(operation: LoweredOperation, { half }: Core): { before: number; windows: LaunchPlan['windows'] } {
  const { dtype } = operation.operands.weight
  if (dtype !== (half ? 'f16' : 'f32')) {
    throw new LocalFlowError(`${operation.contract.name}: a weight in ${dtype} goes with factors in ${dtype}.`)
  }
  if (!half) return { before: 0, windows: undefined }
  const { before, window } = halfWeight(operation)
  return { before, windows: { weight: window } }
}

function residualUniforms(residual: Pictures, unit: number): Uniforms {
  return {
    ...windowUniforms('residual', residual, unit),
    residual_line: (residual.W * residual.pixel) / unit,
  }
}

const backwardInput: Planner = (operation, target) => {
  const o = shapesOf(operation)
  const a = operation.attributes as unknown as Conv2dBackwardInputAttributes
  const [, , C, N] = o.weight
  const source = pictures(o.dy, a.dyFirst, a.dyLayout)
  const result = pictures(o.dx, a.dxFirst, a.dxLayout)
  const saved = o.saved && pictures(o.saved, a.savedFirst)
  const add = o.add && pictures(o.add, a.addFirst)
  const dense = inFours(C, N) && isDense(source, result, saved, add)
  const asked: Asked = { core: 'patches', rows: null, columns: C, inner: N, dense, quads: false, factors: a.factors }
  const core = chooseCore(operation, target, asked)
  const { before, windows } = weightOf(operation, core)
  const geometry = { stride: a.stride, padding: a.padding, upsample: a.upsample }
  const of: Patches = { source, result, weight: o.weight, backward: true, columns: C, inner: N, geometry }
  const { groups, uniforms } = patchesLaunch(core, of)
  const launch: Launch = {
    shader: 'conv2d_backward_input',
    activation: activationOf(operation),
    product: core.product,
    elements: core.elements,
    ...core.half,
    constants: {
      ...core.constants,
      HAS_SAVED: flag(saved),
      HAS_ADD: flag(add),
      HAS_STATE: flag(o.state),
    },
    uniforms: {
      ...uniforms,
      saved_pixel: (saved?.pixel ?? 0) / core.element,
      saved_start: (saved?.start ?? 0) / core.element,
      add_pixel: (add?.pixel ?? 0) / core.element,
      add_start: (add?.start ?? 0) / core.element,
      weight_at: before / core.element,
      beta: a.beta,
      scale: a.scale,
    },
    groups,
  }
  return { launches: [launch], variant: core.variant, windows }
}

/** Pixels of a part: fewer are not worth their sum; in more, shaders could not find one by its distance in float32. */
const LEAST_PART = 64
const MOST_PART = 2 ** 19
/** Workgroups, of 64 to 256 invocations, that keep an adapter busy; parts are made until there are so many. */
const BUSY = { hardware: 1024, software: 8 }

function partPixels(pixels: number, tiles: number, { software }: AdapterTarget): number {
  const wanted = Math.ceil(BUSY[software ? 'software' : 'hardware'] / tiles)
  return Math.min(MOST_PART, Math.ceil(pixels / Math.min(wanted, Math.ceil(pixels / LEAST_PART))))
}

const backwardWeight: Planner = (operation, target): LaunchPlan => {
  const o = shapesOf(operation)
  const a = operation.attributes as unknown as Conv2dBackwardWeightAttributes
  const [kh, kw, C, N] = o.dweight
  const x = pictures(o.x, a.xFirst, a.xLayout)
  const dy = pictures(o.dy, a.dyFirst, a.dyLayout)
  const quads = inFours(N) && isDense(dy)
  const dense = quads && inFours(C) && isDense(x)
  const rows = kh * kw * C
  const core = chooseCore(operation, target, {
    core: 'taps',
    rows,
    columns: N,
    inner: null,
    dense,
    quads,
    factors: a.factors,
  })
  const [rowTiles, columnTiles] = [Math.ceil(rows / core.tile[0]), Math.ceil(N / core.tile[1])]
  const pixels = dy.B * dy.H * dy.W
  const part = partPixels(pixels, rowTiles * columnTiles, target)
  const count = Math.ceil(pixels / part)
  const products: Launch = {
    shader: 'conv2d_backward_weight',
    product: core.product,
    elements: core.elements,
    ...core.half,
    constants: { ...core.constants, SPLIT: flag(count > 1), HAS_STATE: flag(o.state) },
    uniforms: {
      rows,
      columns: N,
      inner: pixels,
      part,
      channels: C,
      grid_h: dy.H,
      grid_w: dy.W,
      source_h: x.H,
      source_w: x.W,
      ...windowUniforms('source', x, core.factor),
      ...windowUniforms('dy', dy, core.element),
      kernel_w: kw,
      padding_y: isSequenceKernel(kh, kw) ? 0 : a.padding,
      padding_x: a.padding,
      multiply: a.stride,
      halvings: a.upsample - 1,
    },
    groups: [columnTiles, rowTiles, count],
  }
  return {
    launches: [products, ...biasLaunches(o, a, dy, count)],
    variant: core.variant,
    scratch: {
      ...(count > 1 && { parts: { elements: count * rows * N } }),
      pictures: { elements: dy.B * N },
    },
  }
}

/** Sums of dy over each picture, and what they and the parts of the weight add up to. */
function biasLaunches(
  { dweight, dshift }: Record<string, Shape>,
  { shiftFirst }: Conv2dBackwardWeightAttributes,
  dy: Pictures,
  parts: number,
): Launch[] {
  const N = dweight[3]
  const fours = inFours(N) && isDense(dy) && (!dshift || inFours(dshift[1], shiftFirst))
  const unit = fours ? 4 : 1
  const alongY = Math.min(dy.B, 32768)
  const weights = parts > 1 ? size(dweight) : 0
  return [
    {
      shader: 'conv2d_backward_weight_pictures',
      elements: fours ? 'wide' : 'scalar',
      constants: { HAS_SHIFT: flag(dshift) },
      uniforms: {
        pixels: dy.H * dy.W,
        columns: N,
        ...windowUniforms('dy', dy, unit),
        shift_columns: dshift ? dshift[1] / unit : 0,
        shift_first: shiftFirst / unit,
      },
      groups: [Math.ceil(N / unit / 8), alongY, Math.ceil(dy.B / alongY)],
    },
    {
      shader: 'conv2d_backward_weight_sum',
      constants: {},
      uniforms: { weights, columns: N, parts, pictures: dy.B },
      groups: groupsFor(N + weights),
    },
  ]
}

export const convolutionPlanners: Readonly<Record<string, Planner>> = {
  conv2d,
  conv2d_backward_input: backwardInput,
  conv2d_backward_weight: backwardWeight,
}
