/** Describes what is wrong with a config, a line for each problem: where, what it is, what it must be, what was meant. */

import * as z from 'zod'
import { ConfigError, show } from '../errors.js'
import { either } from '../schema/words.js'
import { descend, formsOf, keysOf, kindOf, pathText, unwrap, valueAt, wordsOf } from './keys.js'
import { keyOfOtherName } from './other-names.js'

/** Problems that a message lists; each costs some work. */
const MOST_PROBLEMS = 20
/** No key is as long: such a name is nobody's typing error. */
const LONGEST_NAME = 64

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

/** The name closest to what was written, if one is close: a third of its letters may differ, or two if that is more. */
function nearest(written: string, names: readonly string[]): string | undefined {
  if (written.length > LONGEST_NAME) return undefined
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
  const all = keysOf(root)
  const elsewhere = all.find((entry) => lastName(entry.path) === name)
  if (elsewhere) return `${written} is not a key; did you mean ${elsewhere.path}?`
  const other = keyOfOtherName(name)
  // a root without a section (the options of LocalFlow.train have no data) has none of its keys either
  if (other && all.some(({ path: known }) => `${known}.`.startsWith(`${other.path}.`))) {
    return `${written} is not a key; did you mean ${other.path}${other.remark}?`
  }
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
  if (issue.code === 'unrecognized_keys')
    return issue.keys.slice(0, MOST_PROBLEMS + 1).map((name) => unknownKey(root, raw, path, name))
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

export function failure(origin: string, issues: readonly string[]): ConfigError {
  if (issues.length === 1) return new ConfigError(`${origin}: ${issues[0]}`, issues)
  const many = issues.length > MOST_PROBLEMS
  const listed = many ? [...issues.slice(0, MOST_PROBLEMS), '…'] : issues
  const count = many ? `more than ${MOST_PROBLEMS}` : issues.length
  return new ConfigError(`${origin}: ${count} problems.\n  ${listed.join('\n  ')}`, issues)
}

/** A model that names no kind is an mlp: said before the forms of a model are told apart by their kind. */
function withModelKind(written: unknown): unknown {
  const model = valueAt(written, ['model'])
  const open = typeof model === 'object' && model !== null && !Array.isArray(model) && !('kind' in model)
  return open ? { ...(written as object), model: { kind: 'mlp', ...model } } : written
}

/** Reads a value by a schema, or throws ConfigError with a line for each problem. */
export function check<S extends z.ZodType>(schema: S, written: unknown, origin: string): z.output<S> {
  const raw = withModelKind(written)
  const result = schema.safeParse(raw)
  if (result.success) return result.data
  const lines = new Set<string>()
  for (const issue of result.error.issues) {
    for (const line of issueLines(schema, raw, issue, [])) lines.add(line)
    if (lines.size > MOST_PROBLEMS) break
  }
  throw failure(origin, [...lines])
}
