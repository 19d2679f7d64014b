/** The shape of a row as a config alone tells it, for whoever plans a training before the data are there. */

import { mafSets } from './maf.js'
import type { DataConfig } from './schema.js'
import type { ConfigOf } from './source.js'
import { isSpace, spaceSets } from './spaces.js'

/** CIFAR-10's own. */
const CIFAR_SIDE = 32

/** […dims] of one row, and whether the values are pixels; null where only the data say it. */
export function plannedRow(data: DataConfig): { rowShape: number[]; pixels: boolean } | null {
  switch (data.kind) {
    case 'image-density':
      return { rowShape: [2], pixels: false }
    case 'toy':
      return { rowShape: [toyDimension(data)], pixels: false }
    case 'csv':
    case 'npy':
      return data.columns ? { rowShape: [data.columns.length], pixels: false } : null
    case 'table':
      return null
    case 'images':
      return squares(data.channels === 'rgb' ? 3 : 1, data.size)
    case 'idx':
      return squares(1, data.size)
    case 'cifar10':
      return squares(3, data.size ?? CIFAR_SIDE)
    case 'maf':
      return { rowShape: [mafSets[data.name].width], pixels: false }
  }
}

function toyDimension({ name, mean, dimension }: ConfigOf<'toy'>): number {
  if (name === 'gaussian') return mean?.length ?? 0
  return isSpace(name) ? (dimension ?? spaceSets[name].dimension) : 2
}

const squares = (channels: number, side: number | undefined): { rowShape: number[]; pixels: boolean } | null =>
  side === undefined ? null : { rowShape: [channels, side, side], pixels: true }
