/** Writes an exported model as a folder, whole or not at all: under another name beside it, which is then changed over. */

import { randomBytes } from 'node:crypto'
import { lstatSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DataError, invalid } from '../errors.js'
import { syncFolder, writeNewFile } from '../files/atomic.js'
import { makeFolder } from '../files/folders.js'
import { cannotWrite } from '../files/reasons.js'
import { renameOver } from '../files/rename.js'
import type { ExportedFile, ExportedModel, ExportOptions } from './exporter.js'
import { type ExportForm, exportForms, forms } from './registry.js'

/** Throws DataError where the folder is there already, or cannot be. */
function expectNothing(folder: string): void {
  try {
    if (!lstatSync(folder, { throwIfNoEntry: false })) return
  } catch (error) {
    throw cannotWrite(folder, error)
  }
  throw new DataError(`${folder} is there already, and nothing in it was changed; export into a folder that is new.`)
}

/** What an export wrote. */
export interface WrittenExport {
  /** paths within the folder */
  readonly files: readonly string[]
  /** of all of them together */
  readonly bytes: number
}

/**
 * Exports a model into a new folder.
 * @throws InvalidArgumentError for a form that is not there, or a solver that it cannot hold
 * @throws DataError where the folder is there already, or cannot be written
 * @throws LocalFlowError for a layer that the form has no counterpart of (named), and for a file of 2 GiB or more
 */
export async function writeExport(
  model: ExportedModel,
  form: ExportForm,
  folder: string,
  options: ExportOptions,
): Promise<WrittenExport> {
  if (!Object.hasOwn(forms, form)) throw invalid('to', `one of ${exportForms.join(', ')}`, form)
  expectNothing(folder)
  const exporter = await forms[form].load()
  return writeFolder(folder, await exporter(model, options))
}

async function writeFolder(folder: string, files: readonly ExportedFile[]): Promise<WrittenExport> {
  const target = folder.replace(/[/\\]+$/, '')
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
  let bytes = 0
  try {
    makeFolder(temporary)
    const folders = new Set([temporary])
    for (const { path, content } of files) {
      const file = join(temporary, ...path.split('/'))
      makeFolder(dirname(file))
      folders.add(dirname(file))
      bytes += await writeNewFile(file, content)
    }
    for (const each of folders) await syncFolder(each)
    expectNothing(target)
    await renameOver(temporary, target)
    await syncFolder(dirname(target))
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    throw error instanceof DataError ? error : cannotWrite(folder, error)
  }
  return { files: files.map(({ path }) => path), bytes }
}
