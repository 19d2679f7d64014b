/**
 * The native device with one thread, as a peer: its ratio is what more threads bring. The engine takes its threads when
 * it is loaded, so the single one lives in a process of its own (one-thread-process.ts).
 */

import { fileURLToPath } from 'node:url'
import { Conversation } from './conversation.js'
import type { Peer } from './peer.js'

const script = fileURLToPath(new URL('one-thread-process.ts', import.meta.url))

export async function openOneThread(): Promise<Peer> {
  const conversation = new Conversation(process.execPath, ['--import', 'tsx', script], { LFM_THREADS: '1' })
  let version: string
  try {
    version = ((await conversation.next()) as { version: string }).version
  } catch (error) {
    conversation.end()
    throw error
  }
  return {
    name: 'one-thread',
    version,
    details: 'the native device with one thread',
    does: () => true,
    open: (work) => conversation.open(work),
    close: async () => conversation.end(),
  }
}
