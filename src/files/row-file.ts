/**
 * Rows of float32 in a file that is there for one process alone: what does not fit into memory while it is worked on. Its name is
 * taken away as soon as it is open, so that nothing is left of it however the process ends; where a system cannot do that
 * (Windows), it is removed when it is closed, or by the next who makes one in the folder.
 */

import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError } from '../errors.js'
import { isAbandoned, newTemporary, removeTemporary } from './atomic.js'
import { reasonOf } from './reasons.js'

const NAME = 'rows'
/** Bytes of one system call, and of a piece that is hashed. */
const PIECE = 1 << 26

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

export class RowFile {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly unnamed: boolean,
    readonly rows: number,
    /** numbers of a row */
    readonly width: number,
  ) {}

  /**
   * A file for n rows of `width` numbers; 0: it is not known yet how many.
   *
   * @throws DataError where the folder cannot be written to, or its disk has not as much space as the rows take
   */
  static async create(folder: string, rows: number, width: number): Promise<RowFile> {
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.startsWith(`.${NAME}.`) && (await isAbandoned(folder, name))) await removeTemporary(join(folder, name))
    }
    const path = newTemporary(join(folder, NAME))
    const needed = 4 * rows * width
    const space = await statfs(folder).catch(() => null)
    if (space && space.bavail * space.bsize < needed) throw noSpace(folder, needed, space.bavail * space.bsize)
    const file = await open(path, 'wx+').catch((error) => {
      throw cannot(folder, needed, error)
    })
    if (process.platform === 'win32') return new RowFile(path, file, false, rows, width)
    await removeTemporary(path)
    return new RowFile(path, file, true, rows, width)
  }

  /** Puts whole rows where row `first` on are. Throws DataError where the disk takes no more. */
  async write(first: number, values: Float32Array): Promise<void> {
    await this.put(4 * first * this.width, bytesOf(values))
  }

  private async put(at: number, bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; ) {
      const { bytesWritten } = await this.file
        .write(bytes, start, Math.min(PIECE, bytes.length - start), at + start)
        .catch((error) => {
          throw cannot(this.path, 4 * this.rows * this.width, error)
        })
      start += bytesWritten
    }
  }

  /** The rows [first, first + count), which must have been written. */
  async read(first: number, count: number): Promise<Float32Array> {
    const values = new Float32Array(count * this.width)
    await this.get(4 * first * this.width, bytesOf(values))
    return values
  }

  private async get(at: number, bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; ) {
      const { bytesRead } = await this.file.read(bytes, start, Math.min(PIECE, bytes.length - start), at + start)
      if (bytesRead === 0) throw new DataError(`The rows in ${this.path} end before they should.`)
      start += bytesRead
    }
  }

  /** SHA-256 of all rows, as that of their values one after another. */
  async sha256(signal?: AbortSignal): Promise<string> {
    const hash = createHash('sha256')
    const size = 4 * this.rows * this.width
    const piece = new Uint8Array(Math.min(PIECE, size))
    for (let at = 0; at < size; at += piece.length) {
      signal?.throwIfAborted()
      const part = piece.subarray(0, Math.min(piece.length, size - at))
      await this.get(at, part)
      hash.update(part)
    }
    return hash.digest('hex')
  }

  /** Ends it; its space on the disk is free again. */
  async close(): Promise<void> {
    await this.file.close()
    if (!this.unnamed) await removeTemporary(this.path)
  }
}

/** ', 12 MB while they are learnt from,'; '' where it is not known how many they are */
const sizeText = (bytes: number): string => (bytes > 0 ? `, ${megabytes(bytes)} while they are learnt from,` : '')
const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`

const noSpace = (folder: string, needed: number, left: number): DataError =>
  new DataError(
    `The rows take ${megabytes(needed)} in ${folder} while they are learnt from, but its disk has ${megabytes(left)} left.`,
  )

const cannot = (path: string, needed: number, error: unknown): DataError =>
  new DataError(`The rows${sizeText(needed)} cannot be written to ${path}: ${reasonOf(error)}.`)
