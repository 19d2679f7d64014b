/**
 * Resizing to what an Inception network takes, in the ways that FIDs are quoted with; names and ways are those of clean-fid
 * (Parmar, Zhang and Zhu, CVPR 2022), whose figures differ by as much as models do, so that a figure needs its way beside it.
 */

/** Weights [from, weight] of the source pixels that make an output pixel. */
type Line = readonly (readonly [number, number])[]

/** A way of resizing. */
export interface ResizeMode {
  /** what it does, in a few words */
  readonly description: string
  /** The output pixels of a line of `from` pixels that becomes one of `to`. */
  line(from: number, to: number): Line[]
}

/** Two neighbours about a place between pixel centres 0, 1, 2 …, by their nearness; the edge pixel beyond an edge. */
function between(place: number, from: number): Line {
  const at = Math.min(Math.max(place, 0), from - 1)
  const low = Math.floor(at)
  const fraction = at - low
  return [
    [low, 1 - fraction],
    [Math.min(low + 1, from - 1), fraction],
  ]
}

/** Keys' cubic kernel with a = −1/2, as Pillow has it. */
function cubic(x: number): number {
  const d = Math.abs(x)
  if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0
}

/** The name of a way of resizing, as clean-fid has it: its own, that of the first FIDs, that of pytorch-fid. */
export type ResizeName = 'clean' | 'legacy_tensorflow' | 'legacy_pytorch'

/** The ways of resizing by their names. */
export const resizeModes: Readonly<Record<ResizeName, ResizeMode>> = {
  clean: {
    description: "Pillow's bicubic filter, widened where a picture is made smaller; cut off to 0 … 255",
    line(from, to) {
      const scale = from / to
      const width = Math.max(scale, 1)
      return Array.from({ length: to }, (_, i) => {
        const centre = (i + 0.5) * scale
        const first = Math.max(0, Math.floor(centre - 2 * width + 0.5))
        const end = Math.min(from, Math.floor(centre + 2 * width + 0.5))
        const weights = Array.from({ length: end - first }, (_, k) => cubic((first + k + 0.5 - centre) / width))
        const sum = weights.reduce((total, weight) => total + weight, 0)
        return weights.map((weight, k) => [first + k, weight / sum] as const)
      })
    },
  },
  legacy_tensorflow: {
    description: "TensorFlow 1's bilinear filter: corner on corner, no half pixels, nothing against aliasing",
    line: (from, to) => Array.from({ length: to }, (_, i) => between((i * from) / to, from)),
  },
  legacy_pytorch: {
    description: "PyTorch's bilinear interpolation (align_corners=False), nothing against aliasing",
    line: (from, to) => Array.from({ length: to }, (_, i) => between(((i + 0.5) * from) / to - 0.5, from)),
  },
}

export const resizeNames = Object.keys(resizeModes) as ResizeName[]

/** One plane [H, W] of 0 … 255 as [size, size], cut off to 0 … 255. */
export function resizePlane(
  plane: ArrayLike<number>,
  H: number,
  W: number,
  size: number,
  mode: ResizeName,
  out: Float32Array,
): void {
  const [down, across] = [resizeModes[mode].line(H, size), resizeModes[mode].line(W, size)]
  const rows = new Float64Array(H * size)
  for (let r = 0; r < H; r++) {
    for (let j = 0; j < size; j++) {
      let sum = 0
      for (const [from, weight] of across[j]) sum += weight * plane[r * W + from]
      rows[r * size + j] = sum
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = 0
      for (const [from, weight] of down[i]) sum += weight * rows[from * size + j]
      out[i * size + j] = Math.min(255, Math.max(0, sum))
    }
  }
}
