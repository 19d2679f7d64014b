/**
 * Threads of JavaScript that use the native engine: they end, are terminated and overlap, in a process whose main thread has
 * never loaded it, and the process lives. Node unloads the addon's code with the last thread that loaded it, so none of the
 * engine's threads may be left in it.
 */

import { expect, onTestFinished, test } from 'vitest'
import { built, type Started, startProcess } from '../cli/lfm.js'
import { patience, tries } from './forms.js'
import { describeNative } from './machines.js'

built()
const script = new URL('./worker.mjs', import.meta.url).pathname
const lives = tries(4, 30)

const inProcess = (mode: string): Started =>
  startProcess([process.execPath, '--expose-gc', script, mode, String(lives)], {
    cwd: '.',
    env: { LFM_THREADS: '2' },
  })

describeNative('threads that use the engine', () => {
  for (const [mode, what] of [
    ['end', 'end by themselves, one after the other'],
    ['terminate', 'are terminated in the middle of a run'],
    ['calls', 'are terminated inside of a call'],
    ['overlap', 'are there at the same time, and end at different times'],
    ['exit', 'are there when the process exits, with runs in flight'],
    ['reload', 'load the addon anew where it was forgotten'],
    ['collect', 'let go of a device with work that is not done'],
    ['devices', 'have several devices at once, whose results are those of one'],
  ] as const) {
    test(
      `${mode}: threads ${what}`,
      async () => {
        const { child, ended } = inProcess(mode)
        onTestFinished(() => void child.kill('SIGKILL'))
        const { code, signal, stdout, stderr } = await ended
        expect({ code, signal, stdout: stdout.trim(), stderr }).toEqual({
          code: 0,
          signal: null,
          stdout: 'alive',
          stderr: '',
        })
      },
      patience(60_000),
    )
  }
})
