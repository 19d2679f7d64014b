/** The paths of calls through a model's stages, as legs. */

import { guidedNetwork } from '../networks/guided/guided.js'
import type { Network } from '../networks/network.js'
import { type Leg, type Link, wholePath } from './transport.js'

/** Where a path stops: chain times in the order of travel, towards the noise or the data. */
export interface Stops {
  readonly stops: readonly number[]
  readonly forward: boolean
}

/** The links with their networks guided by these weights; equal weights share one network. */
export function guidedLinks(links: readonly Link[], weights: readonly number[]): readonly Link[] {
  // without a condition there is one pass: that of zeros
  if (weights.every((weight) => weight === 1) || weights.every((weight) => weight === 0)) return links
  const guided = new Map<number, Network>()
  return links.map((link, i) => {
    const weight = weights[i]
    if (weight === 1) return link
    const field = guided.get(weight) ?? guidedNetwork(link.field, weight)
    guided.set(weight, field)
    return { ...link, field }
  })
}

/** The field that needs most memory for a row. */
export const widestOf = (legs: readonly Leg[]): Network =>
  legs.map(({ link }) => link.field).reduce((widest, field) => (field.widest > widest.widest ? field : widest))

/** From noise to data: a leg for each map, or even legs through an average velocity. */
export function jumpsThrough(links: readonly Link[], jumps: number): Leg[] {
  if (links[0].jump?.kind === 'map') return wholePath(links, 'decode')
  return Array.from({ length: jumps }, (_, i) => {
    return { link: links[0], start: 1 - i / jumps, end: 1 - (i + 1) / jumps, keep: i === jumps - 1 }
  })
}

/** Legs that stop at each of the times, in the order of travel. */
export function cutPath(links: readonly Link[], { stops, forward }: Stops): Leg[] {
  const legs: Leg[] = []
  let at = forward ? 0 : links.length
  for (const stop of stops) {
    while (at !== stop) {
      const n = forward ? Math.floor(at) : Math.ceil(at) - 1
      const next = forward ? Math.min(stop, n + 1) : Math.max(stop, n)
      legs.push({ link: links[n], start: at - n, end: next - n, keep: next === stop })
      at = next
    }
  }
  return legs
}
