/** Where a command writes its result: looked at before the work is done, so that hours of work do not end in a typing error. */

import { access, constants, stat } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { DataError, invalid } from '../errors.js'
import { cannotWrite } from '../files/reasons.js'

/**
 * The writer for a file by its extension; '' is one for a folder.
 * @throws InvalidArgumentError for another extension, DataError where the folder is not there or may not be written to
 */
export async function writerFor<W>(path: string, writers: Readonly<Record<string, W>>): Promise<W> {
  const extension = extname(path).toLowerCase()
  if (!Object.hasOwn(writers, extension)) {
    const names = Object.keys(writers).filter((name) => name !== '')
    const listed = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
    const orFolder = Object.hasOwn(writers, '') ? ', or a folder' : ''
    throw invalid('--output', `a file that ends in ${listed}${orFolder}`, path)
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
