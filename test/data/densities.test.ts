import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config/index.js'
import type { Density } from '../../src/data/index.js'
import {
  gaussian,
  type ImageDensity,
  imageDensity,
  isDensity,
  loadData,
  loadImageDensity,
  space,
  spaceNames,
  toy,
  toyNames,
} from '../../src/data/index.js'
import { DataError, InvalidArgumentError } from '../../src/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-densities-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** The integral of exp(log p) over a square, by the midpoint rule. */
function integral(density: Density, half: number, cells: number): number {
  const width = (2 * half) / cells
  const x = new Float32Array(2 * cells * cells)
  for (let i = 0; i < cells * cells; i++) {
    x[2 * i] = -half + ((i % cells) + 0.5) * width
    x[2 * i + 1] = -half + (Math.floor(i / cells) + 0.5) * width
  }
  return density.logDensity(x).reduce((sum, value) => sum + Math.exp(value), 0) * width * width
}

/** E_p[1{x in a box}] from samples against the integral of the density over it: sample and logDensity must agree. */
function boxShare(points: Float32Array, [x0, x1, y0, y1]: readonly number[]): number {
  let inside = 0
  for (let i = 0; i < points.length; i += 2) {
    if (points[i] > x0 && points[i] < x1 && points[i + 1] > y0 && points[i + 1] < y1) inside++
  }
  return inside / (points.length / 2)
}

function boxMass(density: Density, [x0, x1, y0, y1]: readonly number[], cells = 400): number {
  const x = new Float32Array(2 * cells * cells)
  for (let i = 0; i < cells * cells; i++) {
    x[2 * i] = x0 + (((i % cells) + 0.5) * (x1 - x0)) / cells
    x[2 * i + 1] = y0 + ((Math.floor(i / cells) + 0.5) * (y1 - y0)) / cells
  }
  const area = ((x1 - x0) * (y1 - y0)) / (cells * cells)
  return density.logDensity(x).reduce((sum, value) => sum + Math.exp(value), 0) * area
}

const boxes = [
  [0.3, 2.9, 0.2, 3.1],
  [-3, -0.4, -2.2, 1.7],
] as const

function expectSamplesToFollow(density: Density): void {
  const points = density.sample(100_000, 11)
  for (const box of boxes) {
    const mass = boxMass(density, box)
    expect(mass).toBeGreaterThan(0.02)
    expect(Math.abs(boxShare(points, box) - mass)).toBeLessThan(5 * Math.sqrt((mass * (1 - mass)) / 100_000) + 1e-3)
  }
}

describe('a picture as a density', () => {
  const width = 5
  const height = 4
  const grey = Uint8Array.from({ length: width * height }, (_, i) => [255, 0, 250, 100, 255, 255, 30][i % 7])
  const picture = imageDensity(grey, width, height)

  /** The definition, term by term in float64. */
  function byDefinition(p: ImageDensity, x: number, y: number): number {
    const [sx, sy] = [4 / p.width, 4 / p.height]
    const terms = Array.from(p.mass, (m, i) => {
      const cx = -4 + (8 * (i % p.width)) / (p.width - 1)
      const cy = 4 - (8 * Math.floor(i / p.width)) / (p.height - 1)
      return Math.log(m) - 0.5 * ((x - cx) / sx) ** 2 - 0.5 * ((y - cy) / sy) ** 2 - Math.log(2 * Math.PI * sx * sy)
    })
    const top = Math.max(...terms)
    return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0))
  }

  it('has the mass 255 − grey', () => {
    const total = grey.reduce((sum, value) => sum + 255 - value, 0)
    picture.mass.forEach((m, i) => void expect(m).toBeCloseTo((255 - grey[i]) / total, 14))
  })

  it('has the mixture as its log density, near the picture and far from it', () => {
    const points = [0, 0, -4, 4, 3.875, -2.5, 1.25, 0.5, 12, -9, 80, 3, -500, 700, 3000, 0]
    const values = picture.logDensity(Float32Array.from(points))
    for (let i = 0; i < values.length; i++) {
      const truth = byDefinition(picture, points[2 * i], points[2 * i + 1])
      expect(Math.abs(values[i] - truth)).toBeLessThan(1e-9 * Math.max(1, Math.abs(truth)))
    }
  })

  it('is exact where the nearest dark pixel is far: the window grows until it decides', () => {
    // One faint pixel in the middle of nothing, a dark one in the far corner.
    const sparse = new Uint8Array(120 * 90).fill(255)
    sparse[45 * 120 + 60] = 254
    sparse[0] = 0
    const far = imageDensity(sparse, 120, 90)
    const points = Array.from({ length: 400 }, (_, i) => [-5 + 0.5 * (i % 20), -5 + 0.5 * Math.floor(i / 20)]).flat()
    far.logDensity(Float32Array.from(points)).forEach((value, i) => {
      const truth = byDefinition(far, points[2 * i], points[2 * i + 1])
      expect(Math.abs(value - truth)).toBeLessThan(1e-9 * Math.max(1, Math.abs(truth)))
    })
  })

  it('does not settle for a faint pixel in its first window where a dark one outside weighs more', () => {
    // as far away in all, but five columns aside, which is beyond nine standard deviations, instead of three and four rows
    const corner = new Uint8Array(64 * 64).fill(255)
    corner[(30 + 4) * 64 + 30 + 3] = 254
    corner[30 * 64 + 30 + 5] = 0
    const density = imageDensity(corner, 64, 64)
    const [x, y] = [Math.fround(-4 + (8 * 30) / 63), Math.fround(4 - (8 * 30) / 63)]
    const truth = byDefinition(density, x, y)
    expect(density.logDensity(Float32Array.of(x, y))[0]).toBeCloseTo(truth, 8)
  })

  it('is drawn from as its log density says', () => {
    expect(integral(picture, 10, 500)).toBeCloseTo(1, 4)
    expectSamplesToFollow(picture)
  })

  it('puts the first row of pixels at the top and the first column at the left', () => {
    const corner = imageDensity(Uint8Array.of(0, 255, 255, 255), 2, 2)
    const points = corner.sample(2000, 1)
    const mean = [0, 1].map((d) => points.reduce((sum, v, i) => sum + (i % 2 === d ? v / 2000 : 0), 0))
    expect(mean[0]).toBeCloseTo(-4, 0)
    expect(mean[1]).toBeCloseTo(4, 0)
  })

  it('draws row i from seed, stream and i alone', () => {
    const few = picture.sample(10, 3)
    expect(picture.sample(1000, 3).slice(0, 20)).toEqual(few)
    expect(picture.sample(10, 4)).not.toEqual(few)
    expect(picture.sample(10, 3, 1)).not.toEqual(few)
    expect(() => picture.sample(0, 3)).toThrow(InvalidArgumentError)
  })

  it('with no dark pixel, too small or unreadable is a DataError', async () => {
    expect(() => imageDensity(new Uint8Array(4).fill(255), 2, 2)).toThrow('has no mass: every pixel is white')
    expect(() => imageDensity(new Uint8Array(4), 4, 1)).toThrow('at least 2×2')
    await expect(loadImageDensity(join(dir, 'none.png'))).rejects.toThrow(
      'none.png cannot be read: there is no such file.',
    )
    const text = join(dir, 'text.png')
    writeFileSync(text, 'no picture')
    await expect(loadImageDensity(text)).rejects.toThrow('cannot be read as a picture')
    const white = join(dir, 'white.png')
    await sharp({ create: { width: 3, height: 3, channels: 3, background: 'white' } })
      .png()
      .toFile(white)
    await expect(loadImageDensity(white)).rejects.toThrow(`${white} has no mass`)
    await expect(loadImageDensity(white)).rejects.toBeInstanceOf(DataError)
    const cut = join(dir, 'cut.png')
    const noise = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * i * 7919) % 251))
    const whole = await sharp(noise, { raw: { width: 100, height: 100, channels: 3 } })
      .png()
      .toBuffer()
    writeFileSync(cut, whole.subarray(0, whole.length / 2))
    await expect(loadImageDensity(cut)).rejects.toThrow('cannot be read as a picture')
  })

  it('reads grey, colour, palette and alpha alike: luma as Pillow rounds it, alpha ignored', async () => {
    // R, G, B and the grey that Pillow's convert('L') gives.
    const colours = [
      [255, 0, 0, 76],
      [0, 255, 0, 150],
      [0, 0, 255, 29],
      [10, 200, 30, 124],
      [0, 0, 0, 0],
      [255, 255, 255, 255],
    ]
    const masses = colours.map(([, , , l]) => 255 - l)
    const total = masses.reduce((sum, m) => sum + m, 0)
    const raw = (channels: 1 | 2 | 3 | 4) => {
      const pixel = {
        1: (c: number[]) => [c[3]],
        2: (c: number[], i: number) => [c[3], 40 * i],
        3: (c: number[]) => c.slice(0, 3),
        4: (c: number[], i: number) => [...c.slice(0, 3), 40 * i],
      }[channels]
      return sharp(Buffer.from(colours.flatMap(pixel)), { raw: { width: 3, height: 2, channels } })
    }
    const path = join(dir, 'kinds.png')
    for (const channels of [1, 2, 3, 4] as const) {
      // A palette of colours with alpha is free to change what is not seen.
      for (const palette of channels % 2 ? [false, true] : [false]) {
        await raw(channels).png({ palette, quality: 100 }).toFile(path)
        const { mass } = await loadImageDensity(path)
        mass.forEach((m, i) => void expect(m * total, `${channels} channels, pixel ${i}`).toBeCloseTo(masses[i], 8))
      }
    }
  })

  const shared = new URL('../../../shared/data/', import.meta.url)
  const found = existsSync(new URL('img_rose.png', shared))
  if (!found)
    console.warn('SKIPPED: the reference pictures of ../shared/data are not there; entropies are not checked.')
  it.skipIf(!found).each([
    ['img_rose.png', 2.4857, 0.0009],
    ['img_tree.png', 1.9533, 0.0007],
  ])('%s has the entropy that a PyTorch run measured', async (name, entropy, error) => {
    const density = await loadImageDensity(new URL(name, shared).pathname)
    const { mean, standardError } = density.entropy({ n: 400_000, seed: 1 })
    expect(standardError / error).toBeGreaterThan(0.8)
    expect(standardError / error).toBeLessThan(1.25)
    // Both are estimates: four standard errors of their difference.
    expect(Math.abs(mean - entropy)).toBeLessThan(4 * Math.hypot(error, standardError))
  })
})

describe('toy sets', () => {
  it.each(toyNames)('%s lies in the plane, within reach of [−4, 4]², by the seed', (name) => {
    const points = toy(name).sample(5000, 2)
    const largest = Math.max(...points.map(Math.abs))
    expect(points).toHaveLength(10_000)
    expect(largest).toBeLessThan(5.5)
    expect(largest).toBeGreaterThan(2)
    expect(toy(name).sample(5000, 2)).toEqual(points)
    expect(toy(name).sample(5000, 3)).not.toEqual(points)
  })

  it.each(['checkerboard', 'eight-gaussians', 'rings'] as const)('%s is drawn from as its log density says', (name) => {
    const density = toy(name)
    if (!isDensity(density)) throw new Error('no density')
    // The midpoint rule meets a ring's 1/r pole and the squares' edges, hence two digits.
    expect(integral(density, 6, 600)).toBeCloseTo(1, 2)
    expectSamplesToFollow(density)
    const { mean, standardError } = density.entropy({ n: 50_000 })
    const n = 20_000
    const nll = -density.logDensity(density.sample(n, 99)).reduce((sum, value) => sum + value / n, 0)
    expect(Math.abs(nll - mean)).toBeLessThan(5 * standardError * 2 + 1e-12)
  })

  it('rings count a radius below zero at the other side', () => {
    const rings = toy('rings', { noise: 0.6 })
    if (!isDensity(rings)) throw new Error('no density')
    // ∫ p 2πr dr along one ray: without the other side a fortieth would be missing
    const step = 0.001
    const radii = Array.from({ length: 8000 }, (_, i) => (i + 0.5) * step)
    const logs = rings.logDensity(Float32Array.from(radii.flatMap((r) => [r, 0])))
    const total = radii.reduce((sum, r, i) => sum + Math.exp(logs[i]) * 2 * Math.PI * r * step, 0)
    expect(total).toBeCloseTo(1, 3)
  })

  it('moons, spirals and pinwheel lie on their curves', () => {
    const moons = toy('moons', { noise: 1e-6 }).sample(1000, 1)
    const spirals = toy('spirals', { noise: 1e-6 }).sample(1000, 1)
    for (let i = 0; i < 2000; i += 2) {
      const upper = Math.abs(Math.hypot(moons[i] + 1, moons[i + 1] + 0.5) - 2)
      const lower = Math.abs(Math.hypot(moons[i] - 1, moons[i + 1] - 0.5) - 2)
      expect(Math.min(upper, lower)).toBeLessThan(1e-4)
      // r = θ/3 on both arms: (−cos θ, sin θ) r and its mirror image.
      const theta = 3 * Math.hypot(spirals[i], spirals[i + 1])
      const along = (-Math.cos(theta) * spirals[i] + Math.sin(theta) * spirals[i + 1]) / (theta / 3)
      expect(Math.abs(Math.abs(along) - 1)).toBeLessThan(1e-3)
    }
    const turned = toy('pinwheel', { noise: 1e-6 }).sample(1000, 1)
    for (let i = 0; i < 2000; i += 2) {
      const along = Math.hypot(turned[i], turned[i + 1])
      const arm = ((Math.atan2(turned[i + 1], turned[i]) - 0.25 * Math.exp(along / 2)) * 5) / (2 * Math.PI)
      expect(Math.abs(arm - Math.round(arm))).toBeLessThan(1e-3)
    }
  })

  it('follow their noise', () => {
    const spread = (noise: number) => {
      const points = toy('rings', { noise }).sample(20_000, 1)
      const radii = Array.from({ length: 20_000 }, (_, i) => Math.hypot(points[2 * i], points[2 * i + 1]))
      return Math.sqrt(
        radii.reduce((sum, r) => sum + Math.min(...[0.75, 1.5, 2.25, 3].map((c) => (r - c) ** 2)), 0) / 20_000,
      )
    }
    expect(spread(0.02)).toBeCloseTo(0.02, 3)
    expect(spread(0.1)).toBeCloseTo(0.1, 2)
  })

  it('are refused for unknown names and impossible noise', () => {
    expect(() => toy('moon' as 'moons')).toThrow('must be one of moons')
    expect(() => toy('moons', { noise: 0 })).toThrow('noise must be a number above 0')
    expect(() => toy('checkerboard', { noise: 1 })).toThrow('checkerboard has none')
  })
})

describe('the gaussian', () => {
  const mean = [1, -2]
  const covariance = [
    [2, 0.6],
    [0.6, 0.5],
  ]
  const density = gaussian(mean, covariance)

  it('has the density of N(m, S)', () => {
    const [a, b, d] = [2, 0.6, 0.5]
    const determinant = a * d - b * b
    const x = [0.5, -1.5]
    const [u, v] = [x[0] - mean[0], x[1] - mean[1]]
    const squares = (d * u * u - 2 * b * u * v + a * v * v) / determinant
    expect(density.logDensity(Float32Array.from(x))[0]).toBeCloseTo(
      -0.5 * squares - 0.5 * Math.log(determinant) - Math.log(2 * Math.PI),
      12,
    )
    expect(density.entropy()).toEqual({
      mean: expect.closeTo(1 + Math.log(2 * Math.PI) + 0.5 * Math.log(determinant), 12),
      standardError: 0,
    })
  })

  it('is drawn with this mean and covariance', () => {
    const n = 200_000
    const x = density.sample(n, 5)
    const moments = [0, 0, 0, 0, 0]
    for (let i = 0; i < n; i++) {
      const [u, v] = [x[2 * i] - mean[0], x[2 * i + 1] - mean[1]]
      for (const [k, term] of [u, v, u * u, u * v, v * v].entries()) moments[k] += term / n
    }
    const truth = [0, 0, 2, 0.6, 0.5]
    // Five standard errors of each mean.
    const within = [2 ** 0.5, 0.5 ** 0.5, 8 ** 0.5, (2 * 0.5 + 0.36) ** 0.5, 0.5 ** 0.5].map(
      (s) => (5 * s) / Math.sqrt(n),
    )
    moments.forEach((moment, k) => void expect(Math.abs(moment - truth[k])).toBeLessThan(within[k]))
  })

  it('is refused for what is no covariance', () => {
    expect(() => gaussian([0, 0], [[1]])).toThrow(InvalidArgumentError)
    expect(() =>
      gaussian(
        [0, 0],
        [
          [1, 2],
          [2, 1],
        ],
      ),
    ).toThrow(DataError)
    expect(() =>
      gaussian(
        [0, 0],
        [
          [1, 0.1],
          [0.2, 1],
        ],
      ),
    ).toThrow('symmetric and positive definite')
  })
})

describe('toy sets in more dimensions', () => {
  it.each(spaceNames)('%s: in the plane the density has mass one, and samples follow it', (name) => {
    const plane = space(name, { dimension: 2, noise: 0.4 })
    expect(integral(plane, 8, 800)).toBeCloseTo(1, 3)
    expectSamplesToFollow(plane)
  })

  it.each(spaceNames)('%s is the same set for everyone, each row its own draw, whatever the number', (name) => {
    const set = space(name)
    expect(set.sample(3, 7)).toEqual(
      space(name)
        .sample(9, 7)
        .subarray(0, 3 * set.dimension),
    )
    expect(set.sample(3, 7)).not.toEqual(set.sample(3, 8))
  })

  it('the entropy of a mixture of far components is that of one, and of which', () => {
    const { dimension, entropy } = space('mixture', { dimension: 16, noise: 0.05 })
    const one = 16 * (Math.log(0.05) + 0.5 * (1 + Math.log(2 * Math.PI)))
    expect(dimension).toBe(16)
    expect(entropy({ n: 20_000 }).mean).toBeCloseTo(one + Math.log(32), 1)
  })

  it('says what they cannot be', () => {
    expect(() => space('blob' as never)).toThrow("name must be one of mixture, sheet, but is 'blob'")
    expect(() => space('sheet', { dimension: 1 })).toThrow('dimension must be a whole number from 2 to 64')
    expect(() => space('sheet', { noise: 0 })).toThrow('noise must be a number above 0')
  })
})

describe('a config of a sampler', () => {
  it('draws a set in as many dimensions as are asked for', async () => {
    const { train, density, description } = await load({
      kind: 'toy',
      name: 'mixture',
      dimension: 3,
      train: 10,
      test: 0,
    })
    expect([train.shape, density?.dimension]).toEqual([[10, 3], 3])
    expect(description).toContain('in 3 dimensions')
    expect((await load({ kind: 'toy', name: 'sheet', train: 10, test: 0 })).train.shape).toEqual([10, 8])
  })

  const load = (data: object, seed = 4) => loadData(resolveConfig({ data }).data, { seed, baseDir: dir })

  it('draws its parts independently, and each by the seed alone', async () => {
    const data = { kind: 'toy', name: 'eight-gaussians', train: 300, validation: 100, test: 200 }
    const { train, validation, test, density, scaler, columns } = await load(data)
    expect([train.shape, validation?.shape, test?.shape]).toEqual([
      [300, 2],
      [100, 2],
      [200, 2],
    ])
    const all = [train, validation, test].flatMap((x) => Array.from(x?.values ?? []))
    expect(new Set(all).size).toBe(all.length)
    expect(density?.dimension).toBe(2)
    expect([scaler, columns]).toEqual([null, ['x', 'y']])
    const more = await load({ ...data, train: 1000 })
    expect(more.test).toEqual(test)
    expect((await load(data, 5)).test).not.toEqual(test)
  })

  it('knows no density of moons, and draws a gaussian of any dimension', async () => {
    expect((await load({ kind: 'toy', name: 'moons', train: 10, test: 0 })).density).toBeNull()
    const covariance = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]
    const { train, test, density } = await load({
      kind: 'toy',
      name: 'gaussian',
      mean: [0, 0, 50],
      covariance,
      train: 10,
      test: 0,
    })
    expect([train.shape, test]).toEqual([[10, 3], null])
    expect(density?.entropy().mean).toBeCloseTo(1.5 * (1 + Math.log(2 * Math.PI)), 12)
    expect(train.values[2]).toBeGreaterThan(40)
  })

  it('reads its picture from beside the config', async () => {
    await sharp({ create: { width: 4, height: 3, channels: 3, background: 'black' } })
      .png()
      .toFile(join(dir, 'p.png'))
    const { train, density, description } = await load({ kind: 'image-density', path: 'p.png', train: 20, test: 5 })
    expect(train.shape).toEqual([20, 2])
    expect(density?.logDensity(train.values as Float32Array).every(Number.isFinite)).toBe(true)
    expect(description).toContain('p.png, 4×3 pixels')
  })

  it('standardises draws where it is told to', async () => {
    const { scaler, train } = await load({ kind: 'toy', name: 'moons', train: 1000, standardise: true })
    expect(scaler?.std.every((s) => s > 0.5 && s < 3)).toBe(true)
    expect(Math.max(...train.values)).toBeGreaterThan(2)
  })
})
