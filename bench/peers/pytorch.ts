/**
 * PyTorch in a process of its own (pytorch.py), told by lines of JSON what to open and how often to run it, so that both
 * sides take turns; the time of a message falls out of the difference that a time is (measure.ts). LFM_PYTHON names
 * the Python to ask.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Runner } from '../measure.js'
import { MissingPeer, type Peer } from './peer.js'

const script = fileURLToPath(new URL('pytorch.py', import.meta.url))

interface Answer {
  readonly error?: string
}

interface Hello extends Answer {
  readonly version: string
  /** library of its matrix products; empty where it is not known */
  readonly blas: string
  /** GFLOP/s of a square product */
  readonly speed: number
}

/** One question at a time, one line for each answer. */
class Conversation {
  private readonly lines: AsyncIterator<string>
  private readonly reader: Interface
  private complaint = ''

  constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.reader = createInterface({ input: child.stdout })
    this.lines = this.reader[Symbol.asyncIterator]()
    child.stderr.on('data', (chunk: Buffer) => {
      this.complaint = (this.complaint + chunk.toString()).slice(-4000)
    })
    // a process that is gone is reported by the line that never comes
    child.stdin.on('error', () => {})
  }

  async next(): Promise<Answer> {
    const { value, done } = await this.lines.next()
    if (done) throw new MissingPeer(this.complaint.trim().split('\n').at(-1) || 'Python ended without an answer.')
    const answer = JSON.parse(value) as Answer
    if (answer.error) throw new Error(`pytorch: ${answer.error}`)
    return answer
  }

  ask(question: object): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(question)}\n`)
    return this.next()
  }

  end(): void {
    this.reader.close()
    this.child.kill()
  }
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
  const env = coreType ? { ...process.env, OPENBLAS_CORETYPE: coreType } : process.env
  const child = spawn(python, ['-u', script, String(threads)], { stdio: 'pipe', env })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new MissingPeer(`it did not start: ${error.message}`)))
  })
  const conversation = new Conversation(child)
  try {
    return { conversation, hello: (await Promise.race([conversation.next(), failed])) as Hello }
  } catch (error) {
    conversation.end()
    throw error
  }
}

/** The first Python that has PyTorch, with the fastest products that its library can be brought to. */
async function startBest(threads: number): Promise<Started> {
  const failures: string[] = []
  for (const python of pythons()) {
    let best: Started
    try {
      best = await start(python, threads)
    } catch (error) {
      if (!(error instanceof MissingPeer)) throw error
      failures.push(`${python}: ${error.message}`)
      continue
    }
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
  throw new MissingPeer(`no Python with PyTorch was found (${failures.join('; ')}); LFM_PYTHON names another.`)
}

export async function openPyTorch(threads: number): Promise<Peer> {
  const { conversation, hello } = await startBest(threads)
  if (hello.blas === 'the reference BLAS') {
    conversation.end()
    throw new MissingPeer(
      'its products come from the reference BLAS, which nobody should be compared with: install libopenblas0-pthread.',
    )
  }
  let numbers = 0
  return {
    name: 'pytorch',
    version: hello.version,
    details: `CPU, the best of 1 to ${threads} threads${hello.blas && `, ${hello.blas}`}`,
    does: (work) =>
      work.kind === 'kernel' ? work.kernel === 'mat_mul' : ['step', 'rk4', 'forward'].includes(work.kind),
    async open(work): Promise<Runner> {
      const number = numbers++
      await conversation.ask({ open: number, work })
      return {
        async run(times) {
          await conversation.ask({ run: number, times })
        },
        async dispose() {
          await conversation.ask({ close: number })
        },
      }
    },
    close: async () => conversation.end(),
  }
}
