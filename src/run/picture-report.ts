/**
 * The pictures of a run that was trained on pictures: a grid of samples, some pictures along the chain forward and back, samples
 * beside the training pictures that are nearest to them, and interpolations between pairs of noises.
 */

import { rowLength, type Tensor } from '../data/tensor.js'
import { type PixelTensor, quantise } from '../metrics/features.js'
import { nearestRows } from '../metrics/neighbours.js'
import type { Samples } from '../model/call-options.js'
import type { Flow } from '../model/flow.js'
import type { Evaluations } from '../ode/solver.js'
import { chainLabel, tilesPng } from '../plot/index.js'
import { RandomStream, streams } from '../random/stream.js'
import type { Told } from './conditioning.js'
import { type OnRows, rowsTogether } from './rows-together.js'

/** Samples of the grid: eight rows of eight. */
export const PICTURE_GRID = 64
const GRID_COLUMNS = 8
/** Pixels across which a chain is drawn. */
const CHAIN_WIDTH = 800
/** Pictures whose path along the chain is shown. */
const CHAIN_PICTURES = 6
/** Samples that are shown with their neighbours, and how many of these. */
const NEIGHBOUR_SAMPLES = 8
const NEIGHBOURS = 6
/** Training pictures that are searched at most. */
const MOST_SEARCHED = 100_000
/** Pairs of noises, and the steps from one to the other. */
const [PAIRS, WAY] = [4, 9]

export interface PictureFiles {
  samples: Buffer
  /** of a flow */
  forward?: Buffer
  backward: Buffer
  neighbours: Buffer
  interpolation: Buffer
}

/** Standard normals [n, …rowShape] of the host: noise for the chain back and for interpolations. */
export function noise(n: number, rowShape: readonly number[], seed: number, first = 0): Samples {
  const D = rowLength([n, ...rowShape])
  const random = new RandomStream(seed, streams.sample)
  const values = new Float32Array(n * D)
  for (let i = 0; i < values.length; i++) {
    if (i % D === 0) random.row(first + i / D)
    values[i] = random.normal()
  }
  return { values, shape: [n, ...rowShape] }
}

/**
 * From one noise of each pair to the other along a quarter of a circle: cos θ · z₀ + sin θ · z₁, which is standard normal at each
 * θ. [PAIRS · WAY, …rowShape]
 */
function ways(rowShape: readonly number[], seed: number): Samples {
  const ends = noise(2 * PAIRS, rowShape, seed, CHAIN_PICTURES)
  const D = ends.values.length / (2 * PAIRS)
  const values = new Float32Array(PAIRS * WAY * D)
  for (let pair = 0; pair < PAIRS; pair++) {
    for (let step = 0; step < WAY; step++) {
      const angle = (Math.PI / 2) * (step / (WAY - 1))
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
      for (let d = 0; d < D; d++) {
        const [from, to] = [ends.values[2 * pair * D + d], ends.values[(2 * pair + 1) * D + d]]
        values[(pair * WAY + step) * D + d] = cos * from + sin * to
      }
    }
  }
  return { values, shape: [PAIRS * WAY, ...rowShape] }
}

/** Pictures along a chain: a row for each picture, a column for each state. */
export function alongChain(states: readonly Samples[]): PixelTensor {
  const [n, ...rowShape] = states[0].shape
  const D = rowLength(states[0].shape)
  const values = new Float32Array(n * states.length * D)
  states.forEach((state, column) => {
    for (let i = 0; i < n; i++) {
      values.set(state.values.subarray(i * D, (i + 1) * D), (i * states.length + column) * D)
    }
  })
  return quantise({ values, shape: [n * states.length, ...rowShape] })
}

const firstRows = ({ values, shape }: Tensor, n: number): Tensor => {
  const count = Math.min(n, shape[0])
  return { values: values.subarray(0, count * rowLength(shape)), shape: [count, ...shape.slice(1)] }
}

/** Each sample, then the training pictures nearest to it. */
function besideNeighbours(samples: PixelTensor, data: PixelTensor): PixelTensor {
  const D = rowLength(samples.shape)
  const k = Math.min(NEIGHBOURS, data.shape[0])
  const nearest = nearestRows(samples.values, data.values, D, k)
  const values = new Uint8Array(nearest.length * (1 + k) * D)
  nearest.forEach((rows, i) => {
    const at = i * (1 + k) * D
    values.set(samples.values.subarray(i * D, (i + 1) * D), at)
    rows.forEach((row, j) => {
      values.set(data.values.subarray(row * D, (row + 1) * D), at + (1 + j) * D)
    })
  })
  return { values, shape: [nearest.length * (1 + k), ...samples.shape.slice(1)] }
}

/**
 * Draws them all.
 * @param data [n, C, H, W], pixels or values in [−1, 1]: the training pictures
 * @param told their conditions, which samples are drawn of
 * @returns the files' bytes, and the evaluations that a sample took
 */
export async function drawPictureFiles(
  flow: Flow,
  data: Tensor,
  told: Told,
  signal?: AbortSignal,
  onProgress?: OnRows,
): Promise<{ files: PictureFiles; evaluations: Evaluations }> {
  const { rowShape } = flow
  const { seed } = flow.settings
  const some = firstRows(data, CHAIN_PICTURES)
  const part = rowsTogether(PICTURE_GRID + (flow.isFlow ? some.shape[0] : 0) + CHAIN_PICTURES + PAIRS * WAY, onProgress)
  const samples = quantise(
    await flow.sample(PICTURE_GRID, { ...told(PICTURE_GRID), signal, onProgress: part(PICTURE_GRID) }),
  )
  const evaluations = flow.evaluations!
  const forward = flow.isFlow
    ? await flow.trajectory(some, {
        ...told(some.shape[0]),
        direction: 'encode',
        signal,
        onProgress: part(some.shape[0]),
      })
    : null
  const backward = await flow.trajectory(noise(CHAIN_PICTURES, rowShape, seed), {
    ...told(CHAIN_PICTURES),
    signal,
    onProgress: part(CHAIN_PICTURES),
  })
  const between = quantise(
    await flow.decode(ways(rowShape, seed), {
      // one condition all along a way
      ...told(PAIRS * WAY, (i) => Math.floor(i / WAY)),
      signal,
      onProgress: part(PAIRS * WAY),
    }),
  )
  const shown = quantise(firstRows(samples, NEIGHBOUR_SAMPLES))
  const beside = besideNeighbours(shown, quantise(firstRows(data, MOST_SEARCHED)))
  const states = flow.stages.length + 1
  const numbers = Array.from({ length: states }, (_, n) => chainLabel(n))
  const style = { background: 'clear' } as const
  // a few columns have room for larger tiles
  const chain = { ...style, columns: states, shown: Math.min(112, Math.max(56, Math.floor(CHAIN_WIDTH / states))) }
  return {
    files: {
      samples: await tilesPng({ ...style, pictures: samples, columns: GRID_COLUMNS, shown: 80 }),
      ...(forward && { forward: await tilesPng({ ...chain, pictures: alongChain(forward.states), heads: numbers }) }),
      backward: await tilesPng({ ...chain, pictures: alongChain(backward.states), heads: numbers.toReversed() }),
      neighbours: await tilesPng({
        ...style,
        pictures: beside,
        columns: beside.shape[0] / shown.shape[0],
        lead: true,
        heads: ['sample', 'nearest training pictures'],
        shown: 80,
      }),
      interpolation: await tilesPng({ ...style, pictures: between, columns: WAY, shown: 80 }),
    },
    evaluations,
  }
}
