/** A *peer* is another library that does the same work on this machine, measured in turn with ours. */

import type { Work } from '../cases.js'
import type { Runner } from '../measure.js'

export interface Peer {
  readonly name: string
  readonly version: string
  /** what it runs on, where there is something to say: an adapter, threads */
  readonly details: string
  /** whether it does this kind of work at all */
  does(work: Work): boolean
  open(work: Work): Promise<Runner>
  close(): Promise<void>
}

/** Why a peer that was asked for does not take part: one line. */
export class MissingPeer extends Error {}
