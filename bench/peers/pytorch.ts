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

/** How PyTorch is run, by the peer's name; bench/peers/pytorch.py says what its switches do. */
export const pytorchForms = {
  pytorch: [],
  'pytorch-compile': ['--compile'],
  'pytorch-cuda': ['--device', 'cuda'],
  'pytorch-cuda-tf32': ['--device', 'cuda', '--tf32'],
  'pytorch-cuda-bf16': ['--device', 'cuda', '--bf16'],
  'pytorch-cuda-compile': ['--device', 'cuda', '--compile'],
  'pytorch-cuda-compile-tf32': ['--device', 'cuda', '--compile', '--tf32'],
} as const satisfies Readonly<Record<string, readonly string[]>>
export type PyTorchForm = keyof typeof pytorchForms

async function start(
  python: string,
  threads: number,
  switches: readonly string[],
  coreType?: string,
): Promise<Started> {
  const conversation = new Conversation(python, ['-u', script, String(threads), ...switches], {
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
export async function startPyTorch(
  threads: number,
  switches: readonly string[] = [],
): Promise<Started & { readonly python: string }> {
  const failures: string[] = []
  for (const python of pythons()) {
    try {
      return { ...(await start(python, threads, switches)), python }
    } catch (error) {
      if (!(error instanceof MissingPeer)) throw error
      failures.push(`${python}: ${error.message}`)
    }
  }
  throw new MissingPeer(`no Python with PyTorch was found (${failures.join('; ')}); LFM_PYTHON names another.`)
}

/** With the fastest products that its library can be brought to. */
async function startBest(threads: number, switches: readonly string[]): Promise<Started> {
  const { python, ...first } = await startPyTorch(threads, switches)
  let best: Started = first
  if (best.hello.blas.includes('OpenBLAS') && !process.env.OPENBLAS_CORETYPE) {
    for (const coreType of coreTypes) {
      // a kind that the processor cannot run ends the process
      const other = await start(python, threads, switches, coreType).catch(() => null)
      const loser = other && other.hello.speed > best.hello.speed ? best : other
      if (other && loser === best) best = other
      loser?.conversation.end()
    }
  }
  return best
}

function does(work: Work): boolean {
  if (work.kind !== 'kernel') return work.kind !== 'trace' && work.kind !== 'sample'
  return work.kernel === 'mat_mul' || (work.kernel.startsWith('conv2d') && isPlain3x3(work))
}

export async function openPyTorch(threads: number, name: PyTorchForm = 'pytorch'): Promise<Peer> {
  const switches: readonly string[] = pytorchForms[name]
  const { conversation, hello } = await startBest(threads, switches)
  const where = switches.includes('cuda')
    ? hello.blas
    : `CPU, the best of 1 to ${threads} threads${hello.blas && `, ${hello.blas}`}`
  if (hello.blas === 'the reference BLAS') {
    conversation.end()
    throw new MissingPeer(
      'its products come from the reference BLAS, which nobody should be compared with: install libopenblas0-pthread.',
    )
  }
  return {
    name,
    version: hello.version,
    details: where,
    does,
    open: (work) => conversation.open(work),
    close: async () => conversation.end(),
  }
}
