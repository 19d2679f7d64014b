/**
 * What `lfm compare` is given: either one file that has the data once, the methods with what they change, and how they are
 * compared; or several configs of the same data, each of which is a method. Nothing is resolved here but what the file itself
 * says: a method's config is a raw config like any other.
 */

import { basename, dirname, extname, resolve } from 'node:path'
import * as z from 'zod'
import { ConfigError } from '../errors.js'
import { distanceNames, distances, usualDistance } from '../metrics/registry.js'
import { fixedStepSolvers } from '../ode/methods.js'
import { distillKindNames } from '../recipes/pieces.js'
import { choice, count, key, listOf, text } from '../schema/words.js'
import { check, failure } from './messages.js'
import { readConfig } from './read.js'
import { type ResolvedConfig, resolveConfig } from './resolve.js'

export const blockNames = ['width', 'parameters'] as const
export type BlockName = (typeof blockNames)[number]

const seed = key(z.int().min(0), 'a whole number from 0 on')

const settingsSchema = z.strictObject({
  seeds: listOf(seed, 'a list of whole numbers', 'Every method is trained with each.').default([1, 2, 3]),
  evaluations: listOf(
    count(),
    'a list of whole numbers from 1 on',
    'Function evaluations of a sample, in all, at which quality is measured.',
  ).default([4, 8, 16, 32, 64, 128]),
  samples: count('Samples that are drawn for each measurement, at most as many as there are training rows.').default(
    10_000,
  ),
  likelihood: key(
    z.int().min(0),
    'a whole number of rows, 0 for none',
    'Test rows whose likelihood is taken, at most; of pictures none is.',
  ).default(10_000),
  blocks: listOf(choice(blockNames), 'a list of width and parameters', 'Equal width, equal parameters in all.').default(
    [...blockNames],
  ),
  parameters: count(
    'Parameters that the networks of every method have in all, at most, in the second block. Left out: as many as the ' +
      'smallest method of the first block.',
  ).optional(),
  aa: text('The method that is trained a second time, under other seeds. Left out: none.').optional(),
  distance: choice(
    distanceNames,
    `How far samples are from the data: ${distanceNames.map((name) => `${name}: ${distances[name].description}`).join('; ')}. Left out: ` +
      `${usualDistance.points} of points, ${usualDistance.pictures} of pictures.`,
  ).optional(),
  features: text('Of pictures: digits or an ONNX file, relative to this file. Left out: digits.').optional(),
})

const distilled = z.strictObject({
  from: text('The method that is the teacher: one that stands above.'),
  kind: choice(distillKindNames, 'What students are (docs/distillation.md).'),
  into: count('Students K: evaluations of a sample.'),
  solver: choice(fixedStepSolvers, "The solver of the teacher's states. Left out: as of lfm distill.").optional(),
  evaluations: count("Evaluations of the teacher's states. Left out: as of lfm distill.").optional(),
  every: count('Training steps between two blocks of fresh states. Left out: as of lfm distill.').optional(),
})

const section = key(z.record(z.string(), z.unknown()), 'a section of a config')
const methodSchema = z.strictObject({
  label: text('What tables call it. Left out: its name.').optional(),
  solvers: listOf(
    choice(fixedStepSolvers),
    'a list of solvers',
    'Solvers of its samples. Left out: all that do not choose their own steps.',
  ).optional(),
  distill: distilled.optional(),
  model: section.optional(),
  flow: section.optional(),
  train: section.optional(),
  ode: section.optional(),
})

const fileSchema = z.strictObject({
  data: section,
  model: section.optional(),
  flow: section.optional(),
  train: section.optional(),
  ode: section.optional(),
  device: z.unknown().optional(),
  compare: settingsSchema.prefault({}),
  methods: key(
    z
      .record(
        z.string(),
        key(methodSchema, 'a method: label, solvers, distill, and the sections model, flow, train and ode'),
      )
      .refine((methods) => Object.keys(methods).length > 0),
    'a mapping from names to methods',
  ),
})

export type ComparisonSettings = z.output<typeof settingsSchema>
type MethodFile = z.output<typeof methodSchema>

/** How students are made of another method's model. */
export type ComparedStudents = z.output<typeof distilled>

/** One method: a raw config, whose seed is yet to be set; of students what their training changes in their teacher's. */
export interface ComparedMethod {
  /** a name for folders */
  readonly name: string
  /** what tables call it */
  readonly label: string
  readonly raw: Readonly<Record<string, unknown>>
  /** left out: it is trained on the data */
  readonly distill?: ComparedStudents
  /** solvers of its samples; null: all */
  readonly solvers: readonly string[] | null
  /** where the config was read */
  readonly path: string
}

export interface ComparedMethods {
  readonly settings: ComparisonSettings
  readonly methods: readonly ComparedMethod[]
}

/** Settings that the command line gives instead of the file. */
export type ComparisonOverrides = Partial<
  Pick<ComparisonSettings, 'seeds' | 'evaluations' | 'samples' | 'likelihood' | 'aa'>
>

/** What Windows takes for a device, whatever follows the point. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)\./i
const NAME = /^[A-Za-z0-9][\w.-]*$/
const SECTIONS = ['model', 'flow', 'train', 'ode'] as const

/**
 * Reads what is compared.
 * @param paths one file with methods, or configs of the same data
 * @throws ConfigError for files that are no such thing, configs that are wrong, and configs of different data
 */
export async function readComparison(
  paths: readonly string[],
  overrides: ComparisonOverrides = {},
): Promise<ComparedMethods> {
  const files = await Promise.all(paths.map(async (path) => ({ path: resolve(path), raw: await readConfig(path) })))
  const listing = files.find(({ raw }) => 'methods' in raw)
  if (listing && files.length > 1) {
    throw new ConfigError(`${listing.path} lists methods itself; compare it alone, or configs without methods.`)
  }
  const { settings, methods } = listing
    ? listed(listing)
    : { settings: settingsSchema.parse({}), methods: configs(files) }
  const together = settingsSchema.parse({ ...settings, ...defined(overrides) })
  checkSettings(together, methods, paths[0])
  checkSameData(methods)
  return { settings: together, methods }
}

const defined = <T extends object>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>

function listed({ path, raw }: { path: string; raw: Record<string, unknown> }) {
  if ('seed' in raw) throw failure(path, ['seed is not a key here; the seeds are compare.seeds.'])
  const file = check(fileSchema, raw, path)
  const methods = Object.entries(file.methods).map(([name, method]): ComparedMethod => {
    if (!NAME.test(name)) throw failure(path, [`methods.${name} must be a name of letters, digits, «-», «_» and «.».`])
    if (DEVICE.test(name))
      throw failure(path, [`methods.${name} must have another name: no folder on Windows can begin so.`])
    return {
      name,
      label: method.label ?? name,
      solvers: method.solvers ?? null,
      ...(method.distill
        ? { raw: { train: method.train ?? {} }, distill: method.distill }
        : { raw: methodConfig(file, method) }),
      path,
    }
  })
  const names = Object.keys(file.methods)
  const issues = names.flatMap((name, i) => [
    ...studentIssues(name, file.methods, names.slice(0, i)),
    // their runs are folders, which are one where the file system keeps no case (macOS, Windows)
    ...names
      .slice(0, i)
      .filter((above) => above.toLowerCase() === name.toLowerCase())
      .map((above) => `methods.${name} and methods.${above} differ only in their case; give one of them another name.`),
  ])
  if (issues.length) throw failure(path, issues)
  return { settings: file.compare, methods }
}

/** What is wrong with students as a method. */
function studentIssues(name: string, methods: Record<string, MethodFile>, above: readonly string[]): string[] {
  const { distill, ...method } = methods[name]
  if (!distill) return []
  const issues = (['model', 'flow', 'ode'] as const)
    .filter((section) => method[section] !== undefined)
    .map((section) => `methods.${name}.${section} is not for students, who have their teacher's; only train is theirs.`)
  if (!above.includes(distill.from)) {
    const teachers = above.length > 0 ? `one of the methods above it (${above.join(', ')})` : 'a method above it'
    issues.push(`methods.${name}.distill.from must be ${teachers}, but is '${distill.from}'.`)
  }
  return issues
}

/** The file's own sections with what a method says, key by key. */
function methodConfig(file: z.output<typeof fileSchema>, method: MethodFile): Record<string, unknown> {
  const sections = SECTIONS.filter((name) => file[name] ?? method[name])
  return {
    data: file.data,
    ...Object.fromEntries(sections.map((name) => [name, { ...file[name], ...method[name] }])),
    ...(file.device !== undefined && { device: file.device }),
  }
}

function configs(files: readonly { path: string; raw: Record<string, unknown> }[]): ComparedMethod[] {
  const names = files.map(({ path }) => basename(path, extname(path)).replace(/[^\w.-]+/g, '-'))
  const lower = names.map((name) => name.toLowerCase())
  return files.map(({ path, raw: { seed: _, ...raw } }, i) => {
    const twice = lower.indexOf(lower[i]) < i
    const name = twice ? `${names[i]}-${i + 1}` : names[i]
    return { name, label: name, raw, solvers: null, path }
  })
}

function checkSettings({ aa, seeds }: ComparisonSettings, methods: readonly ComparedMethod[], path: string): void {
  if (aa !== undefined && !methods.some(({ name }) => name === aa)) {
    const names = methods.map(({ name }) => name).join(', ')
    throw failure(path, [`compare.aa must be one of the methods (${names}), but is '${aa}'.`])
  }
  if (methods.find(({ name }) => name === aa)?.distill) {
    throw failure(path, [`compare.aa must be a method that is trained on the data, but ${aa} has a teacher.`])
  }
  if (new Set(seeds).size < seeds.length) throw failure(path, ['compare.seeds names a seed twice.'])
}

/** The config of a method that is trained on the data, with a seed. Throws ConfigError, named by its method. */
export function resolveMethod({ name, raw, path }: ComparedMethod, seed: number): ResolvedConfig {
  return resolveConfig({ ...raw, seed }, `${path}, ${name}`)
}

function checkSameData(methods: readonly ComparedMethod[]): void {
  const [first, ...others] = methods
    .filter(({ distill }) => !distill)
    .map((method) => ({ method, data: dataOf(method) }))
  const other = others.find(({ data }) => data !== first.data)
  if (other) {
    throw new ConfigError(
      `${first.method.path} and ${other.method.path} have different data, and methods are compared on the same. ` +
        `The first has ${first.data}, the second ${other.data}.`,
    )
  }
  const byClass = ({ method }: typeof first): boolean => resolveMethod(method, 0).model.classes
  const otherwise = others.find((one) => byClass(one) !== byClass(first))
  if (otherwise) {
    throw new ConfigError(
      `${first.method.path}: model.classes is true of some methods and not of ${byClass(first) ? otherwise.method.name : first.method.name}; ` +
        'methods are compared by samples of what rows are told, so that all are told the same.',
    )
  }
}

/** The data section with nothing left to be decided, its files by their full paths. */
function dataOf(method: ComparedMethod): string {
  const { data } = resolveMethod(method, 0)
  const paths = ['path', 'testPath', 'labels', 'testLabels'] as const
  const whole = paths.flatMap((name) => {
    const value = (data as Partial<Record<(typeof paths)[number], string>>)[name]
    return value === undefined ? [] : [[name, resolve(dirname(method.path), value)]]
  })
  return JSON.stringify({ ...data, ...Object.fromEntries(whole) })
}
