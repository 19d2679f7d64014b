/**
 * A training in several sessions: each is aborted, by Ctrl-C or after some checkpoints, and the next goes on where the last one
 * stopped. What comes out is, to the last bit, what one session would have made.
 *
 *     npx tsx abort-and-resume.ts runs/moons
 *
 * Without a folder it takes a new one. STEPS=20 makes it quick.
 */

import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { data, LocalFlow, type TrainArguments } from 'local-flow-matching'

const steps = Number(process.env.STEPS ?? 600)
const out = process.argv[2] ?? join(await mkdtemp(join(tmpdir(), 'sessions-')), 'run')
const rows = { values: data.toy('moons').sample(2000, 1), shape: [2000, 2] }
const settings = {
  model: { hidden: [32] },
  flow: { gammas: [0.2, null] },
  train: { batch: 200, steps, checkpointEvery: Math.ceil(steps / 4) },
  seed: 1,
} satisfies TrainArguments

const ctrlC = new AbortController()
process.once('SIGINT', () => ctrlC.abort())

/** One session; null where it was aborted, with a checkpoint in the folder. */
async function session(checkpoints: number): Promise<LocalFlow | null> {
  const enough = new AbortController()
  const signal = AbortSignal.any([ctrlC.signal, enough.signal])
  let seen = 0
  try {
    return await LocalFlow.train(rows, {
      ...settings,
      out,
      resume: existsSync(join(out, 'manifest.json')),
      signal,
      onCheckpoint: ({ subFlow, step }) => {
        console.log(`  checkpoint at step ${step} of sub-flow ${subFlow}`)
        if (++seen === checkpoints) enough.abort()
      },
    })
  } catch (error) {
    if (!signal.aborted) throw error
    return null
  }
}

let flow: LocalFlow | null = null
for (let number = 1; !flow && !ctrlC.signal.aborted; number++) {
  console.log(`session ${number}`)
  flow = await session(3)
}
if (!flow) console.log(`stopped: the checkpoint is in ${out}`)
else {
  const { values } = await flow.sample(1000)
  console.log(`${flow.training!.steps} steps in all; the report is ${flow.training!.report}`)
  await flow.dispose()

  const inOne = await LocalFlow.train(rows, settings)
  const same = (await inOne.sample(1000)).values.every((value, i) => value === values[i])
  await inOne.dispose()
  console.log(`the same samples as after one session: ${same}`)
}
