#!/usr/bin/env node
/**
 * The command line `lfm`: loads the commands and runs one. A system that has no open files or memory left for that is told of
 * in a line; nothing else is loaded here, so that there is somebody to tell it.
 */

try {
  await (await import('./program.js')).run()
} catch (error) {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || syscall === undefined) throw error
  process.stderr.write(`lfm: it could not be loaded: ${message}.\n`)
  process.exitCode = 1
}
