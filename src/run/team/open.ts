/** The other processes of a training on one host: started, told what to train, and ended with it. */

import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ResolvedOptions } from '../../config/index.js'
import type { RowKind } from '../../data/kinds.js'
import type { Scaler } from '../../data/scaler.js'
import type { Encoding } from '../../data/tables/encoding.js'
import type { Tensor } from '../../data/tensor.js'
import type { DeviceKind } from '../../device/device.js'
import { ConfigError, TrainingError } from '../../errors.js'
import type { Team } from '../../learn/team.js'
import type { RecipeState } from '../../recipes/recipe.js'
import type { Conditioned } from '../conditioning.js'
import { Exchange } from './exchange.js'

/** What a training on data is of: plain data, which goes from process to process. */
export interface TeamTraining {
  readonly x: Tensor
  readonly scaler: Scaler | null
  readonly options: ResolvedOptions
  readonly raw: object
  readonly flips: boolean
  readonly rowKind: RowKind
  readonly start: RecipeState | null
  readonly validation: Tensor | null
  readonly conditioned: Conditioned | null
  readonly encoding: Encoding | null
  /** the kind of device that the first member has */
  readonly device: 'native' | 'reference'
}

/** What a process is told first. */
export interface MemberWork {
  readonly path: string
  readonly rank: number
  readonly size: number
  readonly training: TeamTraining
}

/** The kind of device that members have. Throws ConfigError for a GPU, whose tuner may choose other variants in each process. */
export function teamDevice(kind: DeviceKind): TeamTraining['device'] {
  if (kind !== 'webgpu') return kind
  throw new ConfigError(
    'device.workers are processes on the processors of one host: they go with device.kind native (or reference), not with webgpu.',
  )
}

/** Threads of each member's native engine: they share the processors. */
export const threadsOfMember = (size: number): number => Math.max(1, Math.floor(availableParallelism() / size))

/** Opens a device whose native engine leaves the other members their processors. It counts threads once in a process. */
export async function withThreadsOf<T>(size: number, open: () => Promise<T>): Promise<T> {
  if (size === 1 || process.env.LFM_THREADS) return open()
  process.env.LFM_THREADS = String(threadsOfMember(size))
  try {
    return await open()
  } finally {
    delete process.env.LFM_THREADS
  }
}

export interface OpenTeam {
  readonly team: Team
  /** Ends the other members. */
  close(): Promise<void>
}

/** A place for a file that is memory. */
const sharedFolder = (): string => (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())

/** Starts the members 1 … size − 1 of a training and waits until all are there. */
export async function openTeam(size: number, training: TeamTraining): Promise<OpenTeam> {
  const path = join(sharedFolder(), `lfm-${process.pid}-${randomBytes(6).toString('hex')}`)
  const file = openSync(path, 'wx+', 0o600)
  const ends: (string | null)[] = Array.from({ length: size }, () => null)
  const children: ChildProcess[] = []
  const endOf = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve()
      else child.once('exit', () => resolve())
    })
  const close = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map(endOf))
    closeSync(file)
  }
  try {
    const ready = Array.from({ length: size - 1 }, (_, i): Promise<void> => {
      const rank = i + 1
      const child = fork(fileURLToPath(new URL('./member.js', import.meta.url)), [], {
        serialization: 'advanced',
        env: { LFM_THREADS: String(threadsOfMember(size)), ...process.env },
      })
      children.push(child)
      return new Promise((resolve, reject) => {
        let said = ''
        child.on('message', (message) => {
          if (message === 'ready') resolve()
          else said = ` (${String(message)})`
        })
        const gone = (why: string): void => {
          ends[rank] = `${why}${said}`
          reject(new TrainingError(`Worker ${rank + 1} of ${size} ${ends[rank]}.`))
        }
        child.on('error', (error) => gone(`could not be started: ${error.message}`))
        child.on('exit', (code, signal) => {
          gone(`(process ${child.pid}) ended ${signal ? `by ${signal}` : `with code ${code}`}`)
        })
        const work: MemberWork = { path, rank, size, training }
        child.send(work, (error) => {
          if (error) gone(`could not be told what to train: ${error.message}`)
        })
      })
    })
    await Promise.all(ready)
  } catch (error) {
    rmSync(path, { force: true })
    await close()
    throw error
  }
  // all have it open: the name is no longer needed, and nothing is left whoever is killed
  rmSync(path, { force: true })
  return { team: new Exchange(file, 0, size, (rank) => ends[rank]), close }
}
