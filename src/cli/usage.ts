/** What is wrong with a command line itself, apart from what its files hold: it ends with exit code 2, as shells' own tools do. */

import { InvalidArgumentError, invalid } from '../errors.js'

export class UsageError extends InvalidArgumentError {
  override get name(): string {
    return 'UsageError'
  }
}

/** The error for an option: `usage('--samples', 'left out: it is for runs on pictures', 5)`. */
export const usage = (option: string, expected: string, actual: unknown): UsageError =>
  new UsageError(invalid(option, expected, actual).message)
