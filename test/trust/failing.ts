/** Runs failing-run.mjs, which does a command again and again while something else fails each time. */

import { expect } from 'vitest'
import { built, startProcess } from '../cli/lfm.js'
import { long } from './forms.js'

const script = new URL('./failing-run.mjs', import.meta.url).pathname
built()

/** As small as one can be that trains, pushes, and writes checkpoints in between. */
export const tinyConfig = (device: string): string => `
data: { kind: toy, name: moons, train: 300, test: 20 }
model: { hidden: [8] }
flow: { gammas: [0.1, null] }
train: { steps: 20, batch: 50, checkpointEvery: 10 }
ode: { sample: { steps: 1 }, evaluate: { steps: 1 }, push: { steps: 1 } }
device: ${device}
`

export interface FailingRun {
  what: 'train' | 'sub-flow' | 'join' | 'evaluate' | 'sample' | 'npy'
  how: string
  /** so many turns in the short form; every one in the long form */
  few: number
  /** holds a.yaml */
  cwd: string
  node?: readonly string[]
  env: Readonly<Record<string, string>>
}

/** Expects that each turn ended well and that some were refused; the process itself must live through all of them. */
export async function expectSurvived({ what, how, few, cwd, node = [], env }: FailingRun): Promise<void> {
  const turns = long ? 'all' : String(few)
  const { code, signal, stdout, stderr } = await startProcess(
    [process.execPath, ...node, script, what, how, turns, cwd],
    {
      cwd: '.',
      env,
    },
  ).ended
  const lines = stdout.trimEnd().split('\n')
  expect({ code, signal }, `${what}, ${how}, at ${lines.at(-1)}: ${stderr}`).toEqual({ code: 0, signal: null })
  const faults = lines.filter((line) => line.startsWith('{'))
  const { calls, turns: tried, refused } = JSON.parse(faults.pop() as string)
  console.log(JSON.stringify({ what, how, calls, tried, refused, faults: faults.length }))
  expect(faults.slice(0, 3)).toEqual([])
  if (long) expect(tried).toBe(calls)
  expect(refused).toBeGreaterThan(0)
}
