/**
 * Draws the two example pictures, examples/rose.png and examples/tree.png, from formulas: `node scripts/draw-examples.mjs [FOLDER]`.
 * Both are made to be read as densities, where a dark pixel is mass: fine lines beside broad ones, shades of grey, clear gaps
 * between them, and an even spread over the frame. Every "random" choice comes from one seeded generator, so the script
 * gives the same pictures each time.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Resvg } from '@resvg/resvg-js'
import sharp from 'sharp'

const SIDE = 360
const MARGIN = 14
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5))

/** mulberry32: uniform numbers in [0, 1) from a 32-bit seed. */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const grey = (level) => `rgb(${level},${level},${level})`
const path = (points, closed = true) =>
  `M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join('L')}${closed ? 'Z' : ''}`

/** Points of a cubic Bézier curve with their unit normals: [x, y, nx, ny] for `count` equal steps of the parameter. */
function bezier(a, b, c, d, count) {
  return Array.from({ length: count + 1 }, (_, i) => {
    const t = i / count
    const s = 1 - t
    const at = (k) => s * s * s * a[k] + 3 * s * s * t * b[k] + 3 * s * t * t * c[k] + t * t * t * d[k]
    const slope = (k) => 3 * (s * s * (b[k] - a[k]) + 2 * s * t * (c[k] - b[k]) + t * t * (d[k] - c[k]))
    const norm = Math.hypot(slope(0), slope(1)) || 1
    return [at(0), at(1), -slope(1) / norm, slope(0) / norm]
  })
}

/** A stroke whose width follows `width(t)`, t from 0 to 1 along the curve: the outline of a filled shape. */
function ribbon(curve, width) {
  const side = (sign) =>
    curve.map(([x, y, nx, ny], i) => {
      const half = (sign * width(i / (curve.length - 1))) / 2
      return [x + nx * half, y + ny * half]
    })
  return [...side(1), ...side(-1).reverse()]
}

/**
 * A leaf along a curved midrib: white inside, a serrated dark edge, veins that branch off the midrib.
 * `bend` moves the middle of the rib sideways, in parts of its length.
 */
function leaf(from, to, breadth, bend) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const length = Math.hypot(dx, dy)
  const through = (t) => [from[0] + t * dx - bend * dy, from[1] + t * dy + bend * dx]
  const rib = bezier(from, through(0.3), through(0.7), to, 72)
  const half = (t) => breadth * length * Math.sin(Math.PI * t ** 0.8) ** 0.85
  const teeth = (t) => 1 + 0.13 * ((t * 11) % 1) - 0.06
  const edge = ribbon(rib, (t) => 2 * half(t) * teeth(t))
  const veins = []
  for (let i = 8; i < 62; i += 6) {
    const [x, y, nx, ny] = rib[i]
    const reach = half(i / 72 + 0.1) * 0.82
    const [ax, ay] = [ny, -nx]
    for (const sign of [1, -1]) {
      veins.push(
        path(
          [
            [x, y],
            [x + sign * nx * reach * 0.5 + ax * reach * 0.36, y + sign * ny * reach * 0.5 + ay * reach * 0.36],
            [x + sign * nx * reach + ax * reach * 0.9, y + sign * ny * reach + ay * reach * 0.9],
          ],
          false,
        ),
      )
    }
  }
  return `<path d="${path(edge)}" fill="${grey(225)}" stroke="${grey(10)}" stroke-width="2.4" stroke-linejoin="round"/>
<path d="${veins.join('')}" fill="none" stroke="${grey(95)}" stroke-width="1.1"/>
<path d="${path(ribbon(rib, (t) => 3.2 * (1 - t) + 0.6))}" fill="${grey(10)}"/>`
}

/**
 * The rose: petals at golden-angle steps, from the outermost in. Petal k stands at the angle k·137.5°, reaches
 * r(φ) = R_k · (1 − |φ/w|^4)^(1/2) · (1 + ripples) over its half width w, and covers what lies under it, so the bloom
 * becomes the spiral of a real one. Lines that repeat a petal's rim inside it, fading, are its shade.
 */
function rose() {
  const random = generator(20)
  const centre = [180, 134]
  const petals = 34
  const outer = 122
  const shapes = []
  for (let k = petals; k >= 1; k--) {
    const angle = k * GOLDEN_ANGLE + 0.9
    const part = k / petals
    const radius = outer * (0.1 + 0.9 * part) ** 0.86
    const half = 0.66 + 0.85 * (1 - part) ** 1.4
    const phase = 2 * Math.PI * random()
    const tilt = 0.16 * (1 - part) + 0.1 * (random() - 0.5)
    const rim = (scale) => {
      const points = []
      for (let i = -40; i <= 40; i++) {
        const u = i / 40
        const ripple = 1 + 0.026 * Math.sin(5 * u + phase) + 0.06 * Math.exp(-((u / 0.2) ** 2)) + tilt * u
        const r = radius * scale * (1 - Math.abs(u) ** 3.2) ** 0.5 * ripple
        const a = angle + half * u * (0.55 + 0.45 * scale)
        points.push([centre[0] + r * Math.cos(a), centre[1] + 0.94 * r * Math.sin(a)])
      }
      return points
    }
    shapes.push(
      `<path d="${path([...rim(1), centre])}" fill="#fff" stroke="${grey(8)}" stroke-width="${(1.2 + 2.3 * part).toFixed(2)}" stroke-linejoin="round"/>`,
    )
    const lines = Math.round(1 + 5 * part)
    for (let j = 1; j <= lines; j++) {
      const inside = rim(1 - 0.085 * j).slice(8 + 2 * j, -8 - 2 * j)
      shapes.push(
        `<path d="${path(inside, false)}" fill="none" stroke="${grey(90 + Math.round((120 * j) / lines))}" stroke-width="${(0.9 + 0.5 * part).toFixed(2)}" stroke-linecap="round"/>`,
      )
    }
  }
  const core = Array.from({ length: 61 }, (_, i) => {
    const r = 1 + 8.5 * (i / 60)
    const a = 1.2 + (i / 60) * 4.2 * Math.PI
    return [centre[0] + r * Math.cos(a), centre[1] + r * Math.sin(a)]
  })
  shapes.push(
    `<circle cx="${centre[0]}" cy="${centre[1]}" r="10" fill="#fff" stroke="${grey(8)}" stroke-width="1.3"/>`,
    `<path d="${path(core, false)}" fill="none" stroke="${grey(40)}" stroke-width="1.2" stroke-linecap="round"/>`,
  )
  const stem = bezier([184, 220], [176, 270], [206, 300], [168, 354], 60)
  const thorn = ([x, y, nx, ny], sign) =>
    `<path d="${path([
      [x + sign * nx * 2 - ny * 5, y + sign * ny * 2 + nx * 5],
      [x + sign * nx * 11 - ny * -3, y + sign * ny * 11 + nx * -3],
      [x + sign * nx * 2 + ny * 5, y + sign * ny * 2 - nx * 5],
    ])}" fill="${grey(10)}"/>`
  return `${leaf([186, 296], [330, 262], 0.19, -0.07)}${leaf([187, 312], [34, 270], 0.19, 0.08)}
<path d="${path(ribbon(stem, (t) => 8 - 1.5 * t))}" fill="${grey(10)}"/>
${thorn(stem[24], -1)}${thorn(stem[42], 1)}${thorn(stem[52], -1)}
${shapes.join('\n')}`
}

/**
 * The tree: every branch is a tapering curve that ends in two or three smaller ones (Leonardo's rule: the squares of
 * their widths add up to the square of its own), bent toward the light; the last ones carry leaves at golden angles.
 */
function tree() {
  const random = generator(5)
  const wood = []
  const leaves = []
  const spread = (amount) => amount * (2 * random() - 1)
  function grow(x, y, angle, length, width, depth) {
    const bend = spread(0.16)
    const end = [x + length * Math.cos(angle + bend), y - length * Math.sin(angle + bend)]
    const first = [x + 0.35 * length * Math.cos(angle), y - 0.35 * length * Math.sin(angle)]
    const turn = angle + 2 * bend
    const second = [end[0] - 0.3 * length * Math.cos(turn), end[1] + 0.3 * length * Math.sin(turn)]
    const next = width * (depth === 0 ? 0.5 : 0.74)
    wood.push(
      `<path d="${path(ribbon(bezier([x, y], first, second, end, 14), (t) => width + (next - width) * t))}" fill="${grey(depth > 4 ? 0 : 60)}"/>`,
      `<circle cx="${end[0].toFixed(2)}" cy="${end[1].toFixed(2)}" r="${(next / 2).toFixed(2)}" fill="${grey(depth > 4 ? 0 : 60)}"/>`,
    )
    if (depth <= 2) {
      for (let i = 0; i < 3; i++) {
        const a = turn + spread(1.3)
        const reach = 3 + 6 * random()
        leaves.push([end[0] + reach * Math.cos(a), end[1] - reach * Math.sin(a), a, 3.2 + 2.2 * random()])
      }
    }
    if (depth === 0) return
    const children = depth > 5 ? 3 : 2
    const fork = 0.46 + spread(0.08)
    for (let i = 0; i < children; i++) {
      const share = children === 3 ? [0.42, 0.3, 0.28][i] : [0.55, 0.45][i]
      const side = children === 3 ? [0, -1.5, 1.5][i] : [-1, 1][i]
      const light = (depth > 4 ? 0.3 : 0.06) * (Math.PI / 2 - turn)
      grow(
        end[0],
        end[1],
        turn + side * fork + light,
        length * (0.76 + spread(0.07)),
        Math.max(next * Math.sqrt(share) * 1.12, 0.9),
        depth - 1,
      )
    }
  }
  const roots = []
  for (const [reach, drop] of [
    [-78, 15],
    [-46, 20],
    [-16, 22],
    [24, 21],
    [54, 18],
    [84, 13],
  ]) {
    const curve = bezier(
      [180 + reach * 0.04, 276],
      [180 + reach * 0.13, 330],
      [180 + reach * 0.5, 322],
      [180 + reach, 330 + drop],
      20,
    )
    roots.push(`<path d="${path(ribbon(curve, (t) => 12 * (1 - t) ** 1.2 + 1))}" fill="${grey(0)}"/>`)
  }
  grow(180, 318, Math.PI / 2, 78, 23, 7)
  const blades = leaves.map(([x, y, a, size]) => {
    const level = Math.round(40 + 130 * random())
    return `<ellipse cx="${x.toFixed(2)}" cy="${y.toFixed(2)}" rx="${size.toFixed(2)}" ry="${(size * 0.45).toFixed(2)}" fill="${grey(level)}" transform="rotate(${((-a * 180) / Math.PI).toFixed(1)} ${x.toFixed(2)} ${y.toFixed(2)})"/>`
  })
  return `${blades.join('\n')}${roots.join('\n')}${wood.join('\n')}`
}

/** Renders shapes as a greyscale PNG of SIDE×SIDE, scaled to leave a margin of MARGIN pixels on the tighter sides. */
async function draw(shapes) {
  const document = (inside) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}">${inside}</svg>`
  const options = { font: { loadSystemFonts: false }, background: '#fff' }
  const box = new Resvg(document(shapes), options).getBBox()
  const scale = (SIDE - 2 * MARGIN) / Math.max(box.width, box.height)
  const left = SIDE / 2 - scale * (box.x + box.width / 2)
  const top = SIDE / 2 - scale * (box.y + box.height / 2)
  const fitted = `<g transform="translate(${left} ${top}) scale(${scale})">${shapes}</g>`
  const image = new Resvg(document(fitted), options).render()
  return sharp(image.pixels, { raw: { width: image.width, height: image.height, channels: 4 } })
    .flatten()
    .toColourspace('b-w')
    .png({ compressionLevel: 9, adaptiveFiltering: false })
    .toBuffer()
}

const folder = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', 'examples')
await mkdir(folder, { recursive: true })
for (const [name, shapes] of [
  ['rose', rose()],
  ['tree', tree()],
]) {
  const png = await draw(shapes)
  await writeFile(join(folder, `${name}.png`), png)
  console.log(`${name}.png: ${SIDE}×${SIDE}, ${(png.length / 1024).toFixed(1)} KB`)
}
