/** Finds the schemas of a key or a path, for messages and for the documentation. */

import * as z from 'zod'
import { cut, oneLine } from '../errors.js'
import { configSchema } from './schema.js'

/** The schema inside a default, an optional mark or a transform. */
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

/** The schemas by which a value can be read, without wrappers. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const inner = wrapped(schema)
  if (inner) return unwrap(inner)
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema]
}

/** The words given by `key`, on the schema itself or on the one inside it. */
export function wordsOf(schema: z.core.$ZodType): { expects?: string; description?: string } {
  const words = z.globalRegistry.get(schema) as { expects?: string; description?: string } | undefined
  if (words?.expects || words?.description) return words
  const inner = wrapped(schema)
  return inner ? wordsOf(inner) : {}
}

export const kindOf = (schema: z.core.$ZodType): string | undefined => {
  const kind = schema instanceof z.ZodObject && schema.shape.kind ? unwrap(schema.shape.kind)[0] : undefined
  return kind instanceof z.ZodLiteral ? String(kind.value) : undefined
}

/** The schemas of a value: of forms told apart by `kind`, the one that was named, else all. */
export function formsOf(schema: z.core.$ZodType, value: unknown): z.core.$ZodType[] {
  const forms = unwrap(schema)
  const named = forms.filter((form) => kindOf(form) !== undefined && kindOf(form) === valueAt(value, ['kind']))
  return named.length ? named : forms
}

/** The schemas of one key or list element of a value. */
function children(schema: z.core.$ZodType, name: PropertyKey, value: unknown): z.core.$ZodType[] {
  return formsOf(schema, value).flatMap((inner): z.core.$ZodType[] => {
    if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, name) ? [inner.shape[name as string]] : []
    if (inner instanceof z.ZodArray) return [inner.element]
    if (inner instanceof z.ZodTuple) return inner.def.items.slice(Number(name), Number(name) + 1)
    if (inner instanceof z.ZodRecord) return [inner.valueType]
    return []
  })
}

/** The schemas at a path of the config that was written. */
export const descend = (root: z.core.$ZodType, raw: unknown, path: readonly PropertyKey[]): z.core.$ZodType[] =>
  path.reduce<z.core.$ZodType[]>(
    (schemas, name, i) => schemas.flatMap((schema) => children(schema, name, valueAt(raw, path.slice(0, i)))),
    [root],
  )

export const valueAt = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<PropertyKey, unknown> | null | undefined)?.[name], raw)

export const pathText = (path: readonly PropertyKey[]): string =>
  path.map((name, i) => (typeof name === 'number' ? `[${name}]` : `${i ? '.' : ''}${nameText(String(name))}`)).join('')

/** A name that was written, which may be anything, as a part of a message. */
const nameText = (name: string): string => oneLine(cut(name, 60))

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

export function keysOf(root: z.ZodType): ConfigKey[] {
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
        const [literal, ...others] = unwrap(child)
        if (others.length === 0 && literal instanceof z.ZodLiteral) addLiteral(found, entry, literal)
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
