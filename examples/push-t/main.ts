/**
 * A policy for Push-T, from nothing: demonstrations of the expert, a conditional flow that learns them, and episodes of it on starts
 * that it has not seen, one of which becomes a picture.
 *
 *     npx tsx push-t/main.ts
 *
 * EPISODES demonstrations (default 300), STEPS training steps (default 6000), STARTS episodes (default 20), EVALUATIONS of a chunk
 * (default 4), FOLDER for what is kept (default runs/push-t).
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LocalFlow } from 'local-flow-matching'
import { demonstrations } from './demonstrations.js'
import { animated } from './picture.js'
import { embed, episodes, flowPolicy, lessons } from './policy.js'
import { start } from './world.js'

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)
const folder = process.env.FOLDER ?? 'runs/push-t'

const count = number('EPISODES', 300)
const taught = lessons(demonstrations(count, join(folder, `demonstrations-${count}.bin`)))
console.log(`${taught.observations.length} steps of ${count} demonstrations`)

const policy = await LocalFlow.train(taught.actions, {
  cond: taught.observations.map(embed),
  model: { hidden: [256, 256, 256], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { steps: { total: number('STEPS', 6000) }, batch: 512, ema: 0.995, conditionDropout: 0 },
  seed: 1,
})

const starts = Array.from({ length: number('STARTS', 20) }, (_, i) => start(1_000_000 + i))
const outcomes = await episodes(flowPolicy(policy, { evaluations: number('EVALUATIONS', 4) }), taught.unit, starts)
const mean = (of: (outcome: (typeof outcomes)[number]) => number): string =>
  (outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length).toFixed(3)
console.log(`success ${mean(({ success }) => Number(success))}, largest reward ${mean(({ most }) => most)} in the mean`)

const picture = join(folder, 'episode.png')
writeFileSync(picture, animated(outcomes[0].states))
console.log(`an episode is in ${picture}`)
await policy.dispose()
