/**
 * A page in headless Chromium, served from here: no network, no driver. The page sends what it found back by a POST; what goes
 * wrong in it comes back as well. Debian's chromium has WebGPU on SwiftShader, a software adapter.
 */

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'

const names = process.env.LFM_CHROMIUM ? [process.env.LFM_CHROMIUM] : ['chromium', 'chromium-browser', 'google-chrome']

/** The program; null with a loud line where there is none. */
export function findChromium(what: string): string | null {
  const found = names.find((name) => spawnSync(name, ['--version']).status === 0)
  if (!found) {
    if (process.env.LFM_REQUIRE_BROWSER === '1') throw new Error(`There is no ${names.join(', ')} for ${what}.`)
    process.stderr.write(
      `\n*** SKIPPED: ${what}: there is no Chromium (${names.join(', ')}; LFM_CHROMIUM names another)\n`,
    )
  }
  return found ?? null
}

/** How it is started: without a window, with a profile of its own, with WebGPU on SwiftShader or without it. */
export const flagsOf = (profile: string, gpu: boolean): string[] => [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu-sandbox',
  `--user-data-dir=${profile}`,
  ...(gpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : ['--disable-features=WebGPU']),
]

/**
 * Starts it. Its processes are a group of their own, which would live on: they end when this process does, by a signal too.
 *
 * @param profile a folder that goes with it
 * @param more options of spawn()
 */
export function startChromium(
  chromium: string,
  args: readonly string[],
  profile: string,
  more: Pick<SpawnOptions, 'stdio'>,
): { child: ChildProcess; end(): Promise<void> } {
  const child = spawn(chromium, args, { ...more, detached: true })
  const kill = (): void => {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // it has ended by itself
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    forget()
    kill()
    process.kill(process.pid, signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const forget = (): void => {
    process.off('exit', kill)
    for (const signal of signals) process.off(signal, onSignal)
  }
  process.on('exit', kill)
  for (const signal of signals) process.on(signal, onSignal)
  return {
    child,
    async end() {
      forget()
      child.removeAllListeners('exit')
      const lives = child.exitCode === null && child.signalCode === null && child.pid
      const gone = lives ? new Promise((resolve) => child.once('exit', resolve)) : null
      if (lives) process.kill(-lives)
      await gone
      kill()
    },
  }
}

const types: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript', json: 'application/json' }

/**
 * Runs a module in a page and returns what it hands to `done`.
 * @param module the text of a module; `done(value)` is there, as are the files of `folders` under their names
 */
export async function inPage<T>(
  chromium: string,
  module: string,
  folders: Readonly<Record<string, string>>,
  { gpu = true }: { gpu?: boolean } = {},
): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), 'lfm-chromium-'))
  let browser: ReturnType<typeof startChromium> | undefined
  let server: Server | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      const html = `<!doctype html><script type="module">
const send = (body) => fetch('/done', { method: 'POST', body: JSON.stringify(body) })
globalThis.done = (value) => send({ value })
addEventListener('error', (event) => send({ error: event.message }))
addEventListener('unhandledrejection', ({ reason }) => send({ error: String(reason?.stack ?? reason) }))
</script><script type="module">${module}</script>`
      server = createServer((request, response) => {
        const path = normalize(new URL(request.url!, 'http://page').pathname)
        if (request.method === 'POST') {
          let body = ''
          request.on('data', (piece) => {
            body += piece
          })
          request.on('end', () => {
            response.end()
            const { value, error } = JSON.parse(body)
            if (error === undefined) resolve(value)
            else reject(new Error(`In the page: ${error}`))
          })
          return
        }
        const [, folder, ...rest] = path.split('/')
        response.setHeader('content-type', types[path.split('.').at(-1)!] ?? 'application/octet-stream')
        if (path === '/') {
          response.setHeader('content-type', types.html)
          response.end(html)
        } else if (folders[folder] === undefined) response.writeHead(404).end()
        else {
          try {
            response.end(readFileSync(join(folders[folder], ...rest)))
          } catch {
            response.writeHead(404).end()
          }
        }
      })
      server.listen(0, '127.0.0.1', () => {
        const { port } = server!.address() as AddressInfo
        const address = `http://127.0.0.1:${port}/`
        browser = startChromium(chromium, [...flagsOf(profile, gpu), address], profile, { stdio: 'ignore' })
        browser.child.on('exit', (code) => reject(new Error(`${chromium} ended with ${code}.`)))
      })
    })
  } finally {
    server?.closeAllConnections()
    server?.close()
    await browser?.end()
  }
}
