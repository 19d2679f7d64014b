/**
 * Making folders. Node's own `recursive` tries for ever where a file system accepts no folder at all (/proc), and says that
 * there is no such file where the parent may not be written to.
 */

import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname, posix, resolve, win32 } from 'node:path'

/**
 * Makes a folder, and those above it, where they are not there. Throws the system's error; EEXIST where the path is a file,
 * ENOTDIR where a part of it is.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const missing: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false })
    if (found?.isDirectory()) break
    if (found || dirname(at) === at) {
      const code = missing.length === 0 ? 'EEXIST' : 'ENOTDIR'
      throw Object.assign(new Error(`${at} is no folder`), { code, path: at })
    }
    missing.push(at)
  }
  for (const at of missing.reverse()) {
    try {
      mkdirSync(at, { mode })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // another process was quicker
      if (code === 'EEXIST' && statSync(at).isDirectory()) continue
      // some file systems say that a folder which cannot be made is not there; whoever may not write there learns why
      if (code === 'ENOENT') accessSync(dirname(at), constants.W_OK)
      throw error
    }
  }
}

/** The folder of a file whose full path was written down, on this system or on another: Windows' paths have a drive or a server. */
export const folderOf = (path: string): string => (/^([A-Za-z]:[/\\]|\\\\)/.test(path) ? win32 : posix).dirname(path)
