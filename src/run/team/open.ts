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
import type { Device, DeviceInfo, DeviceKind, ProgramChoices, VariantsByDevice } from '../../device/device.js'
import { DeviceError, TrainingError } from '../../errors.js'
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
  /** variants that the run took before, as the first member's device was told */
  readonly remembered?: VariantsByDevice
}

/** What a process is told first. */
export interface MemberWork {
  readonly path: string
  readonly rank: number
  readonly size: number
  readonly training: TeamTraining
  /** the kind of device that the first member has */
  readonly device: DeviceKind
  /** webgpu: without Dawn's checks, as the first member's is */
  readonly fast: boolean
}

/** What the first member tells the others after that: what its device chose for its next program. */
export interface ChoicesMessage {
  readonly choices: ProgramChoices
}

/** What a member says once it has a device. */
export interface ReadyMessage {
  readonly ready: DeviceInfo
}

/** What a member's device is called in device.adapters: they go round. */
export const adapterOf = (
  { device: { adapters } }: Pick<ResolvedOptions, 'device'>,
  rank: number,
): string | undefined => adapters?.[rank % adapters.length]

/** A sentence where several members have one adapter, and gain little by it; null where each has its own. */
export function sharedAdapters(
  { device: { workers = 1, adapters } }: ResolvedOptions,
  { kind, info }: Device,
): string | null {
  const own = adapters ? new Set(adapters).size : 1
  if (kind !== 'webgpu' || workers <= own) return null
  const which = own === 1 ? `one adapter, ${info.name}` : `${own} adapters`
  return (
    `The ${workers} workers share ${which}: each of them has the other's work to wait for. device.adapters names an adapter for each ` +
    '(lfm devices lists them).'
  )
}

/** Throws DeviceError where another member's device would compute other bits than the first one's. */
export function expectSame(first: DeviceInfo, other: DeviceInfo, who: string): void {
  const { threads: _, details, ...about } = first
  const facts = (info: DeviceInfo): Record<string, unknown> => ({
    ...Object.fromEntries(Object.keys(about).map((key) => [key, info[key as keyof typeof about]])),
    ...(info.kind === 'webgpu' && info.details),
  })
  const [here, there] = [facts(first), facts(other)]
  const differing = Object.keys({ ...here, ...there }).filter(
    (key) => JSON.stringify(here[key]) !== JSON.stringify(there[key]),
  )
  if (differing.length === 0) return
  throw new DeviceError(
    `${who} has the device ${other.name} and the first one ${first.name}, which differ in ${differing.join(', ')}: they would compute ` +
      'other bits. Give all workers adapters of one kind and driver by device.adapters (lfm devices lists them).',
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

const isReady = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && message !== null && 'ready' in message

/** A place for a file that is memory. */
const sharedFolder = (): string => (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())

/**
 * Starts the members 1 … size − 1 of a training and waits until all are there.
 *
 * @param device of the first member: what it chooses from now on is chosen by all
 * @throws DeviceError where another member's device is not like it; TrainingError where one does not begin
 */
export async function openTeam(size: number, training: TeamTraining, device: Device): Promise<OpenTeam> {
  const path = join(sharedFolder(), `lfm-${process.pid}-${randomBytes(6).toString('hex')}`)
  const file = openSync(path, 'wx+', 0o600)
  const ends: (string | null)[] = Array.from({ length: size }, () => null)
  const children: ChildProcess[] = []
  const endOf = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve()
      else child.once('exit', () => resolve())
    })
  const quiet = device.tellChoices?.((choices) => {
    const message: ChoicesMessage = { choices }
    // one that is gone is found so by who waits for its gradients
    for (const child of children) if (child.connected) child.send(message, () => {})
  })
  const close = async (): Promise<void> => {
    quiet?.()
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
          if (isReady(message)) {
            try {
              expectSame(device.info, message.ready, `Worker ${rank + 1} of ${size}`)
              resolve()
            } catch (error) {
              reject(error as Error)
            }
          } else said = ` (${String(message)})`
        })
        const gone = (why: string): void => {
          ends[rank] = `${why}${said}`
          reject(new TrainingError(`Worker ${rank + 1} of ${size} ${ends[rank]}.`))
        }
        child.on('error', (error) => gone(`could not be started: ${error.message}`))
        child.on('exit', (code, signal) => {
          gone(`(process ${child.pid}) ended ${signal ? `by ${signal}` : `with code ${code}`}`)
        })
        const fast = device.info.details.toggles === 'fast'
        const work: MemberWork = { path, rank, size, training, device: device.kind, fast }
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
