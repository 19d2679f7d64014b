/** The shape of a row as a config alone tells it, for whoever plans a training before the data are there. */

import type { DataConfig } from './schema.js'

/** CIFAR-10's own. */
const CIFAR_SIDE = 32

/** […dims] of one row, and whether the values are pixels; null where only the data say it. */
export function plannedRow(data: DataConfig): { rowShape: number[]; pixels: boolean } | null {
  switch (data.kind) {
    case 'image-density':
      return { rowShape: [2], pixels: false }
    case 'toy':
      return { rowShape: [data.name === 'gaussian' ? (data.mean?.length ?? 0) : 2], pixels: false }
    case 'csv':
    case 'npy':
      return data.columns ? { rowShape: [data.columns.length], pixels: false } : null
    case 'images':
      return squares(data.channels === 'rgb' ? 3 : 1, data.size)
    case 'idx':
      return squares(1, data.size)
    case 'cifar10':
      return squares(3, data.size ?? CIFAR_SIDE)
  }
}

const squares = (channels: number, side: number | undefined): { rowShape: number[]; pixels: boolean } | null =>
  side === undefined ? null : { rowShape: [channels, side, side], pixels: true }
