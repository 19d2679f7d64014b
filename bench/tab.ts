/**
 * A tab of headless Chromium as a person has it: it opens an address, is clicked and typed at, and is looked at. The DevTools
 * protocol goes over a pipe, so that nothing of the page knows of it and no port is open. What the page writes on the console,
 * what it throws and what it asks a network for is kept.
 */

import type { ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { flagsOf, startChromium } from './chromium.js'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** How a tab looks. */
export interface Look {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  readonly reducedMotion?: boolean
}

export class Tab {
  /** lines of the console, errors and warnings of the browser among them */
  readonly console: string[] = []
  /** addresses that were asked for after the page's own */
  readonly requests: string[] = []
  private readonly waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  private session: string | undefined
  private last = 0

  private constructor(
    private readonly child: ChildProcess,
    /** ends the browser */
    readonly close: () => Promise<void>,
  ) {
    let rest = ''
    const input = child.stdio[4] as Readable
    input.setEncoding('utf8')
    input.on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop()!
      for (const message of messages) this.take(JSON.parse(message))
    })
  }

  /** Opens a tab that shows nothing yet. */
  static async open(chromium: string, { gpu = true }: { gpu?: boolean } = {}): Promise<Tab> {
    const profile = mkdtempSync(join(tmpdir(), 'lfm-tab-'))
    const args = [...flagsOf(profile, gpu), '--remote-debugging-pipe', 'about:blank']
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    const { child, end } = startChromium(chromium, args, profile, { stdio: [...stdio] })
    const tab = new Tab(child, end)
    child.on('exit', () => {
      for (const { reject } of tab.waiting.values()) reject(new Error(`${chromium} has ended.`))
    })
    const { targetInfos } = await tab.send<{ targetInfos: { targetId: string; type: string }[] }>('Target.getTargets')
    const { targetId } = targetInfos.find(({ type }) => type === 'page')!
    const { sessionId } = await tab.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    tab.session = sessionId
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`)
    return tab
  }

  async look({ width = 1280, height = 900, dark = false, reducedMotion = false }: Look): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    await this.send('Emulation.setScrollbarsHidden', { hidden: true })
    const features = [
      { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
      { name: 'prefers-reduced-motion', value: reducedMotion ? 'reduce' : 'no-preference' },
    ]
    await this.send('Emulation.setEmulatedMedia', { features })
  }

  async visit(address: string): Promise<void> {
    const { errorText } = await this.send<{ errorText?: string }>('Page.navigate', { url: address })
    if (errorText) throw new Error(`${address} cannot be opened: ${errorText}`)
  }

  /** The value of an expression in the page, of a promise what it is kept with. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description?: string } }
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails)
      throw new Error(`In the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string, seconds = 60): Promise<void> {
    const end = Date.now() + 1000 * seconds
    for (;;) {
      // while it goes to another address the page has no answer
      if (await this.value<boolean>(`Boolean(${expression})`).catch(() => false)) return
      if (Date.now() > end) {
        throw new Error(`Not within ${seconds} s: ${expression}\n${this.console.join('\n')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Presses, moves along the points, and lets go: positions in the window. One point is a click. */
  async drag(points: readonly (readonly [number, number])[]): Promise<void> {
    const mouse = (type: string, [x, y]: readonly [number, number]): Promise<unknown> =>
      this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: 1, clickCount: 1 })
    await mouse('mousePressed', points[0])
    for (const point of points.slice(1)) await mouse('mouseMoved', point)
    await mouse('mouseReleased', points[points.length - 1])
  }

  /** Presses a key by its name, such as Tab or ArrowLeft; ' ' and letters write themselves. */
  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = {
      Tab: 9,
      Enter: 13,
      ' ': 32,
      ArrowLeft: 37,
      ArrowUp: 38,
      ArrowRight: 39,
      ArrowDown: 40,
      End: 35,
    }
    const text = key === 'Enter' ? '\r' : key.length === 1 ? key : undefined
    const event = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: codes[key], text }
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }

  /** What is seen, as PNG: the window, or the whole page. */
  async picture({ whole = false }: { whole?: boolean } = {}): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: whole })
    return Buffer.from(data, 'base64')
  }

  private send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.last
    const text = JSON.stringify({ id, method, params, sessionId: this.session })
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      ;(this.child.stdio[3] as Writable).write(`${text}\0`)
    })
  }

  private take({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const waiting = this.waiting.get(id)
      this.waiting.delete(id)
      if (error) waiting?.reject(new Error(error.message))
      else waiting?.resolve(result as never)
      return
    }
    // biome-ignore lint/suspicious/noExplicitAny: events of the protocol, each of its own shape
    const event = params as any
    if (method === 'Runtime.consoleAPICalled') {
      const words = event.args.map((arg: { value?: unknown; description?: string }) => arg.value ?? arg.description)
      this.console.push(`${event.type}: ${words.join(' ')}`)
    } else if (method === 'Runtime.exceptionThrown') {
      const { text, exception } = event.exceptionDetails
      this.console.push(`error: ${exception?.description ?? text}`)
    } else if (method === 'Log.entryAdded') {
      this.console.push(`${event.entry.level}: ${event.entry.text}`)
    } else if (method === 'Network.requestWillBeSent' && event.type !== 'Document') {
      this.requests.push(event.request.url)
    }
  }
}
