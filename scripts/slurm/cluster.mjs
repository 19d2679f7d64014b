/**
 * A Slurm cluster of one controller and one node on this machine, in a folder of its own: munged, slurmctld and slurmd of Debian's
 * slurm-wlm as children of this process, under whatever user it has, without cgroups and without systemd.
 */

import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'

const programs = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scontrol', 'sinfo']
// where Debian has daemons, and other users than root do not look
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
const has = (name) => spawnSync('which', [name], { stdio: 'ignore', env }).status === 0

/** Installs what is missing, where this user may. Returns why it is not there; null where it is. */
export function bringSlurm() {
  const missing = () => programs.filter((name) => !has(name))
  if (missing().length === 0) return null
  if (process.getuid?.() !== 0) return `${missing().join(', ')} are not installed, and only root may install them`
  const apt = (...words) =>
    spawnSync('apt-get', words, { encoding: 'utf8', env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } })
  apt('update', '-qq')
  const { status, stderr } = apt('install', '-y', '-qq', '--no-install-recommends', 'slurm-wlm', 'munge')
  if (missing().length === 0) return null
  return `apt-get could not install slurm-wlm and munge (exit code ${status}: ${stderr?.trim().split('\n').at(-1)})`
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until `seen` gives something, and returns it; throws with what was waited for after so many seconds. */
export async function until(what, seen, seconds = 60) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await wait(100)) {
    const found = await seen()
    if (found) return found
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}

export class Cluster {
  constructor(folder) {
    this.folder = folder
    this.children = new Map()
    this.env = { ...env, SLURM_CONF: join(folder, 'slurm.conf') }
  }

  async start() {
    const at = (...names) => join(this.folder, ...names)
    for (const name of ['munge', 'state', 'spool', 'log']) mkdirSync(at(name), { recursive: true, mode: 0o700 })
    writeFileSync(at('munge/key'), randomBytes(1024), { mode: 0o400 })
    const name = hostname().split('.')[0]
    const user = userInfo().username
    writeFileSync(
      at('slurm.conf'),
      [
        'ClusterName=lfm',
        `SlurmctldHost=${name}(127.0.0.1)`,
        `SlurmUser=${user}`,
        `SlurmdUser=${user}`,
        `SlurmctldPort=${await freePort()}`,
        'AuthType=auth/munge',
        'CredType=cred/munge',
        // a job is queued again that long after it was taken away: two minutes by default, five seconds at least
        `AuthInfo=socket=${at('munge/socket')},cred_expire=5`,
        `StateSaveLocation=${at('state')}`,
        `SlurmdSpoolDir=${at('spool')}`,
        `SlurmctldPidFile=${at('slurmctld.pid')}`,
        `SlurmdPidFile=${at('slurmd.pid')}`,
        'ProctrackType=proctrack/linuxproc',
        'TaskPlugin=task/none',
        'JobAcctGatherType=jobacct_gather/none',
        'AccountingStorageType=accounting_storage/none',
        'MpiDefault=none',
        'SelectType=select/cons_tres',
        'SelectTypeParameters=CR_CPU',
        'SchedulerType=sched/builtin',
        'SchedulerParameters=sched_interval=1,batch_sched_delay=0',
        'SlurmdParameters=config_overrides',
        'KillWait=5',
        // a node that says nothing for so long is lost
        'SlurmdTimeout=5',
        'ReturnToService=2',
        `NodeName=node NodeHostname=${name} NodeAddr=127.0.0.1 Port=${await freePort()} CPUs=2 RealMemory=1000`,
        'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
        '',
      ].join('\n'),
    )
    await this.begin('munged', [
      '--foreground',
      '--force',
      `--key-file=${at('munge/key')}`,
      `--socket=${at('munge/socket')}`,
      `--pid-file=${at('munge/pid')}`,
      `--seed-file=${at('munge/seed')}`,
    ])
    await until('munged', () => this.ask('munge', '-n', '-S', at('munge/socket')) !== null, 10)
    await this.beginController()
    await this.beginNode()
    // whatever else this machine forbids, a job shows
    const words = ['--parsable', '-o', join(this.folder, 'log', 'trial'), '--wrap', 'echo works']
    const trial = this.ask('sbatch', ...words)
    await until(
      'a trial job',
      () => trial && this.ask('scontrol', 'show', 'job', trial)?.includes('State=COMPLETED'),
      60,
    )
    if (this.log('trial').trim() !== 'works') throw new Error(`a trial job printed '${this.log('trial')}'`)
  }

  async beginController() {
    await this.begin('slurmctld', ['-D'])
    await until('slurmctld', () => this.ask('scontrol', 'ping')?.includes('is UP'), 30)
  }

  async beginNode() {
    await this.begin('slurmd', ['-D', '-N', 'node'])
    await until('slurmd', () => ['idle', 'mixed', 'allocated'].includes(this.nodeState()), 60)
  }

  /** Starts a daemon, whose words go to a log. */
  async begin(name, words) {
    const child = spawn(name, words, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => writeFileSync(join(this.folder, 'log', name), text, { flag: 'a' }))
    }
    const ended = new Promise((resolve) => {
      child.on('exit', resolve)
      child.on('error', resolve)
    })
    this.children.set(name, { child, ended })
  }

  /** Ends a daemon. */
  async end(name, signal = 'SIGTERM') {
    const known = this.children.get(name)
    if (!known) return
    this.children.delete(name)
    known.child.kill(signal)
    const late = new AbortController()
    const insist = wait(10_000, undefined, { signal: late.signal }).then(
      () => known.child.kill('SIGKILL'),
      () => {},
    )
    await known.ended
    late.abort()
    await insist
  }

  /** What a command prints; null where it fails. */
  ask(command, ...words) {
    const { status, stdout } = spawnSync(command, words, { env: this.env, encoding: 'utf8' })
    return status === 0 ? stdout.trim() : null
  }

  /** 'idle', 'down' …, without the marks behind it */
  nodeState() {
    return this.ask('sinfo', '-h', '-N', '-o', '%T')?.replace(/\W+$/, '') ?? null
  }

  log(name) {
    try {
      return readFileSync(join(this.folder, 'log', name), 'utf8')
    } catch {
      return ''
    }
  }

  /** Ends everything, jobs first. */
  async stop() {
    if (this.children.has('slurmctld')) {
      this.ask('scancel', '--full', '-u', userInfo().username)
      await until('the queue to be empty', () => this.ask('squeue', '-h') === '', 20).catch(() => {})
    }
    for (const name of ['slurmd', 'slurmctld', 'munged']) await this.end(name)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
