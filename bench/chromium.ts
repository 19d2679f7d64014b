/**
 * A page in headless Chromium, served from here: no network, no driver. The page sends what it found back by a POST; what goes
 * wrong in it comes back as well. Debian's chromium has WebGPU on SwiftShader, a software adapter.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
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
  let child: ChildProcess | undefined
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
        child = spawn(chromium, [...flagsOf(profile, gpu), `http://127.0.0.1:${port}/`], {
          stdio: 'ignore',
          detached: true,
        })
        child.on('exit', (code) => reject(new Error(`${chromium} ended with ${code}.`)))
      })
    })
  } finally {
    server?.closeAllConnections()
    server?.close()
    if (child?.pid) {
      child.removeAllListeners('exit')
      const ended = new Promise((resolve) => child!.once('exit', resolve))
      process.kill(-child.pid)
      await ended
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
