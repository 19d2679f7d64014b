/**
 * `npm run bench`: times the library on each device present, beside other libraries, and prints for every case the time of
 * one repetition, GFLOP/s, the share of the multiply-add peak of the same run, and how many times longer each peer takes.
 * measure.ts says how a time is taken, cases.ts what is measured.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import type { Device, DeviceKind } from '../src/device/device.js'
import { loadAddon } from '../src/device/native/binding.js'
import { type DeviceOptions, openDevice } from '../src/device/node/select.js'
import { profileText } from '../src/device/profile.js'
import { DeviceError, LocalFlowError } from '../src/errors.js'
import { type AdapterPeaks, adapterPeaks } from './adapter-peak.js'
import { type Case, cases, rowsOn, type SuiteName, selectCases, suites } from './cases.js'
import { quote } from './measure.js'
import { help, parseOptions } from './options.js'
import { openPeers } from './peers/open.js'
import type { Peer } from './peers/peer.js'
import { drawPicture } from './picture.js'
import { compareResults, comparisonText, type Result, type Row, readResult, writeResult } from './result.js'
import { runRounds } from './rounds.js'
import { CaseGroup, type Peak, paces } from './session.js'
import { footprintLine, tableHead, tableLine } from './table.js'

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const note = (message: string): void => {
  process.stderr.write(`bench: ${message}\n`)
}

/** Those asked for, all of which must be there; or native and webgpu where they are. */
async function openDevices(asked: readonly DeviceKind[] | null, options: DeviceOptions): Promise<Device[]> {
  const devices: Device[] = []
  for (const kind of asked ?? (['native', 'webgpu'] as const)) {
    try {
      devices.push(await openDevice(kind, { ...options, onWarning: note }))
    } catch (error) {
      if (asked || !(error instanceof DeviceError)) throw error
      note(`${kind} is left out: ${error.message.split('\n')[0]}`)
    }
  }
  if (devices.length === 0) throw new LocalFlowError('There is neither a native nor a WebGPU device to measure.')
  return devices
}

/** What a device does at most, and as what it is printed: by multiply-adds in registers, or by an adapter's matrix units. */
interface Limit {
  readonly name: string
  readonly peak: Peak
}

function limitOf(device: Device, adapter: AdapterPeaks | null, half: boolean, quick: boolean): Limit {
  if (adapter?.units && half) return { name: 'webgpu, matrix units', peak: adapter.units }
  if (adapter) return { name: 'webgpu', peak: adapter.float32 }
  if (device.kind !== 'native') return { name: device.kind, peak: null }
  const { fmaPeak } = loadAddon()
  return { name: 'native', peak: () => fmaPeak(quick ? 10 : 40, device.info.threads!) }
}

const text = (command: string, ...args: string[]): string | null => {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}

/** LFM_COMMIT where the sources travelled without their history; null outside of a git checkout. */
function commit(): string | null {
  if (process.env.LFM_COMMIT) return process.env.LFM_COMMIT
  const head = text('git', 'rev-parse', '--short=12', 'HEAD')
  return head && head + (text('git', 'status', '--porcelain', '--untracked-files=no') ? '+' : '')
}

function describe(devices: readonly Device[], peers: readonly Peer[]): Omit<Result, 'rows' | 'quick'> {
  const native = devices.find((device) => device.kind === 'native')?.info
  const webgpu = devices.find((device) => device.kind === 'webgpu')?.info
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}, ${process.arch}`,
      cpuTarget: native?.cpuTarget ?? null,
      threads: native?.threads ?? null,
      peak: null,
    },
    adapter: webgpu?.name ?? null,
    driver: webgpu ? String(webgpu.details.driver) : null,
    toggles: webgpu ? String(webgpu.details.toggles) : null,
    commit: commit(),
    versions: {
      'local-flow-matching': version,
      node: process.versions.node,
      ...Object.fromEntries(peers.map((peer) => [peer.name, peer.version])),
    },
  }
}

/** Whether the products of a case are of float16. */
function isHalf(c: Case): boolean {
  const work = c.work(c.rows ?? 0)
  return work.kind === 'kernel' ? work.half !== undefined : work.precision === 'mixed'
}

/** Whether a device has what a case needs, and is fast enough for it; says so where it is not. */
function runsOn(device: Device, c: Case): boolean {
  const work = c.work(rowsOn(c, device))
  const missing =
    (work.kind === 'kernel' && !device.kernels.has(work.kernel) && `${work.kernel} yet`) ||
    (isHalf(c) && !device.dtypes.has('f16') && 'float16 path')
  if (missing) note(`${c.name} is left out: the ${device.kind} device has no ${missing}.`)
  const slow = work.kind === 'kernel' && work.hardwareOnly && device.info.type !== 'hardware'
  if (slow) note(`${c.name} is left out: it is measured on hardware adapters, and ${device.info.name} is none.`)
  return !missing && !slow
}

/** Without the peak rows have no share of it, but times. */
async function peaksOf(device: Device): Promise<AdapterPeaks | null> {
  try {
    return await adapterPeaks(device)
  } catch (error) {
    if (!(error instanceof LocalFlowError)) throw error
    note(error.message)
    return null
  }
}

/** No pair of cores is as far apart as this, in nanoseconds: one of the threads had no core. */
const CORE_SHARED = 10_000

const roundTripText = (ns: number): string =>
  ns < CORE_SHARED ? `in ${ns.toFixed(0)} ns` : 'as late as threads get cores that others use too'

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) return print(help)
  if (options.list) return print(cases.map((c) => c.name).join('\n'))
  const selected = selectCases(options.filters)
  const earlier = options.compare === null ? null : readResult(options.compare)
  const fast = !options.safe
  const { variants } = options
  const devices = await openDevices(options.devices, { fast, variants })
  const threads = devices.find((device) => device.kind === 'native')?.info.threads ?? availableParallelism()
  const peers = await openPeers(options.peers, selected, { threads, fast }, note)
  const pace = paces[options.quick ? 'quick' : 'full']
  const facts = describe(devices, peers)
  const webgpu = devices.find((device) => device.kind === 'webgpu')
  const adapter = webgpu ? await peaksOf(webgpu) : null

  for (const { kind, info } of devices) {
    const target = info.cpuTarget ? `, ${info.cpuTarget}, ${info.threads} threads` : ''
    const { driver, toggles } = info.details
    const adapter = kind === 'webgpu' ? `, ${driver}, ${toggles} set of toggles` : ''
    print(`${kind}: ${info.name}${target}${adapter}`)
  }
  for (const peer of peers) print(`${peer.name} ${peer.version}${peer.details && `: ${peer.details}`}`)

  const rows: Row[] = []
  /** by what is printed of them */
  const peaks = new Map<string, number[]>()
  if (adapter) peaks.set('webgpu', [await adapter.float32()])
  if (adapter?.units) peaks.set('webgpu, matrix units', [await adapter.units()])
  const medianOf = (name: string): number | null => (peaks.get(name)?.length ? quote(peaks.get(name)!).median : null)
  const found = (): Result => ({
    ...facts,
    machine: { ...facts.machine, peak: medianOf('native') },
    ...(webgpu && { adapterPeaks: { float32: medianOf('webgpu'), units: medianOf('webgpu, matrix units') } }),
    quick: options.quick,
    rows,
    profile: rows.find((row) => row.profile)?.profile,
  })
  const save = (): void => {
    if (options.json !== null) writeResult(options.json, { ...found(), unfinished: true })
  }
  save()
  for (const suite of Object.keys(suites) as SuiteName[]) {
    const own: Case[] = selected.filter((c) => c.suite === suite)
    if (own.length === 0) continue
    const beside = peers.filter((peer) => own.some((c) => peer.does(c.work(c.rows ?? 0)))).map((peer) => peer.name)
    for (const device of devices) {
      const profiled = options.profile
        ? await openDevice(device.kind, { fast, variants, profile: true, onWarning: () => undefined })
        : null
      let head = true
      const footprints: string[] = []
      const here = own.filter((c) => runsOn(device, c))
      if (here.length === 0) continue
      const groups = here.map((c) => {
        const limit = limitOf(device, device === webgpu ? adapter : null, isHalf(c), options.quick)
        return new CaseGroup(device, c, peers, pace, limit.peak, note, profiled, (ours, theirs, seen, footprint) => {
          rows.push(ours, ...theirs)
          peaks.set(limit.name, [...(peaks.get(limit.name) ?? []), ...seen])
          save()
          if (head) print(tableHead(beside))
          head = false
          print(tableLine(ours, beside, theirs))
          if (footprint) footprints.push(footprintLine(ours, footprint))
          if (ours.profile) footprints.push(profileText(ours.profile, `  ${ours.suite}/${ours.shape}`))
        })
      })
      print('')
      const roundTrip = device.kind === 'native' ? loadAddon().lineRoundTrip() : 0
      await runRounds(`${suites[suite]}, ${device.kind}`, groups, pace.rounds)
      if (roundTrip > 0) {
        const [before, after] = [roundTrip, loadAddon().lineRoundTrip()].map(roundTripText)
        print(`  a cache line went from core to core and back ${before} before these, ${after} after`)
      }
      for (const line of footprints) print(line)
      if (profiled && !rows.some((row) => row.profile && row.device === device.kind)) {
        note(`no profile on ${device.kind}: it cannot time its launches one by one.`)
      }
      await profiled?.dispose()
    }
  }

  for (const [name, seen] of peaks) {
    if (seen.length === 0) continue
    const { median, spread } = quote(seen)
    print(`\npeak of ${name}: ${median.toFixed(0)} GFLOP/s, quartiles ${(100 * spread).toFixed(0)} % apart`)
  }
  const result = found()
  if (options.json !== null) writeResult(options.json, result)
  if (options.picture !== null) await drawPicture(options.picture, result)
  if (earlier)
    print(
      `\nsince ${options.compare} (${earlier.commit ?? 'no commit'}):\n${comparisonText(compareResults(earlier, result))}`,
    )

  for (const peer of peers) await peer.close()
  for (const device of devices) await device.dispose()
}

try {
  await main()
} catch (error) {
  // what users can put right is a message; anything else is a defect and keeps its stack
  note(error instanceof LocalFlowError ? error.message : ((error as Error).stack ?? String(error)))
  process.exitCode = 1
}
// the WebGPU instance that tfjs was given keeps Node alive
process.exit()
