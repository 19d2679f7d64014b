/** Parity cases of the products: linear layers forward and back, their tangents, and single products. */

import type { ActivationName } from '../../src/kernels/activations.js'
import { activationNames, type Build, type Case, type CaseOperand, testCase, type Values, written } from './harness.js'

/** [B, K, N]: one, odd, prime, narrow at either end, larger than a tile, multiples of four, multiples of a tile. */
const layers: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [7, 3, 5],
  [130, 2, 64],
  [131, 3, 256],
  [67, 256, 2],
  [1, 64, 64],
  [61, 67, 71],
  [53, 36, 44],
  [64, 64, 64],
  [128, 256, 256],
  [193, 130, 101],
]

/** Every layer size once and every activation at least once. */
const layerCases = (
  kernel: string,
  build: (v: Values, B: number, K: number, N: number, i: number) => ReturnType<Build>,
) =>
  layers.map(([B, K, N], i) =>
    testCase(kernel, `[${B}, ${K}] → ${N}, ${activationNames[i % activationNames.length]}`, 4e-6, (v) =>
      build(v, B, K, N, i),
    ),
  )

const activationOf = (i: number): { activation: ActivationName; beta: number } => ({
  activation: activationNames[i % activationNames.length],
  beta: i % 2 === 0 ? 1 : 4,
})

const layer = (v: Values, B: number, K: number, N: number, i: number): Record<string, CaseOperand> => ({
  x: v.normal([B, K]),
  weight: v.normal([N, K], 1 / Math.sqrt(K)),
  bias: v.normal([N]),
  // no time, a time for each row, one time for all
  ...(i % 3 === 0 ? {} : { t: v.range([i % 3 === 1 ? B : 1], 0, 1), time_weight: v.normal([N]) }),
})

export const productCases: readonly Case[] = [
  ...layerCases('linear_forward', (v, B, K, N, i) => ({
    attributes: { ...activationOf(i), scale: i % 4 === 3 ? 0.37 : 1 },
    operands: {
      ...layer(v, B, K, N, i),
      y: written([B, N]),
      ...(i % 2 === 0 ? {} : { z: written([B, N]) }),
    },
  })),
  ...layerCases('linear_loss', (v, B, K, N, i) => ({
    attributes: { scale: i % 2 === 0 ? 1 : 2.5 },
    operands: {
      ...layer(v, B, K, N, i),
      target: v.normal([B, N]),
      delta: written([B, N]),
      row_loss: written([B]),
    },
  })),
  ...layerCases('linear_backward_input', (v, B, K, N, i) => ({
    attributes: activationOf(i),
    operands: {
      dy: v.normal([B, N]),
      weight: v.normal([N, K], 1 / Math.sqrt(N)),
      saved: v.saved([B, K], activationOf(i).activation, activationOf(i).beta),
      dx: written([B, K]),
    },
  })),
  ...layerCases('linear_tangent', (v, B, K, N, i) => {
    const T = 1 + (i % 3)
    return {
      attributes: { ...activationOf(i), scale: i % 2 === 0 ? 1 : 0.5 },
      operands: {
        dx: v.normal([T * B, K]),
        weight: v.normal([N, K], 1 / Math.sqrt(K)),
        ...(i % 4 === 2 ? {} : { saved: v.saved([B, N], activationOf(i).activation, activationOf(i).beta) }),
        ...(i % 3 === 0 ? {} : { dt: v.normal([i % 3 === 1 ? T * B : 1]), time_weight: v.normal([N]) }),
        dy: written([T * B, N]),
      },
    }
  }),
  ...[...layers, [1000, 2, 256] as const, [1237, 128, 64] as const, [2503, 5, 3] as const, [203, 3, 40] as const].map(
    ([B, K, N], i) =>
      testCase('linear_backward_weight', `[${B}, ${K}] → ${N}`, 4e-6, (v) => ({
        operands: {
          x: v.normal([B, K]),
          dy: v.normal([B, N]),
          dweight: written([N, K]),
          dbias: written([N]),
          ...(i % 2 === 0 ? {} : { t: v.range([B], 0, 1), dtime_weight: written([N]) }),
        },
      })),
  ),
  ...[...layers, [52, 36, 44] as const].flatMap(([M, K, N], i) =>
    (M === 52 ? [0, 1, 2, 3] : [i, i + 1]).map((j) => {
      const attributes = { transposeA: j % 2 === 1, transposeB: Math.floor(j / 2) % 2 === 1 }
      const label = `${attributes.transposeA ? 'aᵀ' : 'a'} ${attributes.transposeB ? 'bᵀ' : 'b'}, [${M}, ${K}, ${N}]`
      return testCase('mat_mul', label, 4e-6, (v) => ({
        attributes,
        operands: {
          a: v.normal(attributes.transposeA ? [K, M] : [M, K]),
          b: v.normal(attributes.transposeB ? [N, K] : [K, N]),
          y: written([M, N]),
        },
      }))
    }),
  ),
]
