/**
 * PyTorch in a process of its own (pytorch.py), told by lines of JSON what to open and how often to run it, so that both
 * sides take turns; the time of a message falls out of the difference that a time is (measure.ts). LFM_PYTHON names
 * the Python to ask.
 */

import { fileURLToPath } from 'node:url'
import type { Work } from '../cases.js'
import { isPlain3x3 } from '../picture-works.js'
import { Conversation } from './conversation.js'
import { MissingPeer, type Peer } from './peer.js'

const script = fileURLToPath(new URL('pytorch.py', import.meta.url))

interface Hello {
  readonly version: string
  /** library of its matrix products; empty where it is not known */
  readonly blas: string
  /** GFLOP/s of a square product */
  readonly speed: number
}

/** Whom to ask: an environment's python3 often hides the system's, which may be the one that has PyTorch. */
const pythons = (): string[] => (process.env.LFM_PYTHON ? [process.env.LFM_PYTHON] : ['python3', '/usr/bin/python3'])

/** OpenBLAS takes a processor that is younger than itself for an old one; told the kind, it may be twice as fast. */
const coreTypes = ['SKYLAKEX', 'HASWELL'] as const

interface Started {
  readonly conversation: Conversation
  readonly hello: Hello
}

async function start(python: string, threads: number, coreType?: string): Promise<Started> {
  const conversation = new Conversation(python, ['-u', script, String(threads)], {
    OPENBLAS_CORETYPE: coreType ?? process.env.OPENBLAS_CORETYPE,
  })
  try {
    return { conversation, hello: (await conversation.next()) as Hello }
  } catch (error) {
    conversation.end()
    throw error
  }
}

/** The first Python that has PyTorch. Throws MissingPeer where none has. */
export async function startPyTorch(threads: number): Promise<Started & { readonly python: string }> {
  const failures: string[] = []
  for (const python of pythons()) {
    try {
      return { ...(await start(python, threads)), python }
    } catch (error) {
      if (!(error instanceof MissingPeer)) throw error
      failures.push(`${python}: ${error.message}`)
    }
  }
  throw new MissingPeer(`no Python with PyTorch was found (${failures.join('; ')}); LFM_PYTHON names another.`)
}

/** With the fastest products that its library can be brought to. */
async function startBest(threads: number): Promise<Started> {
  const { python, ...first } = await startPyTorch(threads)
  let best: Started = first
  if (best.hello.blas.includes('OpenBLAS') && !process.env.OPENBLAS_CORETYPE) {
    for (const coreType of coreTypes) {
      // a kind that the processor cannot run ends the process
      const other = await start(python, threads, coreType).catch(() => null)
      const loser = other && other.hello.speed > best.hello.speed ? best : other
      if (other && loser === best) best = other
      loser?.conversation.end()
    }
  }
  return best
}

function does(work: Work): boolean {
  if (work.kind !== 'kernel') return work.kind !== 'trace'
  return work.kernel === 'mat_mul' || (work.kernel.startsWith('conv2d') && isPlain3x3(work))
}

export async function openPyTorch(threads: number): Promise<Peer> {
  const { conversation, hello } = await startBest(threads)
  if (hello.blas === 'the reference BLAS') {
    conversation.end()
    throw new MissingPeer(
      'its products come from the reference BLAS, which nobody should be compared with: install libopenblas0-pthread.',
    )
  }
  return {
    name: 'pytorch',
    version: hello.version,
    details: `CPU, the best of 1 to ${threads} threads${hello.blas && `, ${hello.blas}`}`,
    does,
    open: (work) => conversation.open(work),
    close: async () => conversation.end(),
  }
}
