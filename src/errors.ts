/**
 * Every way the library fails. A message says three things: what was wrong (the value and where it came from), what
 * would be right, and what was kept. Programs catch by class or by `name`; the command line prints `message` alone.
 */

export class LocalFlowError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

/** A value given by the caller (argument, config key, command-line option) is not usable. */
export class InvalidArgumentError extends LocalFlowError {}

/** A config file or object failed validation; `issues` holds one line for each key. */
export class ConfigError extends LocalFlowError {
  constructor(
    message: string,
    readonly issues: readonly string[] = [],
  ) {
    super(message)
  }
}

/** A data file or array is missing, unreadable or holds values that cannot be trained on. */
export class DataError extends LocalFlowError {}

/** A checkpoint or run folder is missing, damaged, from a newer version or of another architecture. */
export class CheckpointError extends LocalFlowError {}

/** A device that was asked for is not there, or cannot run what was asked. */
export class DeviceError extends LocalFlowError {}

/** The device went away in the middle of work. */
export class DeviceLostError extends DeviceError {}

/** Training cannot go on: the loss, or ten gradients in a row, were not finite. */
export class TrainingError extends LocalFlowError {}

/** Shows a value the way it would be typed, cut to one short line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 57)}...` : value}'`
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return 'a function'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/**
 * The error for an argument: `invalid('batch', 'a whole number from 1 to 500 (the rows of the data)', 1000)` reads
 * "batch must be a whole number from 1 to 500 (the rows of the data), but is 1000."
 */
export function invalid(name: string, expected: string, actual: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`${name} must be ${expected}, but is ${show(actual)}.`)
}
