/**
 * A peer in a process of its own, told by lines of JSON what to open and how often to run it, and answering each with one
 * line, so that both sides can take turns. {"open": n, "work": {…}} prepares work n, {"run": n, "times": k} repeats it,
 * {"close": n} forgets it; the process begins with a line about itself. The time of a message falls out of the difference
 * that a time is (measure.ts).
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Work } from '../cases.js'
import type { Runner } from '../measure.js'
import { MissingPeer } from './peer.js'

export class Conversation {
  private readonly child: ChildProcessWithoutNullStreams
  private readonly lines: AsyncIterator<string>
  private readonly reader: Interface
  private readonly failed: Promise<never>
  private complaint = ''
  private numbers = 0

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
    const child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env } })
    this.child = child
    this.failed = new Promise((_, reject) => {
      child.once('error', (error) => reject(new MissingPeer(`it did not start: ${error.message}`)))
    })
    // it is looked at where an answer is waited for
    this.failed.catch(() => {})
    this.reader = createInterface({ input: child.stdout })
    this.lines = this.reader[Symbol.asyncIterator]()
    child.stderr.on('data', (chunk: Buffer) => {
      this.complaint = (this.complaint + chunk.toString()).slice(-4000)
    })
    // a process that is gone is reported by the line that never comes
    child.stdin.on('error', () => {})
  }

  /** The next line. Throws MissingPeer where the process ended, and an Error where it answers with one. */
  async next(): Promise<object> {
    const { value, done } = await Promise.race([this.lines.next(), this.failed])
    if (done) throw new MissingPeer(this.complaint.trim().split('\n').at(-1) || 'it ended without an answer')
    const answer = JSON.parse(value) as { readonly error?: string }
    if (answer.error) throw new Error(`the process of a peer says: ${answer.error}`)
    return answer
  }

  ask(question: object): Promise<object> {
    this.child.stdin.write(`${JSON.stringify(question)}\n`)
    return this.next()
  }

  async open(work: Work): Promise<Runner> {
    const number = this.numbers++
    await this.ask({ open: number, work })
    return {
      run: async (times) => {
        await this.ask({ run: number, times })
      },
      dispose: async () => {
        await this.ask({ close: number })
      },
    }
  }

  end(): void {
    this.reader.close()
    this.child.kill()
  }
}
