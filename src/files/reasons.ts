/** How a file that cannot be read or written is reported. */

import { DataError } from '../errors.js'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  EBUSY: 'another program has it open',
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file of that name is there',
  EFBIG: 'a file may not be that large (ulimit -f)',
  EIO: 'the disk failed',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open on this machine',
  ENOTDIR: 'a part of its path is no folder',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its symbolic links go in circles',
  ENOMEM: 'there is no memory',
  EAGAIN: 'the system has nothing left to give (threads, processes)',
  EINVAL: 'the file system refuses it',
}

/** A failed system call in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return (code && reasons[code]) ?? message ?? String(error)
}

/** Whether an error is one of the system, about a file or the machine: no defect of the program. */
export const isOfSystem = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && Object.hasOwn(reasons, (error as NodeJS.ErrnoException).code ?? '')

/** Whether JavaScript found no memory for an array. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof RangeError && /allocation failed|Invalid (typed )?array( buffer)? length/i.test(error.message)

/** Such an error as a line. */
export function systemMessage(error: Error & NodeJS.ErrnoException): string {
  if (isOutOfMemory(error)) return `there is no memory for what was asked (${error.message})`
  return `${error.path ?? error.syscall ?? 'the system'}: ${reasonOf(error)}.`
}

export const cannotRead = (path: string, error: unknown): DataError =>
  new DataError(`${path} cannot be read: ${reasonOf(error)}.`)

export const cannotWrite = (path: string, error: unknown): DataError =>
  new DataError(`${path} cannot be written: ${reasonOf(error)}.`)
