/** Where a command writes its result: looked at before the work is done, so that hours of work do not end in a typing error. */

import { access, constants, stat } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { DataError } from '../errors.js'
import { cannotWrite } from '../files/reasons.js'
import { usage } from './usage.js'

/** What stands for standard output. */
export const STANDARD_OUTPUT = '-'

/** Writes text to standard output, no faster than it is read; ends quietly where nobody reads it any more. */
export async function writeOut(text: Iterable<string> | AsyncIterable<string>): Promise<void> {
  const { stdout } = process
  for await (const piece of text) {
    if (stdout.destroyed) return
    if (stdout.write(piece)) continue
    await new Promise<void>((resolve) => {
      for (const event of ['drain', 'close', 'error']) stdout.once(event, resolve)
    })
  }
}

/** Throws UsageError where a result and the one object of --json would share standard output. */
export function checkOutput(path: string | undefined, json: boolean | undefined): void {
  if (path === STANDARD_OUTPUT && json)
    throw usage('--output', 'a file beside --json, which prints on standard output', path)
}

/**
 * The writer for a file by its extension; '' is one for a folder, '-' one for standard output.
 * @throws UsageError for another extension, DataError where the folder is not there or may not be written to
 */
export async function writerFor<W>(path: string, writers: Readonly<Record<string, W>>): Promise<W> {
  if (path === STANDARD_OUTPUT && Object.hasOwn(writers, STANDARD_OUTPUT)) return writers[STANDARD_OUTPUT]
  const extension = extname(path).toLowerCase()
  if (!Object.hasOwn(writers, extension)) {
    const names = Object.keys(writers).filter((name) => name.startsWith('.'))
    const listed = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
    const orFolder = Object.hasOwn(writers, '') ? ', or a folder' : ''
    const orOutput = Object.hasOwn(writers, STANDARD_OUTPUT) ? ', or - for standard output' : ''
    throw usage('--output', `a file that ends in ${listed}${orFolder}${orOutput}`, path)
  }
  const folder = dirname(path)
  const isFolder = (at: string): Promise<boolean> =>
    stat(at).then(
      (found) => found.isDirectory(),
      () => false,
    )
  if (!(await isFolder(folder))) throw new DataError(`${path} cannot be written: there is no folder ${folder}.`)
  if (extension !== '' && (await isFolder(path))) throw new DataError(`${path} cannot be written: it is a folder.`)
  await access(folder, constants.W_OK).catch((error) => {
    throw cannotWrite(path, error)
  })
  return writers[extension]
}
