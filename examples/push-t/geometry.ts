/**
 * Rectangles of the plane in any pose: the nearest point of one, and the area that two have in common. A T is a bar and a stem that do
 * not overlap, so what holds of a T is a sum over its two rectangles.
 */

/** A point or a direction of the plane. */
export type Point = readonly [x: number, y: number]

/** A rectangle in the frame of the body that it belongs to, sides along the axes. */
export interface Rectangle {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Where a body is: its origin, and the angle from the world's axes to its own, in radians. */
export interface Pose {
  readonly x: number
  readonly y: number
  readonly angle: number
}

/** A point of a body's frame in the world. */
export function toWorld({ x, y, angle }: Pose, [u, v]: Point): Point {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  return [x + c * u - s * v, y + s * u + c * v]
}

/** A point of the world in a body's frame. */
export function toBody({ x, y, angle }: Pose, [px, py]: Point): Point {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  return [c * (px - x) + s * (py - y), -s * (px - x) + c * (py - y)]
}

/** The corners, in turn. */
export const corners = ({ left, right, top, bottom }: Rectangle): Point[] => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
]

/** Distance of a point from a rectangle in whose frame it is; 0 inside. */
export function distanceTo({ left, right, top, bottom }: Rectangle, [u, v]: Point): number {
  const du = Math.max(left - u, 0, u - right)
  const dv = Math.max(top - v, 0, v - bottom)
  return Math.hypot(du, dv)
}

/** Area of a polygon, by the shoelace formula; above 0 where its corners turn as those of `corners` do. */
export function area(polygon: readonly Point[]): number {
  let twice = 0
  for (let i = 0; i < polygon.length; i++) {
    const [[x0, y0], [x1, y1]] = [polygon[i], polygon[(i + 1) % polygon.length]]
    twice += x0 * y1 - x1 * y0
  }
  return twice / 2
}

/** The part of a convex polygon on the side of a line where `side` is at most 0. */
function cut(polygon: readonly Point[], side: (point: Point) => number): Point[] {
  const kept: Point[] = []
  for (let i = 0; i < polygon.length; i++) {
    const [from, to] = [polygon[i], polygon[(i + 1) % polygon.length]]
    const [before, after] = [side(from), side(to)]
    if (before <= 0) kept.push(from)
    if (before <= 0 !== after <= 0) {
      const t = before / (before - after)
      kept.push([from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])])
    }
  }
  return kept
}

/** Area that a convex polygon has in common with a rectangle in whose frame it is (Sutherland and Hodgman's clipping). */
export function commonArea(polygon: readonly Point[], { left, right, top, bottom }: Rectangle): number {
  let rest = cut(polygon, ([u]) => left - u)
  rest = cut(rest, ([u]) => u - right)
  rest = cut(rest, ([, v]) => top - v)
  rest = cut(rest, ([, v]) => v - bottom)
  return Math.abs(area(rest))
}
