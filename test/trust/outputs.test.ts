/** The terminal goes away, or was never read: training saves, or goes on; a result that was written is a success. */

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, engine, lfm, start, untilCheckpoint, workFolder } from '../cli/lfm.js'

const config = (steps: number) => `
data: { kind: toy, name: moons, train: 500, test: 20 }
model: { hidden: [16] }
flow: { gammas: [null] }
train: { steps: ${steps}, batch: 100, checkpointEvery: 20 }
ode: { sample: { steps: 2 }, evaluate: { steps: 2 } }
device: ${engine}
`
const cwd = workFolder({ 'short.yaml': config(60), 'middle.yaml': config(400), 'long.yaml': config(1_000_000) })
const main = join(built(), 'cli/main.js')

beforeAll(async () => {
  expect((await lfm(['train', 'short.yaml', '--out', 'done'], { cwd })).code).toBe(0)
})

/** Runs a command whose outputs are given file descriptors. */
const withOutputs = (args: readonly string[], stdout: 'pipe' | number, stderr: 'pipe' | number, close = true) =>
  new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', stdout, stderr] })
    let text = ''
    if (close) {
      // nobody reads from now on: what is written fails with EPIPE
      child.stdout?.destroy()
      child.stderr?.destroy()
    } else {
      child.stderr?.setEncoding('utf8').on('data', (part) => {
        text += part
      })
    }
    child.on('close', (code, signal) => resolve({ code, signal, stderr: text }))
  })

describe('an output that nobody reads', () => {
  it.each(['stdout and stderr'])('%s: training goes on to its end', async () => {
    expect(await withOutputs(['train', 'short.yaml', '--out', 'unread'], 'pipe', 'pipe')).toMatchObject({
      code: 0,
      signal: null,
    })
    expect((await readManifest(join(cwd, 'unread'))).progress.phase).toBe('done')
    expect(existsSync(join(cwd, 'unread/report.html'))).toBe(true)
  })

  it.each([
    [['sample', 'done', '-n', '5', '-o', 'a.csv'], 'a.csv'],
    [['score', 'done', 'a.csv', '-o', 'b.csv'], 'b.csv'],
    [['evaluate', 'done'], 'done/report.html'],
    // far more than a pipe holds: it ends where nobody reads
    [['sample', 'done', '-n', '50000', '-o', '-'], null],
    [['columns', 'a.csv'], null],
    [['devices'], null],
    [['train', 'short.yaml', '--dry-run'], null],
  ])('%s is done', async (args, file) => {
    expect(await withOutputs(args, 'pipe', 'pipe')).toMatchObject({ code: 0, signal: null })
    if (file) expect(statSync(join(cwd, file)).size).toBeGreaterThan(0)
  })

  it.skipIf(!existsSync('/dev/full'))('a full disk under stdout is one line, without a stack', async () => {
    const full = openSync('/dev/full', 'w')
    try {
      const { code, stderr } = await withOutputs(['sample', 'done', '-n', '5', '-o', 'c.csv'], full, 'pipe', false)
      expect(stderr).toBe('lfm: stdout cannot be written: no space is left on the disk.\n')
      expect(code).toBe(1)
    } finally {
      closeSync(full)
    }
    expect(readFileSync(join(cwd, 'c.csv'), 'utf8').trim().split('\n')).toHaveLength(6)
  })
})

describe('a signal', () => {
  it.each([
    ['SIGHUP', 129],
    ['SIGTERM', 143],
    ['SIGUSR2', 140],
  ] as const)('%s saves where training stands, and says how to go on', async (name, exitCode) => {
    const run = join(cwd, name)
    const session = start(['train', 'long.yaml', '--out', name], { cwd })
    await untilCheckpoint(session, run, ({ step }) => step >= 20)
    session.child.kill(name)
    // as a terminal does that ends: it comes more than once
    if (name === 'SIGHUP') session.child.kill(name)
    const { code, signal, stderr } = await session.ended
    expect({ code, signal }).toEqual({ code: exitCode, signal: null })
    expect(stderr).toMatch(/Interrupted: saved at step \d+ of sub-flow 1\. Go on with: lfm train long\.yaml .*--resume/)
    const { progress } = await readManifest(run)
    expect(stderr).toContain(`saved at step ${progress.step} of`)
    expect(existsSync(join(run, '.lock'))).toBe(false)
  })

  it('SIGHUP with the terminal gone loses nothing', async () => {
    const run = join(cwd, 'gone')
    const child = spawn(process.execPath, [main, 'train', 'long.yaml', '--out', 'gone'], { cwd, stdio: 'pipe' })
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })))
    await untilCheckpoint({ child, ended: ended as never }, run, ({ step }) => step >= 20)
    const before = (await readManifest(run)).progress.step
    child.stdout.destroy()
    child.stderr.destroy()
    child.kill('SIGHUP')
    expect(await ended).toEqual({ code: 129, signal: null })
    expect((await readManifest(run)).progress.step).toBeGreaterThanOrEqual(before)
  })
})

const hasTerminals = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0
describe.skipIf(!hasTerminals)('a terminal that goes away under a training', () => {
  /**
   * Runs it on a terminal of its own, which goes at the first checkpoint. The shell around it lives on and tells how it ended.
   * @param shell what the shell does with the command
   */
  async function onTerminal(run: string, config: string, shell: (command: string) => string): Promise<number> {
    const code = join(cwd, `${run}.code`)
    const training = shell(`'${process.execPath}' '${main}' train ${config} --out ${run}`)
    const command = `${training}; echo $? > '${code}.part'; mv '${code}.part' '${code}'`
    const env = { ...process.env, SHELL: '/bin/sh' }
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd, env, stdio: ['pipe', 'ignore', 'ignore'] })
    const ended = new Promise((resolve) => terminal.on('close', resolve))
    await untilCheckpoint({ child: terminal, ended: ended as never }, join(cwd, run), ({ step }) => step >= 20)
    terminal.kill('SIGKILL')
    while (!existsSync(code)) await wait(20)
    return Number(readFileSync(code, 'utf8'))
  }

  it('is a SIGHUP, which the shell passes on: it saves, and ends with 129', async () => {
    const passOn = (command: string) => `${command} & p=$!; trap "kill -HUP $p" HUP; wait $p; wait $p`
    expect(await onTerminal('hung-up', 'long.yaml', passOn)).toBe(129)
    expect((await readManifest(join(cwd, 'hung-up'))).progress.step).toBeGreaterThanOrEqual(20)
    expect(existsSync(join(cwd, 'hung-up/.lock'))).toBe(false)
  })

  it('is nothing to one in a session of its own: it goes on to its end', async () => {
    const apart = (command: string) => `trap : HUP; setsid -w ${command}`
    expect(await onTerminal('own-session', 'middle.yaml', apart)).toBe(0)
    expect((await readManifest(join(cwd, 'own-session'))).progress.phase).toBe('done')
  })
})
