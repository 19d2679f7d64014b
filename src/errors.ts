/**
 * Every way the library fails. A message says three things: what was wrong (the value and where it came from), what
 * would be right, and what was kept. Programs catch by class or by `name`; the command line prints `message` alone. Parts of a
 * message come from files and paths that a stranger may have made, so a message holds nothing that a terminal would obey, and
 * has an end.
 */

/** Characters of a message, at most. */
const LONGEST_MESSAGE = 1900

/**
 * What a terminal obeys instead of showing it, and what turns the direction of text or hides it: C0 but the newline, DEL,
 * C1, marks of direction, separators of lines, zero-width marks; half a pair of surrogates.
 */
const obeyed = new RegExp(
  '[\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]' +
    '|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]',
  'g',
)

function escaped(character: string): string {
  if (character === '\t') return '\\t'
  if (character === '\r') return '\\r'
  const code = character.charCodeAt(0)
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** A text as a terminal may show it: what it would obey is written out, and lines after the first are set in. */
export const printable = (text: string): string => text.replace(obeyed, escaped).replace(/\n(?! {2})/g, '\n  ')

/** The same on one line. */
export const oneLine = (text: string): string => text.replace(obeyed, escaped).replaceAll('\n', '\\n')

/** The beginning of a text. */
export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 3)}...` : text)

/** What every error of this library is; catch it, or one of its kinds below. */
export class LocalFlowError extends Error {
  /** An error with this message: what a terminal would obey in it is written out, and it is cut at 1900 characters. */
  constructor(message: string) {
    super(printable(cut(message, LONGEST_MESSAGE)))
  }

  /** the name of its class, such as 'DataError', in a bundle that renames classes too */
  override get name(): string {
    return 'LocalFlowError'
  }
}

/** A value given by the caller (argument, config key, command-line option) is not usable. */
export class InvalidArgumentError extends LocalFlowError {
  override get name(): string {
    return 'InvalidArgumentError'
  }
}

/** A config file or object failed validation; `issues` holds one line for each key. */
export class ConfigError extends LocalFlowError {
  /** An error with this message, and its problems alone, without where the config came from. */
  constructor(
    message: string,
    /** a line for each problem: its key, what it is and what it must be; empty where the error is of no key */
    readonly issues: readonly string[] = [],
  ) {
    super(message)
  }

  override get name(): string {
    return 'ConfigError'
  }
}

/** A data file or array is missing, unreadable or holds values that cannot be trained on. */
export class DataError extends LocalFlowError {
  /** the message without anything that stands in the file; undefined where it quotes nothing */
  readonly withoutContent: string | undefined

  /** An error with this message, and the message without anything that stands in the file, where it quotes something. */
  constructor(message: string, withoutContent?: string) {
    super(message)
    this.withoutContent = withoutContent
  }

  override get name(): string {
    return 'DataError'
  }
}

/** A checkpoint or run folder is missing, damaged, from a newer version or of another architecture. */
export class CheckpointError extends LocalFlowError {
  override get name(): string {
    return 'CheckpointError'
  }
}

/** A device that was asked for is not there, or cannot run what was asked. */
export class DeviceError extends LocalFlowError {
  override get name(): string {
    return 'DeviceError'
  }
}

/** The device went away in the middle of work. */
export class DeviceLostError extends DeviceError {
  override get name(): string {
    return 'DeviceLostError'
  }
}

/** A package with a native part that this work needs (pictures do) was not installed for this machine. */
export class MissingPartError extends LocalFlowError {
  override get name(): string {
    return 'MissingPartError'
  }
}

/** Training cannot go on: the loss, or ten gradients in a row, were not finite. */
export class TrainingError extends LocalFlowError {
  override get name(): string {
    return 'TrainingError'
  }
}

/** What to do where the package's own files are not where its code is: shaders, fonts and the addon lie beside it. */
export const TAKEN_FROM_ITS_FOLDER =
  'The code of local-flow-matching was taken from its folder, as bundlers do, and its shaders, fonts and native engine are not ' +
  "beside it. Leave the package outside the bundle (esbuild: external: ['local-flow-matching'])."

/** Shows a value the way it would be typed, cut to one short line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${oneLine(cut(value, 60))}'`
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`
  return oneLine(cut(jsonOf(value), 80))
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // it contains itself, or lists within lists without end
    return Array.isArray(value) ? 'a list' : 'an object'
  }
}

/** '[2, 3, 4]' */
export const extents = (shape: readonly number[]): string => `[${cut(shape.join(', '), 80)}]`

/** How many names a message lists. */
const MOST_LISTED = 20

/** 'a', 'b', 'c' … and so many more */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).map((name) => oneLine(cut(name, 60)))
  return `${shown.join(', ')}${names.length > MOST_LISTED ? ` and ${names.length - MOST_LISTED} more` : ''}`
}

/**
 * The error for an argument: `invalid('batch', 'a whole number from 1 to 500 (the rows of the data)', 1000)` reads
 * "batch must be a whole number from 1 to 500 (the rows of the data), but is 1000."
 */
export function invalid(name: string, expected: string, actual: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`${name} must be ${expected}, but is ${show(actual)}.`)
}
