/**
 * A layer under the files: `node --import failing.mjs …`. Calls of the file system that change something under the folder that
 * LFM_FAIL_UNDER names are counted; the n-th (LFM_FAIL_AT) does what LFM_FAIL_HOW says: it fails with ENOSPC or EIO, all from
 * it on do (`rest`), half of the bytes of a write arrive (`short`), or the process is killed before it (`kill`). The number of
 * calls goes to the file that LFM_FAIL_COUNT names when the process ends.
 */

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import process from 'node:process'

const under = resolve(process.env.LFM_FAIL_UNDER)
let at = Number(process.env.LFM_FAIL_AT ?? 0)
let how = process.env.LFM_FAIL_HOW ?? 'ENOSPC'
let calls = 0
/** Counts anew, for who does many runs in one process (failing-run.mjs). Returns the number of calls until now. */
globalThis.lfmFailAt = (turn, as) => {
  const until = calls
  at = turn
  how = as
  calls = 0
  return until
}

const isUnder = (path) => typeof path === 'string' && resolve(path).startsWith(under)
const errorOf = (call, path) => {
  const code = how === 'rest' || how === 'short' ? 'ENOSPC' : how
  return Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code, syscall: call, path, errno: -1 })
}
/** Counts a call, and throws where it is its turn. */
function count(call, path) {
  calls++
  if (at === 0 || calls < at || (calls > at && how !== 'rest')) return false
  if (how === 'kill') process.kill(process.pid, 'SIGKILL')
  if (how === 'short' && call === 'write') return true
  throw errorOf(call, path)
}

const { promises } = fs
const watched = new WeakMap()
const open = promises.open
promises.open = async (path, flags, ...others) => {
  const writes = isUnder(path) && flags !== undefined && flags !== 'r'
  if (writes) count('open', path)
  const file = await open(path, flags, ...others)
  if (isUnder(path)) watched.set(file, path)
  return file
}
for (const name of ['rename', 'rm', 'link', 'utimes', 'mkdir']) {
  const call = promises[name]
  promises[name] = async (path, ...others) => {
    if (isUnder(path)) count(name, path)
    return call(path, ...others)
  }
}
const probe = await open(new URL(import.meta.url).pathname, 'r')
const prototype = Object.getPrototypeOf(probe)
await probe.close()
for (const name of ['write', 'writeFile', 'sync', 'chmod']) {
  const call = prototype[name]
  prototype[name] = async function (...args) {
    const path = watched.get(this)
    if (path !== undefined && count(name, path)) {
      const [bytes, offset, length] = args
      return call.call(this, bytes, offset, Math.ceil(length / 2))
    }
    return call.apply(this, args)
  }
}
const mkdirSync = fs.mkdirSync
fs.mkdirSync = (path, ...others) => {
  if (isUnder(path)) count('mkdir', path)
  return mkdirSync(path, ...others)
}
syncBuiltinESMExports()
process.on('exit', () => {
  if (process.env.LFM_FAIL_COUNT) fs.writeFileSync(process.env.LFM_FAIL_COUNT, String(calls))
})
