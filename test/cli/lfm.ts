/**
 * Runs the command line as people do: dist/cli/main.js in a process of its own. dist/ is built first where src/ is newer.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { type RunManifest, readCheckpointTensors, readManifest } from '../../src/checkpoint/index.js'
import { openDevice } from '../../src/device/node/select.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = join(root, 'dist/cli/main.js')

/** Of files alone: a folder is as new as its unpacking. */
const newest = (folder: string): number =>
  Math.max(
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs),
  )

/** Builds dist/ where it is older than src/. Returns the folder. */
export function built(): string {
  if (!existsSync(main) || statSync(main).mtimeMs < newest(join(root, 'src'))) {
    const { status } = spawnSync(process.execPath, [join(root, 'scripts/build-ts.mjs')], { stdio: 'inherit' })
    if (status !== 0) throw new Error('dist/ could not be built')
  }
  return join(root, 'dist')
}

/** The fastest engine that any machine may have. */
export const engine = await openDevice('native').then(
  async (device) => {
    await device.dispose()
    return 'native' as const
  },
  () => 'reference' as const,
)

/** A folder that is gone after the suite; text files are put into it. */
export function workFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'lfm-cli-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Started {
  child: ChildProcess
  ended: Promise<Ended>
}

export interface StartOptions {
  cwd: string
  env?: Readonly<Record<string, string>>
  /** largest file that may be written, KiB */
  fileLimit?: number
}

export function startProcess(command: readonly string[], { cwd, env, fileLimit }: StartOptions): Started {
  const [program, ...args] =
    fileLimit === undefined ? command : ['bash', '-c', `ulimit -f ${fileLimit}; exec "$@"`, 'bash', ...command]
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}

export const start = (args: readonly string[], options: StartOptions): Started =>
  startProcess([process.execPath, main, ...args], options)

export const lfm = (args: readonly string[], options: StartOptions): Promise<Ended> => start(args, options).ended

/** The last line of stdout, which must be the only one. */
export function json<T = Record<string, unknown>>({ code, stdout, stderr }: Ended): T {
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`)
  const lines = stdout.trimEnd().split('\n')
  if (lines.length !== 1) throw new Error(`more than one line on stdout: ${stdout}`)
  return JSON.parse(lines[0])
}

/** What a command that failed printed for programs: with --json the one line of stdout, else nothing. */
export function jsonError({ stdout }: Ended): { name: string; message: string; exitCode: number } | null {
  if (stdout === '') return null
  const lines = stdout.trimEnd().split('\n')
  if (lines.length !== 1) throw new Error(`more than one line on stdout: ${stdout}`)
  return (JSON.parse(lines[0]) as { error: { name: string; message: string; exitCode: number } }).error
}

/** Waits until the checkpoint in a folder is as asked for; fails where the process ends before that. */
export async function untilCheckpoint(
  { child, ended }: Started,
  run: string,
  reached: (progress: RunManifest['progress']) => boolean,
): Promise<RunManifest['progress']> {
  for (;;) {
    const manifest = await readManifest(run).catch(() => null)
    if (manifest && reached(manifest.progress)) return manifest.progress
    if (child.exitCode !== null || child.signalCode !== null) {
      const { code, signal, stderr } = await ended
      throw new Error(`ended with ${code ?? signal} at ${JSON.stringify(manifest?.progress)}: ${stderr}`)
    }
    await wait(2)
  }
}

/** All tensors of a checkpoint as hexadecimal text, by name. */
export async function tensorBits(run: string): Promise<Record<string, string>> {
  const manifest = await readManifest(run)
  const bits: Record<string, string> = {}
  for (const { name } of manifest.files) {
    for (const [tensor, { values }] of (await readCheckpointTensors(run, manifest, name)).tensors) {
      const { buffer, byteOffset, byteLength } = values as Float32Array
      bits[tensor] = Buffer.from(buffer, byteOffset, byteLength).toString('hex')
    }
  }
  return bits
}

export const readText = (...path: string[]): string => readFileSync(join(...path), 'utf8')
