/** The schema: every key of a config but those of its data, with description and default. */

import * as z from 'zod'
import { dataSchema } from '../data/schema.js'
import { couplingNames, couplings } from '../learn/couplings.js'
import { objectiveNames, objectives } from '../learn/objectives.js'
import { pathNames, paths } from '../learn/paths/registry.js'
import { MOST_PARTS } from '../learn/team.js'
import { timeLaw, timeLawForms } from '../learn/times.js'
import { modelSchema } from '../networks/registry.js'
import { clocks } from '../ode/clock.js'
import { fixedStepSolvers, methods, solverNames } from '../ode/methods.js'
import { assignmentSchema } from '../recipes/optimal-pairs.js'
import { distillKindNames, distillKinds } from '../recipes/pieces.js'
import { pushes } from '../recipes/recipe.js'
import { recipeNames, recipeSections, recipes } from '../recipes/registry.js'
import { usualChain } from '../recipes/usual.js'
import {
  choice,
  count,
  either,
  flag,
  key,
  listOf,
  MOST_SOLVER_STEPS,
  MOST_SUB_FLOWS,
  notNegative,
  offOr,
  oneOrEach,
  positive,
} from '../schema/words.js'

const scheduleKeys = {
  n: count('The number of sub-flows, the free one too.', MOST_SUB_FLOWS),
  last: choice(['free', 'ou'], 'Whether the last sub-flow goes to noise (free) or is one more step.').default('free'),
}

const flowSchema = z.strictObject({
  gammas: listOf(
    key(z.number().positive().nullable(), 'a number above 0, or null in the last place (the free sub-flow)'),
    'a non-empty list of numbers above 0, the last of which may be null (the free sub-flow)',
    `Step sizes γ_n of the Ornstein–Uhlenbeck chain; a last null is the free sub-flow. Left out, and without a schedule: n: auto.`,
    MOST_SUB_FLOWS,
  ).optional(),
  schedule: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('geometric').meta({ description: 'γ_n = c·ρ^(n−1).' }),
        ...scheduleKeys,
        c: positive('The first step.').default(0.1),
        rho: positive('The ratio of a step to the one before.').default(1.5),
      }),
      z.strictObject({
        kind: z.literal('linear').meta({ description: 'Linear β: linspace(0.1, min(0.99 n, 20), n)/n.' }),
        ...scheduleKeys,
      }),
      z.strictObject({
        kind: z.literal('cosine').meta({ description: "Nichol and Dhariwal's cosine ᾱ." }),
        ...scheduleKeys,
      }),
    ])
    .optional(),
  n: key(
    z.literal('auto'),
    'auto',
    `auto: ${usualChain.gammas.length} sub-flows, γ = ${usualChain.gammas.map((gamma) => gamma ?? 'free').join(', ')}, on paths ${usualChain.interpolant.join(', ')}, with ${usualChain.shares.join(', ')} of the training steps (docs/method.md). The same as leaving out gammas and schedule.`,
  ).optional(),
  interpolant: oneOrEach(
    choice(pathNames),
    either(pathNames),
    `Path between the two ends of a sub-flow; one for all or a list. ${pathNames.map((name) => `${name}: ${paths[name].description}`).join('; ')}. Left out: linear, but of n: auto.`,
  ).optional(),
  coupling: choice(
    couplingNames,
    `How a right end is paired with a left one: ${couplingNames.map((name) => couplings[name].description).join(', ')}.`,
  ).default('dependent'),
  time: oneOrEach(
    timeLaw('Distribution of the training times t.'),
    timeLawForms,
    'Distribution of the training times t; one for all or a list.',
  ).default('uniform'),
  timesPerPair: count('Times drawn for each pair of ends; must divide train.batch.').default(1),
  warmStart: flag("Start a sub-flow from the parameters of the one before; the optimizer's state starts anew.").default(
    true,
  ),
  outputScale: flag("Scale the network's output by the target's spread.").default(false),
  plain: flag('The same as recipe: plain.').default(false),
  recipe: choice(
    recipeNames,
    `What is trained in which order. ${recipeNames.map((name) => `${name}: ${recipes[name].description}`).join('; ')}.`,
  ).default('local'),
  push: choice(
    pushes,
    "Where a sub-flow's left ends come from. learned: the data, pushed through the sub-flows before; simulated: the data with " +
      'the noise of the steps before, drawn anew for every batch.',
  ).default('learned'),
  part: key(
    z.strictObject({
      number: count('Its number, from 1.', MOST_SUB_FLOWS),
      of: count('Sub-flows of the chain.', MOST_SUB_FLOWS),
      before: notNegative('Γ, the time of the process at its left end.'),
    }),
    'a mapping with number, of and before',
    'Which sub-flow of a longer chain this is, where one is trained alone; lfm train --sub-flow writes it.',
  ).optional(),
  assignment: assignmentSchema,
  ...recipeSections,
})

/** Training steps of a sub-flow, at most: a loss and a row of the step table are kept for each. */
const MOST_STEPS = 100_000_000

export const trainSchema = z.strictObject({
  batch: count('Rows in a batch.', 100_000_000).default(1000),
  steps: key(
    z.union([
      count('', MOST_STEPS),
      z.array(count('', MOST_STEPS)).min(1).max(MOST_SUB_FLOWS),
      z.strictObject({ total: count('Training steps of all sub-flows together.', MOST_STEPS) }),
    ]),
    `a whole number from 1 to ${MOST_STEPS}, a list of these with one for each sub-flow, or { total: … }`,
    `Training steps of each sub-flow; one number, a list, or { total: } for all together, shared out equally or as n: auto says. Left out: 2000, and { total: ${usualChain.total} } with n: auto.`,
  ).optional(),
  lr: positive(
    'Learning rate. Left out: of an mlp 0.008 × (64 / width)^0.7 × (batch / 1000)^(1/3) × (7200 / steps of the longest sub-flow)^(1/4), the last two together from 1/4 to 4, with a warm-up of 100 steps; of the others 0.001.',
  ).optional(),
  optimizer: choice(
    ['adam', 'adamw'],
    'How weight decay acts: adam adds it to the gradient, adamw applies it to the weights (decoupled).',
  ).default('adam'),
  betas: key(
    z.tuple([decay(), decay()]),
    'two numbers from 0 to below 1',
    "Decay rates of Adam's first and second moment.",
  ).default([0.9, 0.999]),
  eps: positive("Added to the square root of Adam's second moment.").default(1e-8),
  weightDecay: notNegative('Weight decay.').default(0),
  ema: offOr(
    key(z.number().positive().lt(1), 'a number between 0 and 1'),
    'a number between 0 and 1',
    'Decay of a moving average of the parameters, which becomes the model; off: none.',
  ).prefault('off'),
  clip: offOr(positive(), 'a number above 0', 'Largest global norm of the gradient; off: no clipping.').prefault('off'),
  schedule: key(
    z.union([
      z.enum(['constant', 'cosine']).transform((kind) => ({ kind })),
      z
        .strictObject({
          step: z.strictObject({
            every: count('Steps between two changes of the rate.'),
            factor: positive('What the rate is multiplied by.'),
          }),
        })
        .transform(({ step }) => ({ kind: 'step' as const, ...step })),
    ]),
    'constant, cosine or { step: { every: 1000, factor: 0.99 } }',
    'Learning rate within each sub-flow: constant, falling to 0 by a cosine, or multiplied by a factor every so many steps.',
  ).prefault('cosine'),
  precision: choice(
    ['float32', 'mixed'],
    'mixed: products of float16 factors with float32 sums and master weights; WebGPU with shader-f16.',
  ).default('float32'),
  conditionDropout: key(
    z.number().min(0).lt(1),
    'a number from 0 to below 1',
    'Probability that a row is learnt from without its condition (classes, or columns of data.condition), anew in every batch; above 0 samples can be guided (docs/conditional.md).',
  ).default(0.1),
  masks: flag(
    'Learn rows with random columns given, anew in every batch, so that lfm impute can fill in the others (train.objective: variational).',
  ).default(false),
  warmup: key(
    z.int().min(0),
    'a whole number from 0 on',
    'Steps of each sub-flow in which the rate rises linearly from 0. Left out: 0, but where lr is.',
  ).optional(),
  objective: choice(
    objectiveNames,
    `What is learnt from the data. ${objectiveNames.map((name) => `${name}: ${objectives[name].description}`).join('; ')}.`,
  ).default('flow-matching'),
  sampling: choice(
    ['epochs', 'replacement'],
    'Batches from shuffled passes over the data, or drawn with replacement.',
  ).default('epochs'),
  checkpointEvery: offOr(
    count(),
    'a whole number from 1 on',
    'Steps between two checkpoints; off: only at the end of a sub-flow.',
  ).prefault(500),
  validateEvery: offOr(
    count(),
    'a whole number from 1 on',
    'Steps between two validation losses, where there are validation rows: the loss on up to 8192 of them, with the same noise each time; off: none.',
  ).prefault(500),
  patience: offOr(
    count(),
    'a whole number from 1 on',
    'Validation losses in a row, none of them better than the best before, after which a sub-flow stops; its best parameters become the model. off: all steps are taken, and the last parameters are the model.',
  ).prefault('off'),
  logEvery: count('Steps between two rows of the loss history.').default(50),
  recompute: flag(
    'Compute the inside of the blocks of a unet or unet1d again in the backward pass, instead of keeping it: less memory, a third more work.',
  ).default(false),
  microBatches: count(
    'Parts of equal size into which the batch of a unet or unet1d is cut, one after another; the gradients add up. Less memory.',
  ).default(1),
  parts: count(
    'Parts of equal size into which a batch is cut, whose gradients are added in their order: the work that several processes can share (device.workers). The result depends on the parts, not on who computes them.',
    MOST_PARTS,
  ).default(1),
})

function decay() {
  return key(z.number().nonnegative().lt(1), 'a number from 0 to below 1')
}

const solverKeys = {
  solver: choice(
    solverNames,
    `The integrator. ${solverNames.map((name) => `${name}: ${methods[name].summary}`).join('; ')}.`,
  ),
  steps: oneOrEach(
    count(undefined, MOST_SOLVER_STEPS),
    `a whole number from 1 to ${MOST_SOLVER_STEPS}`,
    'Steps through each sub-flow; with clock: angle a number is their mean. Not for dopri5.',
  ),
  clock: choice(
    clocks,
    "What steps are even in: each sub-flow's own time (local), or one angle through the chain (docs/method.md). Not for dopri5.",
  ),
  rtol: positive('Relative tolerance (dopri5).'),
  atol: positive('Absolute tolerance (dopri5).'),
}
/** What solvers are where nothing is said of them, but for that of samples (resolve.ts). */
export const defaultSolver = { solver: 'rk4', steps: 8, clock: 'local' } as const

const solverOverrides = z.strictObject(solverKeys).partial()
const throughAll = solverOverrides.extend({
  evaluations: count(
    'Evaluations of the network in all sub-flows together, at most, instead of steps. Left out: from steps.',
    MOST_SOLVER_STEPS,
  ).optional(),
})

const odeSchema = z.strictObject({
  solver: solverKeys.solver.optional(),
  steps: solverKeys.steps.optional(),
  clock: solverKeys.clock.optional(),
  rtol: solverKeys.rtol.default(1e-5),
  atol: solverKeys.atol.default(1e-5),
  push: solverOverrides.prefault({}),
  sample: throughAll.prefault({}),
  evaluate: throughAll
    .extend({
      trace: choice(
        ['exact', 'hutchinson'],
        'How likelihoods compute the divergence of the field. Left out: exact for an mlp, hutchinson for the others.',
      ).optional(),
      probes: count("Random probes for each row of Hutchinson's estimator.", 10_000).default(8),
    })
    .prefault({}),
})

/** Students of a model, at most: more than it takes evaluations make no sense. */
const MOST_STUDENTS = 64

const studentKeys = {
  kind: choice(
    distillKindNames,
    `What students are. ${distillKindNames.map((name) => `${name}: ${distillKinds[name].description}`).join('; ')}.`,
  ),
  into: count("Students K: evaluations of a sample. The teacher's angle is cut into as many pieces.", MOST_STUDENTS),
}

const distillSchema = z.strictObject({
  ...studentKeys,
  every: count(
    "Training steps between two blocks of the teacher's states, of which each is used once and none is stored.",
    100_000,
  ).default(16),
  solver: choice(
    fixedStepSolvers,
    "The solver of the teacher's states. Left out: midpoint; ab2 of up to four maps of a single flow.",
  ).optional(),
  evaluations: count(
    'Evaluations of the teacher for its states, in all. Left out: 16, or 4 a sub-flow; 8 of up to four maps of a single flow; of any-step 32, 2 for each of 16 states.',
    MOST_SOLVER_STEPS,
  ).optional(),
  guidance: positive(
    "Weight of classifier-free guidance of a conditional teacher's velocities, which students then have in their networks. 1 is none.",
  ).default(1),
  teacher: z.strictObject(studentKeys).optional(),
})

const deviceKinds = choice(
  ['auto', 'webgpu', 'native', 'reference'],
  'What computes: auto takes a hardware GPU, else native, else reference.',
)

interface DeviceChoice {
  kind: z.output<typeof deviceKinds>
  variants: Record<string, string>
  fast?: boolean
  workers?: number
  adapters?: string[]
}

const optionKeys = {
  model: modelSchema.prefault({ kind: 'mlp' }),
  flow: flowSchema.prefault({}),
  train: trainSchema.prefault({}),
  ode: odeSchema.prefault({}),
  distill: distillSchema.optional(),
  seed: key(
    z.int().min(0),
    'a whole number from 0 to 2^53 - 1',
    'Seed of everything random: parts of the data, initial parameters, training, sampling.',
  ).default(0),
  device: key(
    z.union([
      deviceKinds.transform((kind): DeviceChoice => ({ kind, variants: {} })),
      z.strictObject({
        kind: deviceKinds.default('auto'),
        variants: key(
          z.record(z.string(), key(z.union([z.string(), z.number()]).transform(String), 'the name of a variant')),
          'a mapping from kernels to variants',
          'Kernel variants to use, by kernel; the device chooses the others.',
        ).default({}),
        fast: flag(
          "WebGPU without Dawn's checks, once a program has passed with them on this adapter. Left out: with them.",
        ).optional(),
        workers: count(
          'Processes of this host that train together, each on some of the parts of a batch (train.parts). Left out: 1.',
        ).optional(),
        adapters: key(
          z.array(z.string().min(1)).min(1),
          'a list of adapters, each a part of its name or its place, such as pci-0000_03_00_0',
          'Adapters of WebGPU, one for each worker, in turn; the first one where there is one process. Each is a part of its name, or its place as DRI_PRIME has it (pci-0000_03_00_0), which tells GPUs of one name apart where Mesa is installed. Left out: the first GPU.',
        ).optional(),
      }),
    ]),
    'auto, webgpu, native, reference or { kind, variants }',
    'The device, or its kind with kernel variants.',
  ).prefault('auto'),
}

export const optionsSchema = z.strictObject(optionKeys)
export const configSchema = z.strictObject({ data: dataSchema, ...optionKeys })
