/** A browser that a benchmark has opened ends with it, however that ends: it is a group of processes of its own. */

import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { startProcess } from '../cli/lfm.js'

const folder = mkdtempSync(join(tmpdir(), 'lfm-browser-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Whether a process is there, and no zombie that nobody has asked about yet. */
const lives = (pid: number): boolean => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

it.skipIf(process.platform !== 'linux').each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s to the benchmark ends it, and its profile is gone',
  async (signal) => {
    // a browser that never asks for the page, whose children do not end with it
    const [browser, pids] = [join(folder, 'chromium'), join(folder, signal)]
    writeFileSync(
      browser,
      `#!/bin/sh\ntrap '' TERM HUP INT\nsleep 1000 &\necho $$ $! > '${pids}.part'; mv '${pids}.part' '${pids}'; wait\n`,
    )
    chmodSync(browser, 0o755)
    const script = `import { inPage } from '${new URL('../../bench/chromium.ts', import.meta.url)}'
await inPage('${browser}', '', {})`
    const { child, ended } = startProcess([process.execPath, '--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: process.cwd(),
      env: { TMPDIR: folder },
    })
    while (!existsSync(pids) && child.exitCode === null) await wait(20)
    const started = readFileSync(pids, 'utf8').trim().split(' ').map(Number)
    expect(started.map(lives)).toEqual([true, true])
    child.kill(signal)
    expect((await ended).signal).toBe(signal)
    while (started.some(lives)) await wait(20)
    expect(readdirSync(folder).filter((name) => name.startsWith('lfm-chromium-'))).toEqual([])
  },
)
