#!/usr/bin/env node
/**
 * The command line `lfm`: loads the commands and runs one. A system that has no open files or memory left for that is told of
 * in a line; nothing else is loaded here, so that there is somebody to tell it.
 */

/**
 * Whether a module could not be loaded as it was installed: where no file is left to be opened, Node takes a package for one that
 * is not there, and a module for an empty one.
 */
const isMisread = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'ERR_MODULE_NOT_FOUND' ||
  (error instanceof SyntaxError && /does not provide an export named/.test(error.message))

try {
  await (await import('./program.js')).run()
} catch (error) {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  const misread = isMisread(error as Error)
  if (!misread && (typeof code !== 'string' || syscall === undefined)) throw error
  const why = misread ? ' (it is not installed, or too many files are open: ulimit -n)' : ''
  process.stderr.write(`lfm: it could not be loaded: ${message}${why}.\n`)
  process.exitCode = 1
}
