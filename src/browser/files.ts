/** Where a browser has a model's files from: an address, files that somebody chose, or bytes by their paths. */

import { CheckpointError } from '../errors.js'
import type { ReadFile } from '../export/folder.js'
import { type ChosenFile, page } from './page.js'

/**
 * A run folder or an exported one: its address, the files in it as an input or a drop gives them (their paths from
 * webkitRelativePath, where they have one), or bytes by their paths in the folder.
 */
export type ModelSource = string | URL | Iterable<ChosenFile> | ReadonlyMap<string, Blob | Uint8Array<ArrayBuffer>>

/** What a source is called in messages. */
export const nameOf = (source: ModelSource): string =>
  typeof source === 'string' || source instanceof URL ? String(source) : 'the files'

export function readerOf(source: ModelSource): ReadFile {
  if (typeof source === 'string' || source instanceof URL) return addressReader(source)
  const files = source instanceof Map ? source : byPath([...(source as Iterable<ChosenFile>)])
  return async (path, most) => {
    const file = files.get(path)
    if (!file) return undefined
    if ((file instanceof Blob ? file.size : file.length) > most) return null
    return file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file
  }
}

/** Files by their paths below the folder that was chosen. */
const byPath = (files: readonly ChosenFile[]): Map<string, Blob> =>
  new Map(files.map((file) => [file.webkitRelativePath?.replace(/^[^/]*\//, '') || file.name, file]))

function addressReader(address: string | URL): ReadFile {
  const base = new URL(String(address).replace(/\/?$/, '/'), page.location?.href)
  return async (path, most) => {
    const url = new URL(path, base)
    const response = await fetch(url).catch((error: Error) => {
      throw new CheckpointError(`${url} cannot be read: ${error.message}.`)
    })
    if (response.status === 404) return undefined
    if (!response.ok || !response.body)
      throw new CheckpointError(`${url} cannot be read: the server answers ${response.status}.`)
    const parts: Uint8Array[] = []
    let length = 0
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      length += value.length
      if (length > most) {
        await reader.cancel()
        return null
      }
    }
    const bytes = new Uint8Array(length)
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }
}
