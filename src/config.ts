/**
 * The configuration: one schema with every key, its description and its default; the YAML file of the command line and
 * the options of LocalFlow.train are the same keys. `resolveConfig` turns what a person wrote (`raw`) into a
 * `ResolvedConfig` in which nothing is left to be decided: lists are as long as there are sub-flows, schedules are
 * expanded, «off» is 0. A run stores the raw form and resolves it again when it is loaded.
 */

import { readFile } from 'node:fs/promises'
import { parseDocument, parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { reasonOf } from './data/files.js'
import { toyNames, toySets } from './data/toy.js'
import { ConfigError, show } from './errors.js'
import { type Gammas, scheduleGammas } from './flow/schedule.js'

// --- the schema ---

/** Gives a schema its words: what a value must be (for errors) and what the key is for (for the documentation). */
const key = <S extends z.ZodType>(schema: S, expects: string, description?: string): S =>
  schema.meta({ expects, description }) as S

/** 'a, b or c' */
const either = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

const choice = <const T extends readonly [string, ...string[]]>(names: T, description?: string) =>
  key(z.enum(names), either(names), description)
const positive = (description?: string) => key(z.number().positive(), 'a number above 0', description)
const notNegative = (description?: string) => key(z.number().nonnegative(), 'a number from 0 on', description)
const count = (description?: string) => key(z.int().min(1), 'a whole number from 1 on', description)
const flag = (description?: string) => key(z.boolean(), 'true or false', description)
const text = (description?: string) => key(z.string().min(1), 'a text', description)
const listOf = <S extends z.ZodType>(item: S, expects: string, description?: string) =>
  key(z.array(item).min(1), expects, description)

/** A value for all sub-flows, or a list with one for each. */
const oneOrEach = <S extends z.ZodType>(item: S, expects: string, description: string) =>
  key(z.union([item, z.array(item).min(1)]), `${expects}, or a list of these with one for each sub-flow`, description)

/** A number that can be switched off; off is 0 in the resolved config. */
const offOr = <S extends z.ZodType<number>>(item: S, expects: string, description: string) =>
  key(
    z
      .union([item, z.literal('off'), z.literal(false), z.null()])
      .transform((value) => (typeof value === 'number' ? value : 0)),
    `${expects}, or off`,
    description,
  )

const partExpects = 'a count of rows (a whole number) or a fraction of them (below 1)'
const part = (description: string) =>
  key(
    z
      .number()
      .nonnegative()
      .refine((value) => value < 1 || Number.isInteger(value)),
    `${partExpects}, or 0 for none`,
    description,
  )
const trainPart = () =>
  key(
    z
      .number()
      .positive()
      .refine((value) => value < 1 || Number.isInteger(value)),
    partExpects,
    'Training rows: a count, or a fraction of all. Left out: all that the other parts leave.',
  ).optional()
const draws = (description: string) => key(z.int().min(0), 'a whole number of draws', description)
const samplerParts = {
  train: count('Training rows: fresh independent draws.').default(100_000),
  validation: draws('Validation rows, 0 for none.').default(0),
  test: draws('Test rows, 0 for none.').default(10_000),
  standardise: flag('Scale each column to mean 0 and standard deviation 1 of the training rows.').default(false),
}
const fileParts = {
  path: text('The file, relative to the config file.'),
  columns: listOf(
    key(z.union([z.string().min(1), z.int().min(0)]), 'a name or a number from 0'),
    'a non-empty list of columns, by name or number from 0',
    'The columns to take, in this order. Left out: all.',
  ).optional(),
  train: trainPart(),
  validation: part('Validation rows: a count, a fraction of all, or 0 for none.').default(0),
  test: part('Test rows: a count, a fraction of all, or 0 for none.').default(0.1),
  shuffle: flag('Shuffle the rows by the seed before they are split; else train comes first and test last.').default(
    true,
  ),
  standardise: flag('Scale each column to mean 0 and standard deviation 1 of the training rows.').default(true),
}

const toyKinds = ['gaussian', ...toyNames] as const
const numbers = z.array(key(z.number(), 'a number'))

const dataSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z
      .literal('image-density')
      .meta({ description: 'A picture as a density on the plane; dark pixels are mass.' }),
    path: text('The picture, relative to the config file.'),
    ...samplerParts,
  }),
  z.strictObject({
    kind: z.literal('toy').meta({ description: 'A toy set from a formula.' }),
    name: choice(toyKinds, 'Which toy set.'),
    noise: positive("Standard deviation of the set's noise. Left out: the set's own.").optional(),
    mean: key(numbers.min(1), 'a list of numbers', 'Mean of the gaussian.').optional(),
    covariance: key(
      z.array(numbers).min(1),
      'a list of lists of numbers',
      'Covariance of the gaussian, row by row.',
    ).optional(),
    ...samplerParts,
  }),
  z.strictObject({ kind: z.literal('csv').meta({ description: 'A table of numbers as text.' }), ...fileParts }),
  z.strictObject({ kind: z.literal('npy').meta({ description: "An array in NumPy's format." }), ...fileParts }),
])

const plainActivations = ['relu', 'elu', 'silu', 'gelu', 'tanh'] as const
const activationPattern = new RegExp(`^(?:(${plainActivations.join('|')})|softplus(\\d+(?:\\.\\d+)?)?)$`)

const modelSchema = z.strictObject({
  kind: choice(['mlp'], 'The network: a multilayer perceptron.').default('mlp'),
  hidden: listOf(count(), 'a non-empty list of widths', 'Widths of the hidden layers.').default([256, 256, 256]),
  activation: key(
    z.string().refine((name) => activationPattern.test(name) && Number(activationPattern.exec(name)?.[2] ?? 1) > 0),
    'relu, elu, softplus, softplus20 (softplus with β = 20), silu, gelu or tanh',
    'Activation of the hidden layers.',
  ).default('softplus20'),
  time: choice(['first', 'every'], 'Whether the time enters at the first layer or at every one.').default('first'),
  fourier: key(
    z.array(positive()),
    'a list of frequencies above 0',
    'Frequencies f: sin(f·x) and cos(f·x) of each coordinate enter beside x. Empty: none.',
  ).default([]),
})

/** The step sizes where neither gammas nor a schedule is given: the paper's six for the tree. */
const defaultGammas: Gammas = [0.025, 0.031, 0.039, 0.049, 0.061, null]

const scheduleKeys = {
  n: count('The number of sub-flows, the free one too.'),
  last: choice(['free', 'ou'], 'Whether the last sub-flow goes to noise (free) or is one more step.').default('free'),
}

const flowSchema = z.strictObject({
  gammas: listOf(
    key(z.number().positive().nullable(), 'a number above 0, or null in the last place (the free sub-flow)'),
    'a non-empty list of numbers above 0, the last of which may be null (the free sub-flow)',
    `Step sizes γ_n of the Ornstein–Uhlenbeck chain; a last null is the free sub-flow. Left out, and without a schedule: ${JSON.stringify(defaultGammas)}.`,
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
  interpolant: oneOrEach(
    choice(['linear', 'trig']),
    'linear or trig',
    'Path between the two ends of a sub-flow; one for all or a list.',
  ).default('linear'),
  coupling: choice(
    ['dependent', 'shuffled', 'independent'],
    'How a right end is paired with a left one: its own image, that of another row of the batch, or of a fresh row.',
  ).default('dependent'),
  time: key(
    z.union([
      z.literal('uniform'),
      z.strictObject({
        beta: key(z.tuple([positive(), positive()]), 'two numbers above 0', 'α and β of the Beta distribution.'),
      }),
    ]),
    'uniform or { beta: [α, β] }',
    'Distribution of the training times t.',
  ).default('uniform'),
  timesPerPair: count('Times drawn for each pair of ends; must divide train.batch.').default(1),
  warmStart: flag("Start a sub-flow from the parameters of the one before; the optimizer's state starts anew.").default(
    true,
  ),
  outputScale: flag("Scale the network's output by the target's spread.").default(false),
  plain: flag(
    'Plain flow matching: one free sub-flow that gets all the training steps of the configured ones.',
  ).default(false),
})

const trainSchema = z.strictObject({
  batch: count('Rows in a batch.').default(1000),
  steps: oneOrEach(
    count(),
    'a whole number from 1 on',
    'Training steps of each sub-flow; one number or a list.',
  ).default(2000),
  lr: positive('Learning rate.').default(0.001),
  optimizer: choice(['adam', 'adamw'], 'AdamW decays the weights beside the gradient.').default('adam'),
  betas: key(
    z.tuple([decay(), decay()]),
    'two numbers from 0 to below 1',
    "Decays of Adam's averages of the gradient and its square.",
  ).default([0.9, 0.999]),
  eps: positive('What Adam adds to the root of its second average.').default(1e-8),
  weightDecay: notNegative('Weight decay.').default(0),
  ema: offOr(
    key(z.number().positive().lt(1), 'a number between 0 and 1'),
    'a number between 0 and 1',
    'Decay of a moving average of the parameters, which then is the model; off: none.',
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
    'Learning rate within each sub-flow: constant, falling to 0 by a cosine, or multiplied by a factor now and then.',
  ).prefault('cosine'),
  warmup: key(
    z.int().min(0),
    'a whole number from 0 on',
    'Steps of each sub-flow in which the rate rises linearly from 0.',
  ).default(0),
  sampling: choice(
    ['epochs', 'replacement'],
    'Batches from shuffled passes over the data, or drawn with replacement.',
  ).default('epochs'),
  checkpointEvery: offOr(
    count(),
    'a whole number from 1 on',
    'Steps between two checkpoints; off: only at the end of a sub-flow.',
  ).prefault(500),
  logEvery: count('Steps between two rows of the loss history.').default(50),
})

function decay() {
  return key(z.number().nonnegative().lt(1), 'a number from 0 to below 1')
}

const solverKeys = {
  solver: choice(['euler', 'midpoint', 'rk4', 'dopri5'], 'The integrator; dopri5 controls its steps by rtol and atol.'),
  steps: count('Steps through each sub-flow (euler, midpoint, rk4).'),
  rtol: positive('Relative tolerance (dopri5).'),
  atol: positive('Absolute tolerance (dopri5).'),
}
const solverOverrides = z.strictObject(solverKeys).partial()

const odeSchema = z.strictObject({
  solver: solverKeys.solver.default('rk4'),
  steps: solverKeys.steps.default(8),
  rtol: solverKeys.rtol.default(1e-5),
  atol: solverKeys.atol.default(1e-5),
  push: solverOverrides.prefault({}),
  sample: solverOverrides.prefault({}),
  evaluate: solverOverrides
    .extend({
      trace: choice(['exact', 'hutchinson'], "How a likelihood takes the field's divergence.").default('exact'),
      probes: count("Random probes for each row of Hutchinson's estimator.").default(8),
    })
    .prefault({}),
})

const deviceKinds = choice(
  ['auto', 'webgpu', 'native', 'reference'],
  'What computes: auto takes a hardware GPU, else native, else reference.',
)

const optionKeys = {
  model: modelSchema.prefault({}),
  flow: flowSchema.prefault({}),
  train: trainSchema.prefault({}),
  ode: odeSchema.prefault({}),
  seed: key(
    z.int().min(0),
    'a whole number from 0 to 2^53 - 1',
    'Seed of everything random: parts of the data, initial parameters, training, sampling.',
  ).default(0),
  device: key(
    z.union([
      deviceKinds.transform((kind) => ({ kind, variants: {} as Record<string, string> })),
      z.strictObject({
        kind: deviceKinds.default('auto'),
        variants: key(
          z.record(z.string(), key(z.union([z.string(), z.number()]).transform(String), 'the name of a variant')),
          'a mapping from kernels to variants',
          'Kernel variants to use, by kernel; the device chooses the others.',
        ).default({}),
      }),
    ]),
    'auto, webgpu, native, reference or { kind, variants }',
    'The device, or its kind with kernel variants.',
  ).prefault('auto'),
}

const optionsSchema = z.strictObject(optionKeys)
const configSchema = z.strictObject({ data: dataSchema, ...optionKeys })

// --- the resolved form ---

/** What a person writes, for LocalFlow.train: every key may be left out. */
export type TrainOptions = z.input<typeof optionsSchema>

/** What a person writes in a config file. */
export type Config = z.input<typeof configSchema>

export type DataConfig = z.output<typeof dataSchema>

export interface SolverConfig {
  solver: 'euler' | 'midpoint' | 'rk4' | 'dopri5'
  /** Steps through each sub-flow, for the fixed-step solvers. */
  steps: number
  /** Tolerances of dopri5. */
  rtol: number
  atol: number
}

/** The options with nothing left to be decided. N is the number of sub-flows, `flow.gammas.length`. */
export interface ResolvedOptions {
  model: {
    kind: 'mlp'
    hidden: number[]
    activation: (typeof plainActivations)[number] | 'softplus'
    /** Sharpness of softplus; 1 for the others. */
    beta: number
    time: 'first' | 'every'
    fourier: number[]
  }
  flow: {
    /** [N]; null, only ever the last, is the free sub-flow. */
    gammas: Gammas
    /** [N] */
    interpolant: ('linear' | 'trig')[]
    coupling: 'dependent' | 'shuffled' | 'independent'
    time: 'uniform' | { beta: [number, number] }
    timesPerPair: number
    warmStart: boolean
    outputScale: boolean
    plain: boolean
  }
  /** `steps` is [N]; `ema`, `clip` and `checkpointEvery` are 0 where they are off. */
  train: Omit<z.output<typeof trainSchema>, 'steps'> & { steps: number[] }
  ode: {
    push: SolverConfig
    sample: SolverConfig
    evaluate: SolverConfig & { trace: 'exact' | 'hutchinson'; probes: number }
  }
  seed: number
  device: { kind: 'auto' | 'webgpu' | 'native' | 'reference'; variants: Record<string, string> }
}

export interface ResolvedConfig extends ResolvedOptions {
  data: DataConfig
}

// --- finding a key's schema, for messages and documentation ---

/** What a default, an optional mark or a transform is wrapped around. */
function wrapped(schema: z.core.$ZodType): z.core.$ZodType | null {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return schema.unwrap()
  }
  return schema instanceof z.ZodPipe ? schema.in : null
}

/** The schemas a value can be read by, without anything around them. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const inner = wrapped(schema)
  if (inner) return unwrap(inner)
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema]
}

/** The words given by `key`, on the schema itself or on what it is wrapped around. */
function wordsOf(schema: z.core.$ZodType): { expects?: string; description?: string } {
  const words = z.globalRegistry.get(schema) as { expects?: string; description?: string } | undefined
  if (words?.expects || words?.description) return words
  const inner = wrapped(schema)
  return inner ? wordsOf(inner) : {}
}

const kindOf = (schema: z.core.$ZodType): string | undefined => {
  const kind = schema instanceof z.ZodObject ? schema.shape.kind : undefined
  return kind instanceof z.ZodLiteral ? String(kind.value) : undefined
}

/** The schemas of a value: of the forms that differ by `kind` the one that was named, else all. */
function formsOf(schema: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  const forms = unwrap(schema)
  const named = forms.filter((form) => kindOf(form) !== undefined && kindOf(form) === valueAt(value, ['kind']))
  return named.length ? named : forms
}

/** The schemas of one key or list element of a value. */
function children(schema: z.core.$ZodType, name: PropertyKey, value: unknown): z.core.$ZodType[] {
  return formsOf(schema, value).flatMap((inner): z.core.$ZodType[] => {
    if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, name) ? [inner.shape[name as string]] : []
    if (inner instanceof z.ZodArray) return [inner.element]
    if (inner instanceof z.ZodTuple) return [inner.def.items[0]]
    if (inner instanceof z.ZodRecord) return [inner.valueType]
    return []
  })
}

/** The schemas at a path of the config that was written. */
const descend = (root: z.core.$ZodType, raw: unknown, path: readonly PropertyKey[]): z.core.$ZodType[] =>
  path.reduce<z.core.$ZodType[]>(
    (schemas, name, i) => schemas.flatMap((schema) => children(schema, name, valueAt(raw, path.slice(0, i)))),
    [root],
  )

const valueAt = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<PropertyKey, unknown> | null | undefined)?.[name], raw)

const pathText = (path: readonly PropertyKey[]): string =>
  path.map((name, i) => (typeof name === 'number' ? `[${name}]` : `${i ? '.' : ''}${String(name)}`)).join('')

/** One key of the config, for documentation and suggestions. */
export interface ConfigKey {
  path: string
  /** What a value must be. */
  expects: string
  description: string
  /** As it would be written; undefined where there is none. */
  default?: unknown
}

/** Every key of the config file, in order; the kinds of data and schedules share the keys that have the same path. */
export function configKeys(): ConfigKey[] {
  return keysOf(configSchema)
}

function keysOf(root: z.ZodType): ConfigKey[] {
  const found = new Map<string, ConfigKey>()
  const walk = (schema: z.core.$ZodType, path: string[]): void => {
    for (const inner of unwrap(schema)) {
      if (!(inner instanceof z.ZodObject)) continue
      for (const [name, child] of Object.entries(inner.shape as Record<string, z.core.$ZodType>)) {
        const at = [...path, name]
        const { expects = '', description = '' } = wordsOf(child)
        const hasDefault = child instanceof z.ZodDefault || child instanceof z.ZodPrefault
        const entry: ConfigKey = { path: at.join('.'), expects, description }
        if (hasDefault) entry.default = child.def.defaultValue
        if (!found.has(entry.path) && (expects || description)) found.set(entry.path, entry)
        if (child instanceof z.ZodLiteral) addLiteral(found, entry, child)
        walk(child, at)
      }
    }
  }
  walk(root, [])
  return [...found.values()]
}

/** The `kind` of a union is a literal in each of its forms: their values and descriptions are put together. */
function addLiteral(found: Map<string, ConfigKey>, entry: ConfigKey, literal: z.ZodLiteral): void {
  const known = found.get(entry.path) as ConfigKey
  const value = String([...literal.values][0])
  known.expects = known.expects ? `${known.expects}, ${value}` : value
  if (known !== entry) known.description = `${known.description} ${entry.description}`
}

// --- messages ---

/** Levenshtein's distance: the least number of letters to insert, remove or change. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      current[j] = Math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    previous = current
  }
  return previous[b.length]
}

/** The name that is nearly what was written, if there is one: at most a third of its letters differ, but two at least. */
function nearest(written: string, names: readonly string[]): string | undefined {
  const lower = written.toLowerCase()
  const distances = names.map((name) => editDistance(lower, name.toLowerCase()))
  const least = Math.min(...distances)
  return least <= Math.max(2, written.length / 3) && least < written.length
    ? names[distances.indexOf(least)]
    : undefined
}

const lastName = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** "train.step is not a key; did you mean train.steps?" */
function unknownKey(root: z.ZodType, raw: unknown, path: readonly PropertyKey[], name: string): string {
  const written = pathText([...path, name])
  const schemas = descend(root, raw, path)
  const keysIn = (forms: z.core.$ZodType[]): string[] => [
    ...new Set(forms.flatMap((form) => (form instanceof z.ZodObject ? Object.keys(form.shape) : []))),
  ]
  const owners = schemas.flatMap(unwrap).filter((form) => keysIn([form]).includes(name))
  const kinds = owners.map(kindOf).filter((kind) => kind !== undefined)
  if (kinds.length) {
    const kind = pathText([...path, 'kind'])
    return `${written} is a key for ${kind} ${either(kinds)}, not for ${show(valueAt(raw, [...path, 'kind']))}.`
  }
  const inside = keysIn(schemas.flatMap((schema) => formsOf(schema, valueAt(raw, path))))
  const near = nearest(name, inside)
  if (near) return `${written} is not a key; did you mean ${pathText([...path, near])}?`
  const elsewhere = keysOf(root).find((entry) => lastName(entry.path) === name)
  if (elsewhere) return `${written} is not a key; did you mean ${elsewhere.path}?`
  const where = path.length ? `the keys of ${pathText(path)} are` : 'the keys are'
  return `${written} is not a key; ${where} ${inside.join(', ')}.`
}

/** What a value at a path must be: the words of its schema, or of a section, or the names of its kinds. */
function expectation(schemas: readonly z.core.$ZodType[]): { expects: string; names: string[] } {
  const inner = schemas.flatMap(unwrap)
  const names = inner.flatMap((schema) =>
    schema instanceof z.ZodLiteral
      ? [...schema.values].map(String)
      : schema instanceof z.ZodEnum
        ? (schema.options as string[])
        : [],
  )
  const words = schemas.map((schema) => wordsOf(schema).expects).find((expects) => expects !== undefined)
  const literals = inner.every((schema) => schema instanceof z.ZodLiteral)
  return { expects: words ?? (literals ? either(names) : 'a section with keys of its own'), names }
}

/** One zod issue as one line a problem; a union's is that of the form that was meant, where that is clear. */
function issueLines(root: z.ZodType, raw: unknown, issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownKey(root, raw, path, name))
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((errors) =>
      errors.every((error) => error.path.length > 0 || error.code === 'unrecognized_keys'),
    )
    if (meant && issue.errors.length > 0) return meant.flatMap((inner) => issueLines(root, raw, inner, path))
  }
  const value = valueAt(raw, path)
  const { expects, names } = expectation(descend(root, raw, path))
  const where = pathText(path) || 'the config'
  if (value === undefined) return [`${where} is missing; it must be ${expects}.`]
  const near = typeof value === 'string' ? nearest(value, names) : undefined
  return [`${where} must be ${expects}, but is ${show(value)}${near ? `; did you mean ${near}?` : '.'}`]
}

const failure = (origin: string, issues: readonly string[]): ConfigError =>
  new ConfigError(
    issues.length === 1 ? `${origin}: ${issues[0]}` : `${origin}: ${issues.length} problems.\n  ${issues.join('\n  ')}`,
    issues,
  )

function check<S extends z.ZodType>(schema: S, raw: unknown, origin: string): z.output<S> {
  const result = schema.safeParse(raw)
  if (result.success) return result.data
  throw failure(origin, [...new Set(result.error.issues.flatMap((issue) => issueLines(schema, raw, issue, [])))])
}

// --- resolving ---

/** What one key alone cannot tell; a line for each problem. */
function crossCheck(options: z.output<typeof optionsSchema>, gammas: Gammas): string[] {
  const { flow, train } = options
  const issues: string[] = []
  if (flow.gammas && flow.schedule) issues.push('flow.gammas and flow.schedule are both given; leave one of them out.')
  gammas.forEach((gamma, i) => {
    if (gamma === null && i < gammas.length - 1) {
      issues.push(`flow.gammas[${i}] is null, but only the last of the ${gammas.length} may be (the free sub-flow).`)
    }
  })
  const each = { 'train.steps': train.steps, 'flow.interpolant': flow.interpolant }
  for (const [name, list] of Object.entries(each)) {
    if (Array.isArray(list) && list.length !== gammas.length) {
      issues.push(
        `${name} has ${list.length} entries, but there are ${gammas.length} sub-flows; give one for each, or one for all.`,
      )
    }
  }
  if (train.batch % flow.timesPerPair !== 0) {
    issues.push(`flow.timesPerPair must divide train.batch, but ${train.batch} is no multiple of ${flow.timesPerPair}.`)
  }
  return issues
}

function crossCheckData(data: DataConfig): string[] {
  if (data.kind !== 'toy') return []
  if (data.name === 'gaussian') {
    if (!data.mean || !data.covariance) return ['data.mean and data.covariance must be given for the gaussian.']
    return data.noise === undefined ? [] : ['data.noise must be left out: the gaussian has a covariance.']
  }
  const { name } = data
  const extra = (['mean', 'covariance'] as const).filter((word) => data[word] !== undefined)
  const issues = extra.map((word) => `data.${word} must be left out: it is for the gaussian alone, not for ${name}.`)
  if (toySets[name].noise === null && data.noise !== undefined) {
    issues.push(`data.noise must be left out: ${name} has none.`)
  }
  return issues
}

const listed = <T>(value: T | T[], length: number): T[] =>
  Array.isArray(value) ? value : Array.from({ length }, () => value)

function expand(options: z.output<typeof optionsSchema>, origin: string, dataIssues: string[] = []): ResolvedOptions {
  const { model, flow, train, ode, seed, device } = options
  const configured = flow.gammas ?? (flow.schedule ? scheduleGammas(flow.schedule) : defaultGammas)
  const issues = [...dataIssues, ...crossCheck(options, configured)]
  if (issues.length) throw failure(origin, issues)

  const steps = listed(train.steps, configured.length)
  const interpolant = listed(flow.interpolant, configured.length)
  const [, plainActivation, beta] = activationPattern.exec(model.activation) as RegExpExecArray
  const { push, sample, evaluate, ...solver } = ode
  return {
    model: {
      ...model,
      activation: (plainActivation ?? 'softplus') as ResolvedOptions['model']['activation'],
      beta: Number(beta ?? 1),
    },
    flow: {
      gammas: flow.plain ? [null] : [...configured],
      interpolant: flow.plain ? interpolant.slice(-1) : interpolant,
      coupling: flow.coupling,
      time: flow.time,
      timesPerPair: flow.timesPerPair,
      warmStart: flow.warmStart,
      outputScale: flow.outputScale,
      plain: flow.plain,
    },
    train: { ...train, steps: flow.plain ? [steps.reduce((sum, n) => sum + n, 0)] : steps },
    ode: { push: { ...solver, ...push }, sample: { ...solver, ...sample }, evaluate: { ...solver, ...evaluate } },
    seed,
    device,
  }
}

/**
 * Checks a config as it was written (an object parsed from YAML) and fills in everything that was left out.
 *
 * @param origin where it came from, for messages; default 'config'
 * @throws ConfigError with a line for each problem: unknown keys with the nearest known one, wrong types, values that
 *   cannot be, lists of another length than there are sub-flows
 */
export function resolveConfig(raw: unknown, origin = 'config'): ResolvedConfig {
  const { data, ...options } = check(configSchema, raw, origin)
  return { data, ...expand(options, origin, crossCheckData(data)) }
}

/** The same for the options of LocalFlow.train, which have all keys but `data`. Throws ConfigError as resolveConfig does. */
export function resolveOptions(raw: unknown, origin = 'options'): ResolvedOptions {
  return expand(check(optionsSchema, raw ?? {}, origin), origin)
}

// --- reading ---

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Parses YAML text into the raw form of a config; nothing is checked but that it is a mapping.
 *
 * @param path the file it came from, for messages
 * @throws ConfigError for text that is no YAML (with line and column), and for anything but a mapping
 */
export function parseConfig(text: string, { path }: { path: string }): Record<string, unknown> {
  const document = parseDocument(text)
  if (document.errors.length) {
    throw failure(
      path,
      document.errors.map(({ message }) => message.split('\n')[0].replace(/:$/, '.')),
    )
  }
  let raw: unknown
  try {
    raw = document.toJS()
  } catch (error) {
    throw failure(path, [(error as Error).message])
  }
  if (!isMapping(raw))
    throw failure(path, [`a config is a mapping with the keys data, model, flow …, but this is ${show(raw)}.`])
  return raw
}

/** Reads a config file into its raw form. Throws ConfigError where it cannot be read or is no YAML mapping. */
export async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw new ConfigError(`${path} cannot be read: ${reasonOf(error)}.`)
  })
  return parseConfig(text, { path })
}

/**
 * A copy of a raw config with some keys set, as `--set train.steps=100` asks for. Values are parsed as YAML; sections
 * that are not there yet are made. `device` may be the name of a device: setting device.variants.NAME keeps it.
 *
 * @param assignments texts of the form path=value
 * @throws ConfigError for a text of another form, and for a path through something that is no section
 */
export function applyOverrides(raw: Record<string, unknown>, assignments: readonly string[]): Record<string, unknown> {
  const config = structuredClone(raw)
  for (const assignment of assignments) {
    const fail = (problem: string): never => {
      throw failure(`--set ${assignment}`, [problem])
    }
    const [, path, text] = /^([\w-]+(?:\.[\w-]+)*)=(.*)$/s.exec(assignment) ?? []
    if (path === undefined) return fail('must have the form path=value, such as train.steps=100.')
    let value: unknown
    try {
      value = parseYaml(text)
    } catch (error) {
      fail(`the value is no YAML (${(error as Error).message.split('\n')[0]}).`)
    }
    const names = path.split('.')
    if (names.includes('__proto__')) fail('__proto__ is not a key.')
    let section = config
    for (const [i, name] of names.slice(0, -1).entries()) {
      const at = names.slice(0, i + 1).join('.')
      if (at === 'device' && typeof section[name] === 'string') section[name] = { kind: section[name] }
      section[name] ??= {}
      const inner = section[name]
      if (!isMapping(inner)) return fail(`${at} is ${show(inner)}, which has no keys; set ${at} itself.`)
      section = inner
    }
    section[names[names.length - 1]] = value
  }
  return config
}
