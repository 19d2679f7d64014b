/** Reads what a person wrote: a YAML file, and the command line's `--set`. */

import { resolve } from 'node:path'
import { ConfigError, show } from '../errors.js'
import { readAtMost } from '../files/reading.js'
import { reasonOf } from '../files/reasons.js'
import { Lexer, parseDocument, parse as parseYaml } from '../files/yaml.js'
import { failure } from './messages.js'

/** Bytes, tokens, mapped keys and levels of a config file, at most. */
const MOST_BYTES = 1 << 20
const MOST_TOKENS = 400_000
const MOST_KEYS = 5000
const MOST_LEVELS = 64

/**
 * Throws ConfigError for a text whose parsing would take time or stack without end: the parser calls itself for each level,
 * and compares each key of a mapping with all others. Its lexer does neither.
 */
function checkExtent(text: string, path: string): void {
  const refuse = (what: string, most: number): never => {
    throw failure(path, [`it has more than ${most} ${what}, which no config needs.`])
  }
  if (text.length > MOST_BYTES) refuse('characters', MOST_BYTES)
  let [tokens, keys, brackets, inLine] = [0, 0, 0, 0]
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MOST_TOKENS) refuse('words and marks', MOST_TOKENS)
    if (token === ':' && ++keys > MOST_KEYS) refuse('keys', MOST_KEYS)
    if (token === '[' || token === '{') brackets++
    else if (token === ']' || token === '}') brackets--
    else if (token === '-' || token === '?') inLine++
    else if (token.includes('\n')) inLine = 0
    if (brackets > MOST_LEVELS || inLine > MOST_LEVELS) refuse('levels', MOST_LEVELS)
  }
}

/** What the parser says: the first line of each of its messages, which goes on to quote the file. */
function parsed(text: string, path: string): unknown {
  const document = parseDocument(text)
  if (document.errors.length) {
    throw failure(
      path,
      document.errors.map(({ message }) => message.split('\n')[0].replace(/:$/, '.')),
    )
  }
  try {
    return document.toJS()
  } catch (error) {
    throw failure(path, [(error as Error).message])
  }
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Parses YAML text into the raw form of a config; nothing is checked but that it is a mapping.
 *
 * @param path the file it came from, for messages
 * @throws ConfigError for text that is no YAML (with line and column), and for anything but a mapping
 */
export function parseConfig(text: string, { path }: { path: string }): Record<string, unknown> {
  checkExtent(text, path)
  const raw = parsed(text, path)
  if (!isMapping(raw))
    throw failure(path, [`a config is a mapping with the keys data, model, flow …, but this is ${show(raw)}.`])
  return raw
}

/** Under this key a config that was read from a file has the file's path. Schemas and JSON know nothing of it. */
export const configFile: unique symbol = Symbol('the file of a config')

/**
 * Reads a config file into its raw form, which knows the file's path. Throws ConfigError where it cannot be read or is no YAML
 * mapping; nothing else is checked.
 */
export async function readConfig(path: string): Promise<Record<string, unknown> & { [configFile]: string }> {
  const bytes = await readAtMost(path, MOST_BYTES).catch((error) => {
    throw new ConfigError(`${path} cannot be read: ${reasonOf(error)}.`)
  })
  if (!bytes) throw failure(path, [`it has more than ${MOST_BYTES} bytes, which no config needs.`])
  return { ...parseConfig(bytes.toString('utf8'), { path }), [configFile]: resolve(path) }
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
    checkExtent(text, `--set ${path}`)
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
