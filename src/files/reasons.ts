/** How a data file that cannot be read or written is reported. */

import { DataError } from '../errors.js'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file of that name is there',
  EFBIG: 'a file may not be that large (ulimit -f)',
  EIO: 'the disk failed',
  EMFILE: 'too many files are open',
  ENOTDIR: 'a part of its path is no folder',
}

/** A failed system call in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return (code && reasons[code]) ?? message ?? String(error)
}

export const cannotRead = (path: string, error: unknown): DataError =>
  new DataError(`${path} cannot be read: ${reasonOf(error)}.`)

export const cannotWrite = (path: string, error: unknown): DataError =>
  new DataError(`${path} cannot be written: ${reasonOf(error)}.`)
