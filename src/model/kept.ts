/** The program of a model's last call for few rows, for the next one: a policy asks for one row many times a second. */

import type { Transport } from './transport.js'

/** Rows of such a call, at most. */
const MOST_KEPT_ROWS = 64
/** Values of all rows in the widest tensor of its program, at most: its memory is kept too. */
const MOST_KEPT_ELEMENTS = 2 ** 20

/** @param elements of the widest tensor of its program */
export const isKept = (rows: number, elements: number): boolean =>
  rows <= MOST_KEPT_ROWS && elements <= MOST_KEPT_ELEMENTS

export class KeptProgram {
  private kept: { readonly key: string; readonly transport: Transport } | null = null

  /** The one that was kept, where this call is alike: it is this call's alone until it is kept again. */
  take(key: string): Transport | null {
    if (this.kept?.key !== key) return null
    const { transport } = this.kept
    this.kept = null
    return transport
  }

  /** In place of the one that was kept. */
  keep(key: string, transport: Transport): void {
    this.dispose()
    this.kept = { key, transport }
  }

  dispose(): void {
    this.kept?.transport.dispose()
    this.kept = null
  }
}
