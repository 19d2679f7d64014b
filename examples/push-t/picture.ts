/**
 * An episode as an animated PNG (an APNG, which browsers play and other programs show the first frame of): the goal in green, the
 * block in grey, the disc in blue. Drawn here, pixel by pixel, so that no program of pictures is needed.
 */

import { crc32, deflateSync } from 'node:zlib'
import { distanceTo, type Point, type Pose, toBody } from './geometry.js'
import { goal, parts, radius, type State, size, walls } from './world.js'

type Colour = readonly [red: number, green: number, blue: number]
const colours = { wall: [200, 200, 200], goal: [144, 214, 144], block: [96, 110, 130], agent: [65, 105, 225] } as const
/** what a T or the disc lies inside of, around the T's origin or the disc's centre */
const [around, aroundDisc] = [140, radius + 10]

const toT = (pose: Pose, point: Point): number =>
  Math.min(...parts.map((part) => distanceTo(part, toBody(pose, point))))
const toWall: Distance = (point) => Math.min(...point.map((x) => Math.max(Math.min(x - walls.near, walls.far - x), 0)))

type Distance = (point: Point) => number
/** Paints what is at most a pixel away by `distance`, within a square about a point; edges fade over one pixel. */
function paint(lines: Buffer, pixels: number, colour: Colour, distance: Distance, [x, y]: Point, far: number): void {
  const unit = size / pixels
  const range = (at: number): [number, number] => [
    Math.max(Math.floor((at - far) / unit), 0),
    Math.min(Math.ceil((at + far) / unit), pixels),
  ]
  const [[left, right], [top, bottom]] = [range(x), range(y)]
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const share = Math.min(1 - distance([(column + 0.5) * unit, (row + 0.5) * unit]) / unit, 1)
      if (share <= 0) continue
      const at = row * (1 + 3 * pixels) + 1 + 3 * column
      for (let i = 0; i < 3; i++) lines[at + i] += Math.round(share * (colour[i] - lines[at + i]))
    }
  }
}

/** Lines of RGB, each with PNG's filter byte 0 before it: walls and goal. */
function background(pixels: number): Buffer {
  const lines = Buffer.alloc(pixels * (1 + 3 * pixels), 255)
  for (let row = 0; row < pixels; row++) lines[row * (1 + 3 * pixels)] = 0
  paint(lines, pixels, colours.wall, toWall, [0, 0], size)
  paint(lines, pixels, colours.goal, (point) => toT(goal, point), [goal.x, goal.y], around)
  return lines
}

function frame({ agent, block }: State, pixels: number, under: Buffer): Buffer {
  const lines = Buffer.from(under)
  paint(lines, pixels, colours.block, (point) => toT(block, point), [block.x, block.y], around)
  const toDisc: Distance = ([x, y]) => Math.max(Math.hypot(x - agent[0], y - agent[1]) - radius, 0)
  paint(lines, pixels, colours.agent, toDisc, agent, aroundDisc)
  return lines
}

function piece(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  body.copy(whole, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}

const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, 4 * i)
  })
  return bytes
}

/** Ten states a second, the last for two seconds, and from the start again. */
export function animated(states: readonly State[], pixels = 256): Buffer {
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  // 8 bits of red, green and blue
  const header = piece('IHDR', Buffer.concat([words(pixels, pixels), Buffer.from([8, 2, 0, 0, 0])]))
  const under = background(pixels)
  let number = 0
  const frames = states.flatMap((state, i) => {
    const [delay, second] = [i === states.length - 1 ? 20 : 1, 10]
    const control = Buffer.alloc(6)
    control.writeUInt16BE(delay, 0)
    control.writeUInt16BE(second, 2)
    const data = deflateSync(frame(state, pixels, under), { level: 9 })
    return [
      piece('fcTL', Buffer.concat([words(number++, pixels, pixels, 0, 0), control])),
      i === 0 ? piece('IDAT', data) : piece('fdAT', Buffer.concat([words(number++), data])),
    ]
  })
  return Buffer.concat([
    signature,
    header,
    piece('acTL', words(states.length, 0)),
    ...frames,
    piece('IEND', Buffer.alloc(0)),
  ])
}
