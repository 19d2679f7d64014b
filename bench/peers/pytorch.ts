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
  readonly version?: string
  readonly threads?: number
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

export async function openPyTorch(threads: number): Promise<Peer> {
  const python = process.env.LFM_PYTHON ?? 'python3'
  const child = spawn(python, ['-u', script, String(threads)], { stdio: 'pipe' })
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new MissingPeer(`'${python}' did not start: ${error.message}`)))
  })
  const conversation = new Conversation(child)
  let hello: Answer
  try {
    hello = await Promise.race([conversation.next(), failed])
  } catch (error) {
    conversation.end()
    if (!(error instanceof MissingPeer)) throw error
    throw new MissingPeer(
      `no Python with PyTorch was found as '${python}' (${error.message}); LFM_PYTHON names another.`,
    )
  }
  let numbers = 0
  return {
    name: 'pytorch',
    version: hello.version ?? 'unknown',
    details: `CPU, the best of 1 to ${threads} threads`,
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
