/**
 * The parity cases: every kernel of the registry at sizes of one, odd, prime and larger than a tile, with each optional
 * operand there and not, and each value of its attributes. All devices share them; harness.ts runs them.
 */

import { cleanLeft } from '../../src/kernels/draw_batch.js'
import { normBlocks } from '../../src/kernels/gradient_norm.js'
import { activationNames, type Case, pixels, seeded, state, testCase, words, written } from './harness.js'
import { pictureCases } from './picture-cases.js'
import { productCases } from './product-cases.js'
import { segmentCases } from './segment-cases.js'

// --- element by element ----------------------------------------------------------------------------------------------

const elementwise: readonly Case[] = [
  ...activationNames.flatMap((activation) =>
    [
      { label: 'wide', beta: 1, low: -40, high: 40 },
      { label: 'near zero', beta: 1, low: -1e-3, high: 1e-3 },
      { label: 'sharp', beta: 20, low: -4, high: 4 },
    ].map(({ label, beta, low, high }) =>
      testCase('activation', `${activation}, ${label}`, 1e-6, (v) => ({
        attributes: { activation, beta },
        operands: { x: v.range([1237, 3], low, high), y: written([1237, 3]) },
      })),
    ),
  ),
  testCase('activation', 'one element', 1e-6, () => ({
    attributes: { activation: 'softplus', beta: 1 },
    operands: { x: { shape: [1], values: Float32Array.of(0) }, y: written([1]) },
  })),
  testCase('activation', 'far out', 1e-6, () => ({
    attributes: { activation: 'softplus', beta: 1 },
    operands: {
      x: { shape: [8], values: Float32Array.of(-1000, -104, -88, -20, 20, 88, 104, 1000) },
      y: written([8]),
    },
  })),
  ...[
    { B: 1, D: 1, C: 0, F: 0 },
    { B: 67, D: 2, C: 0, F: 5 },
    { B: 301, D: 3, C: 4, F: 2 },
    { B: 129, D: 43, C: 1, F: 0 },
  ].map(({ B, D, C, F }) =>
    testCase('input_features', `B ${B}, D ${D}, C ${C}, F ${F}`, 1e-6, (v) => ({
      operands: {
        x: v.normal([B, D]),
        ...(C ? { condition: v.normal([B, C]) } : {}),
        ...(F ? { frequencies: v.fill([F], (i) => Math.PI * 2 ** i) } : {}),
        y: written([B, D + C + 2 * F * D]),
      },
    })),
  ),
  ...[
    { B: 1, D: 1, C: 0, F: 0, T: 0 },
    { B: 67, D: 2, C: 0, F: 5, T: 0 },
    { B: 101, D: 3, C: 4, F: 2, T: 2 },
    { B: 29, D: 43, C: 1, F: 0, T: 1 },
  ].map(({ B, D, C, F, T }) => {
    const R = (T || D) * B
    // the product f·x rounds in float32 before its sine is taken: f·|f·x|·2^−24 of the derivative
    return testCase('input_tangent', `B ${B}, D ${D}, C ${C}, F ${F}, T ${T || 'unit'}`, 2e-6, (v) => ({
      operands: {
        x: v.normal([B, D]),
        ...(F ? { frequencies: v.fill([F], (i) => Math.PI * 2 ** i) } : {}),
        ...(T ? { probes: v.normal([R, D]) } : {}),
        ...(C === 1 ? { dcondition: v.normal([R, C]) } : {}),
        dy: written([R, D + C + 2 * F * D]),
      },
    }))
  }),
  ...[
    { B: 1, D: 1, T: 0 },
    { B: 301, D: 3, T: 0 },
    { B: 67, D: 43, T: 2 },
    { B: 1031, D: 2, T: 1 },
  ].map(({ B, D, T }) =>
    testCase('divergence', `B ${B}, D ${D}, T ${T || 'unit'}`, 2e-6, (v) => ({
      operands: {
        dv: v.normal([(T || D) * B, D]),
        ...(T ? { probes: v.fill([T * B, D], () => (v.uniform() < 0.5 ? -1 : 1)) } : {}),
        divergence: written([B]),
      },
    })),
  ),
]

// --- draws -----------------------------------------------------------------------------------------------------------

const draws: readonly Case[] = [
  ...[
    { B: 1, D: 1, first: 0, seed: 0, stream: 0 },
    { B: 67, D: 5, first: 12345, seed: 2 ** 40 + 7, stream: 3 },
    { B: 1009, D: 2, first: 4294967290, seed: 1, stream: 255 },
    { B: 40, D: 784, first: 9, seed: 77, stream: 1 },
  ].map(({ B, D, first, seed, stream }) =>
    testCase('normal', `B ${B}, D ${D}`, 1e-6, () => ({
      attributes: seeded(seed, stream),
      operands: { first: words(first), y: written([B, D]) },
    })),
  ),
  ...[
    { B: 1, D: 1, T: 1, first: 0 },
    { B: 67, D: 33, T: 3, first: 1000 },
    { B: 31, D: 300, T: 2, first: 7 },
  ].map(({ B, D, T, first }) =>
    testCase('rademacher', `B ${B}, D ${D}, T ${T}`, 0, () => ({
      attributes: { ...seeded(11, 2), probes: T },
      operands: { first: words(first), y: written([T * B, D]) },
    })),
  ),
  ...(
    [
      { n: 1, D: 1, C: 0, B: 1, M: 1, Q: 0, step: 0, pairing: 'own', path: 'linear', sampling: 'epochs' },
      {
        n: 1009,
        D: 2,
        C: 0,
        B: 100,
        M: 1,
        Q: 0,
        step: 17,
        pairing: 'own',
        path: 'linear',
        sampling: 'epochs',
      },
      {
        n: 500,
        D: 3,
        C: 4,
        B: 96,
        M: 4,
        Q: 65,
        step: 41,
        pairing: 'shuffled',
        path: 'trig',
        sampling: 'epochs',
      },
      {
        n: 37,
        D: 5,
        C: 1,
        B: 301,
        M: 7,
        Q: 2,
        step: 3,
        pairing: 'independent',
        path: 'linear',
        sampling: 'replacement',
      },
      {
        n: 257,
        D: 43,
        C: 0,
        B: 131,
        M: 1,
        Q: 0,
        step: 90000,
        pairing: 'none',
        path: 'trig',
        sampling: 'replacement',
      },
      {
        n: 65536,
        D: 2,
        C: 0,
        B: 1000,
        M: 1,
        Q: 0,
        step: 1000,
        pairing: 'shuffled',
        path: 'linear',
        sampling: 'epochs',
      },
    ] as const
  ).map(({ n, D, C, B, M, Q, step, pairing, path, sampling }) =>
    testCase('draw_batch', `${pairing}, ${path}, ${sampling}, n ${n}, D ${D}, B ${B}, M ${M}`, 1e-6, (v) => ({
      attributes: {
        ...seeded(2 ** 33 + 5, 6),
        ...cleanLeft,
        pairing,
        path,
        sampling,
        decay: Math.exp(-0.25),
        spread: Math.sqrt(1 - Math.exp(-0.5)),
        timesPerPair: M,
        drop: C ? 0.4 : 0,
        values: 'floats',
        mirror: 0,
      },
      operands: {
        pool: v.normal([n, D]),
        ...(C ? { pool_condition: v.normal([n, C]), condition: written([B, C]) } : {}),
        state: state(step),
        ...(Q ? { quantiles: v.fill([Q], (i) => (i / (Q - 1)) ** 1.5) } : {}),
        x: written([B, D]),
        t: written([B]),
        target: written([B, D]),
      },
    })),
  ),
  // pictures: bytes or floats, mirrored or not; widths that are no multiple of four, rows longer than a block of columns
  ...(
    [
      { n: 1, D: 1, B: 1, M: 1, mirror: 1, values: 'pixels', pairing: 'own', sampling: 'epochs' },
      { n: 50, D: 75, B: 37, M: 1, mirror: 5, values: 'pixels', pairing: 'shuffled', sampling: 'epochs' },
      { n: 50, D: 75, B: 36, M: 2, mirror: 0, values: 'pixels', pairing: 'independent', sampling: 'replacement' },
      { n: 9, D: 192, B: 20, M: 1, mirror: 8, values: 'pixels', pairing: 'independent', sampling: 'replacement' },
      { n: 33, D: 126, B: 33, M: 3, mirror: 7, values: 'floats', pairing: 'own', sampling: 'epochs' },
      { n: 40, D: 66, B: 40, M: 1, mirror: 3, values: 'floats', pairing: 'shuffled', sampling: 'replacement' },
      { n: 40, D: 64, B: 21, M: 1, mirror: 8, values: 'pixels', pairing: 'none', sampling: 'epochs' },
    ] as const
  ).map(({ n, D, B, M, mirror, values, pairing, sampling }) =>
    testCase('draw_batch', `${values}, mirror ${mirror}, ${pairing}, n ${n}, D ${D}, B ${B}`, 1e-6, (v) => ({
      attributes: {
        ...seeded(2 ** 35 + 1, 2),
        ...cleanLeft,
        pairing,
        path: 'linear',
        sampling,
        decay: Math.exp(-0.25),
        spread: Math.sqrt(1 - Math.exp(-0.5)),
        timesPerPair: M,
        drop: 0,
        values,
        mirror,
      },
      operands: {
        pool: values === 'pixels' ? pixels(v, n, D) : v.normal([n, D]),
        state: state(3),
        x: written([B, D]),
        t: written([B]),
        target: written([B, D]),
      },
    })),
  ),
  // a path as a table of K knots, noise on left ends, stored right ends: with floats and pixels, mirrored or not
  ...(
    [
      { n: 1, D: 1, B: 1, M: 1, K: 2, mirror: 0, values: 'floats', pairing: 'own', noise: true },
      { n: 257, D: 43, B: 131, M: 1, K: 0, mirror: 0, values: 'floats', pairing: 'own', noise: true },
      { n: 500, D: 7, B: 99, M: 3, K: 4097, mirror: 0, values: 'floats', pairing: 'none', noise: true, C: 3, Q: 65 },
      { n: 50, D: 75, B: 36, M: 2, K: 17, mirror: 5, values: 'pixels', pairing: 'own', noise: true },
      { n: 33, D: 126, B: 33, M: 1, K: 0, mirror: 7, values: 'floats', pairing: 'none', noise: true },
      { n: 50, D: 75, B: 37, M: 1, K: 5, mirror: 5, values: 'pixels', pairing: 'shuffled', noise: false },
      { n: 37, D: 5, B: 301, M: 7, K: 3, mirror: 0, values: 'floats', pairing: 'independent', noise: false },
      { n: 1009, D: 2, B: 100, M: 1, K: 4097, mirror: 0, values: 'floats', pairing: 'own', noise: false },
      { n: 1, D: 1, B: 1, M: 1, K: 0, mirror: 0, values: 'floats', pairing: 'stored', noise: false },
      { n: 500, D: 67, B: 96, M: 4, K: 0, mirror: 0, values: 'floats', pairing: 'stored', noise: false, C: 4, Q: 2 },
      { n: 33, D: 126, B: 33, M: 3, K: 9, mirror: 7, values: 'floats', pairing: 'stored', noise: false, C: 1 },
      { n: 50, D: 75, B: 37, M: 1, K: 0, mirror: 5, values: 'pixels', pairing: 'stored', noise: false },
    ] as const
  ).map(({ n, D, B, M, K, mirror, values, pairing, noise, ...more }) => {
    const { C, Q } = { C: 0, Q: 0, ...more }
    const what = `${K ? `table of ${K}` : 'trig'}, ${noise ? 'noise on the left, ' : ''}${pairing}, ${values}`
    return testCase('draw_batch', `${what}, mirror ${mirror}, n ${n}, D ${D}, B ${B}, M ${M}`, 1e-6, (v) => ({
      attributes: {
        ...seeded(2 ** 34 + 7, 4),
        pairing,
        path: K ? 'table' : 'trig',
        sampling: n >= B ? 'epochs' : 'replacement',
        decay: 0.8,
        spread: 0.6,
        leftDecay: noise ? 0.3 : 1,
        leftSpread: noise ? 0.9 : 0,
        timesPerPair: M,
        drop: C ? 0.4 : 0,
        values,
        mirror,
      },
      operands: {
        pool: values === 'pixels' ? pixels(v, n, D) : v.normal([n, D]),
        ...(C ? { pool_condition: v.normal([n, C]), condition: written([B, C]) } : {}),
        state: state(11),
        ...(Q ? { quantiles: v.fill([Q], (i) => (i / (Q - 1)) ** 1.5) } : {}),
        ...(pairing === 'stored' ? { right: v.normal([n, D]) } : {}),
        // no derivative of each other: the columns must not be taken for one another
        ...(K ? { path_table: v.fill([K, 4], (i) => Math.cos(0.7 * (i % 4) + i / (4 * K))) } : {}),
        x: written([B, D]),
        t: written([B]),
        target: written([B, D]),
      },
    }))
  }),
  ...(
    [
      { B: 1, D: 1, first: 0, mirror: 1, values: 'pixels' },
      { B: 37, D: 75, first: 1000, mirror: 5, values: 'pixels' },
      { B: 5, D: 4097, first: 4294967293, mirror: 0, values: 'pixels' },
      { B: 64, D: 96, first: 7, mirror: 8, values: 'floats' },
      { B: 3, D: 10, first: 7, mirror: 0, values: 'floats' },
    ] as const
  ).map(({ B, D, first, mirror, values }) =>
    testCase('load_rows', `${values}, mirror ${mirror}, B ${B}, D ${D}`, 1e-6, (v) => ({
      attributes: { ...seeded(2 ** 34 + 3, 5), values, mirror },
      operands: {
        pool: values === 'pixels' ? pixels(v, B, D) : v.normal([B, D]),
        first: words(first),
        y: written([B, D]),
      },
    })),
  ),
]

// --- the optimizer ---------------------------------------------------------------------------------------------------

const optimizer: readonly Case[] = [
  ...[
    { label: 'one parameter', P: 1, B: 1, R: 1, step: 0, halted: 0, bad: Number.NaN },
    { label: 'odd', P: 4999, B: 101, R: 7, step: 23, halted: 0, bad: Number.NaN },
    { label: 'many blocks', P: 132354, B: 1000, R: 256, step: 255, halted: 0, bad: Number.NaN },
    { label: 'halted', P: 100, B: 10, R: 8, step: 5, halted: 1, bad: Number.NaN },
  ].map(({ label, P, B, R, step, halted }) =>
    testCase('gradient_norm', label, 2e-6, (v) => ({
      operands: {
        gradient: v.normal([P]),
        row_loss: v.range([B], 0, 3),
        state: state(step, halted),
        partials: written([normBlocks(P)]),
        loss_ring: v.normal([R]),
      },
    })),
  ),
  ...[Number.NaN, Number.POSITIVE_INFINITY].map((bad) =>
    testCase('gradient_norm', `a loss of ${bad} halts`, 2e-6, (v) => ({
      operands: {
        gradient: v.normal([10]),
        row_loss: v.fill([300], (i) => (i === 271 ? bad : 1)),
        state: state(6),
        partials: written([1]),
        loss_ring: v.normal([4]),
      },
    })),
  ),
  ...[
    { label: 'plain', P: 1, S: 1, step: 1, clip: 0, decay: 0, decoupled: false, average: false, halted: 0 },
    {
      label: 'Adam, decay, clipped, average',
      P: 4999,
      S: 50,
      step: 37,
      clip: 1,
      decay: 0.01,
      decoupled: false,
      average: true,
      halted: 0,
    },
    {
      label: 'AdamW, not clipped',
      P: 132354,
      S: 9,
      step: 9,
      clip: 1e6,
      decay: 0.02,
      decoupled: true,
      average: true,
      halted: 0,
    },
    {
      label: 'AdamW, clipped',
      P: 777,
      S: 3,
      step: 2,
      clip: 0.5,
      decay: 0.1,
      decoupled: true,
      average: false,
      halted: 0,
    },
    { label: 'halted', P: 304, S: 3, step: 2, clip: 0, decay: 0, decoupled: false, average: true, halted: 1 },
  ].map(({ label, P, S, step, clip, decay, decoupled, average, halted }) =>
    testCase('adam', label, 2e-6, (v) => ({
      attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: decay, decoupled, clip },
      operands: {
        parameters: v.normal([P], 0.1),
        gradient: v.normal([P], 0.01),
        m: v.normal([P], 0.01),
        v: v.range([P], 1e-6, 1e-3),
        ...(average ? { average: v.normal([P], 0.1) } : {}),
        partials: v.range([normBlocks(P)], 0.1, 3),
        table: v.range([S, 4], 1e-3, 1),
        state: state(step, halted, 4, 2),
      },
    })),
  ),
  ...[
    { label: 'a gradient of NaN is skipped', bad: Number.NaN, inARow: 3 },
    { label: 'an infinite gradient is skipped', bad: Number.POSITIVE_INFINITY, inARow: 0 },
    { label: 'the tenth skip in a row halts', bad: Number.NaN, inARow: 9 },
  ].map(({ label, bad, inARow }) =>
    testCase('adam', label, 2e-6, (v) => ({
      attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false, clip: 1 },
      operands: {
        parameters: v.normal([9000]),
        gradient: v.normal([9000]),
        m: v.normal([9000]),
        v: v.range([9000], 0, 1),
        average: v.normal([9000]),
        partials: v.fill([3], (i) => (i === 1 ? bad : 1)),
        table: v.range([5, 4], 1e-3, 1),
        state: state(3, 0, 20, inARow),
      },
    })),
  ),
]

// --- mixed precision -------------------------------------------------------------------------------------------------

const mixed: readonly Case[] = [
  ...[1, 777, 4099].map((length) =>
    testCase('convert', `to float16, ${length}`, 0, (v) => ({
      attributes: { to: 'f16' },
      operands: { x: v.normal([length], 30), y: { ...written([length]), half: true } },
    })),
  ),
  testCase('convert', 'what float16 does not hold', 0, (v) => {
    const values = [65504, 65505, -65504, -1e6, Number.POSITIVE_INFINITY, Number.NaN, 2 ** -24, 0, -(2 ** -14), 1e-9]
    return {
      attributes: { to: 'f16' },
      operands: { x: v.fill([10], (i) => values[i]), y: { ...written([10]), half: true } },
    }
  }),
  testCase('convert', 'back to float32', 0, (v) => ({
    attributes: { to: 'f32' },
    operands: { x: { ...v.fill([300], (i) => (i - 150) / 64), half: true }, y: written([300]) },
  })),
  ...[
    { label: 'a good step is counted', P: 9000, inARow: 1, bad: 1, growth: 2000, exponent: 16, good: 7, halted: 0 },
    {
      label: 'after enough of them the scale doubles',
      P: 777,
      inARow: 1,
      bad: 1,
      growth: 8,
      exponent: 16,
      good: 7,
      halted: 0,
    },
    { label: 'up to the largest', P: 9000, inARow: 0, bad: 1, growth: 8, exponent: 24, good: 7, halted: 0 },
    {
      label: 'a gradient of NaN halves it',
      P: 9000,
      inARow: 1,
      bad: Number.NaN,
      growth: 8,
      exponent: 16,
      good: 7,
      halted: 0,
    },
    {
      label: 'an infinite one too',
      P: 777,
      inARow: 1,
      bad: Number.POSITIVE_INFINITY,
      growth: 8,
      exponent: 1,
      good: 3,
      halted: 0,
    },
    { label: 'down to 1', P: 300, inARow: 1, bad: Number.NaN, growth: 8, exponent: 0, good: 0, halted: 0 },
    { label: 'a halted state stays', P: 300, inARow: 1, bad: Number.NaN, growth: 8, exponent: 16, good: 7, halted: 2 },
    {
      label: 'the tenth skip in a row halts',
      P: 300,
      inARow: 9,
      bad: Number.NaN,
      growth: 8,
      exponent: 7,
      good: 7,
      halted: 0,
    },
  ].map(({ label, P, inARow, bad, growth, exponent, good, halted }) =>
    testCase('adam_mixed', label, 2e-6, (v) => ({
      attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false, clip: 1, growth },
      operands: {
        parameters: v.normal([P], 0.1),
        gradient: v.normal([P], 0.01),
        m: v.normal([P], 0.01),
        v: v.range([P], 1e-6, 1e-3),
        average: v.normal([P], 0.1),
        partials: v.fill([normBlocks(P)], (i) => (i === normBlocks(P) - 1 ? bad : 1)),
        table: v.range([9, 4], 1e-3, 1),
        state: state(9, halted, 2, inARow, exponent, good),
        half: { ...v.fill([P], (i) => i / 8), half: true },
      },
    })),
  ),
]

// --- Runge–Kutta -----------------------------------------------------------------------------------------------------

const stageCases = [
  { B: 1, D: 1, S: 1, extra: 0 },
  { B: 67, D: 3, S: 4, extra: 11 },
  { B: 1009, D: 2, S: 7, extra: 64 },
  { B: 31, D: 43, S: 8, extra: 0 },
]

const solvers: readonly Case[] = [
  ...stageCases.map(({ B, D, S, extra }) =>
    testCase('stage_combine', `B ${B}, D ${D}, S ${S}`, 1e-6, (v) => ({
      attributes: { coefficients: Array.from({ length: S }, (_, s) => (s === 1 ? 0 : v.gaussian())) },
      operands: {
        y: v.normal([B, D]),
        // a coefficient of zero means the stage is not read: it may hold anything
        stages: v.fill([S, B * D + extra], (i) =>
          S > 1 && Math.floor(i / (B * D + extra)) === 1 ? Number.NaN : v.gaussian(),
        ),
        out: written([B, D]),
      },
    })),
  ),
  testCase('stage_combine', 'fewer coefficients than stages', 1e-6, (v) => ({
    attributes: { coefficients: [0.5, -0.25] },
    operands: { y: v.normal([129]), stages: v.normal([7, 192]), out: written([129]) },
  })),
  ...stageCases.map(({ B, D, S, extra }) =>
    testCase('adaptive_stage', `B ${B}, D ${D}, S ${S}`, 1e-6, (v) => ({
      attributes: { coefficients: Array.from({ length: S }, () => v.gaussian()), node: 0.3 },
      operands: {
        y: v.normal([B, D]),
        stages: v.normal([S, B * D + extra]),
        t: v.range([B], 0, 1),
        h: v.range([B], 0, 0.1),
        out: written([B, D]),
        stage_time: written([B]),
      },
    })),
  ),
  ...[
    { B: 1, D: 1, S: 2, extra: 0, logDet: false, backward: false },
    { B: 301, D: 2, S: 7, extra: 38, logDet: false, backward: false },
    { B: 301, D: 3, S: 7, extra: 0, logDet: true, backward: true },
    { B: 67, D: 43, S: 4, extra: 5, logDet: true, backward: false },
  ].map(({ B, D, S, extra, logDet, backward }) =>
    testCase(
      'adaptive_control',
      `B ${B}, D ${D}, S ${S}${logDet ? ', log det' : ''}${backward ? ', backward' : ''}`,
      1e-5,
      (v) => {
        const [start, end] = backward ? [1, 0] : [0, 1]
        const sign = backward ? -1 : 1
        const t = v.range([B], 0.05, 0.9)
        const broken = (i: number): boolean => i % 11 === 10
        const stride = B * D + extra
        return {
          attributes: {
            error: Array.from({ length: S }, () => 0.03 * v.gaussian()),
            rtol: 1e-2,
            atol: 1e-3,
            start,
            end,
            cost: S - 1,
          },
          operands: {
            y: v.normal([B, D]),
            y_new: v.normal([B, D]),
            stages: v.fill([S, stride], (i) =>
              broken(Math.floor((i % stride) / D)) && i % stride < B * D ? Number.NaN : v.gaussian(),
            ),
            ...(logDet
              ? {
                  log_det: v.normal([B, 1]),
                  log_det_new: v.normal([B, 1]),
                  log_det_stages: v.normal([S, B + extra]),
                }
              : {}),
            t,
            // rows that are done, that reach the end, that step too little, and ordinary ones
            h: v.fill([B], (b) => {
              const rest = end - t.values[b]
              return (
                [0, rest, sign * 1e-8, sign * 0.3 * v.uniform(), sign * 0.01 * v.uniform(), sign * 0.1][(b + 3) % 6] ||
                0
              )
            }),
            evaluations: { shape: [B], values: Uint32Array.from({ length: B }, (_, b) => b) },
          },
        }
      },
    ),
  ),
]

export const cases: readonly Case[] = [
  ...productCases,
  ...elementwise,
  ...draws,
  ...optimizer,
  ...mixed,
  ...solvers,
  ...segmentCases,
  ...pictureCases,
]
