/**
 * A folder of PNG, JPEG and WebP files as a set of pictures, in the order of their names. Folders inside it are classes, in
 * the order of their names too. Pictures are turned as their camera says, and laid on white where they are transparent.
 */

import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { extname, join } from 'node:path'
import { cut, DataError, MissingPartError } from '../errors.js'
import { readData } from '../files/reading.js'
import { cannotRead } from '../files/reasons.js'
import { decodePicture } from './picture-file.js'
import { evenly, type Pictures, shrink } from './pictures.js'
import type { Tensor } from './tensor.js'

/** How a folder of pictures is read. */
export interface ImageFolderOptions {
  /** side of the squares that all are cut and resized to; left out: all must have one size */
  size?: number
  /** three channels, or one by luma; default 'rgb' */
  channels?: 'rgb' | 'grey'
  /** read only so many, evenly spaced in their order */
  limit?: number
}

const extensions = ['.png', '.jpg', '.jpeg', '.webp']
/** Pictures that are not read: of several frames, of scanners, or of no format that is safe to decode. */
const otherExtensions = ['.gif', '.bmp', '.tif', '.tiff', '.avif', '.heic', '.heif', '.jxl', '.ppm', '.pgm']
/** Unreadable files that a message names. */
const MOST_NAMED = 5

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

interface Entry {
  path: string
  label: number | null
}

/** The picture files of a folder, and of its folders (one class each). Names that begin with a dot are left out. */
async function listPictures(folder: string): Promise<{ found: Entry[]; leftOut: Map<string, number> }> {
  const list = async (at: string) =>
    (
      await readdir(at, { withFileTypes: true }).catch((error) => {
        throw cannotRead(at, error)
      })
    )
      .filter(({ name }) => !name.startsWith('.'))
      .sort(byName)
  /** a link to a folder is a class as well */
  const isFolder = async (at: string, entry: Dirent): Promise<boolean> =>
    entry.isDirectory() ||
    (entry.isSymbolicLink() &&
      (await stat(join(at, entry.name)).then(
        (found) => found.isDirectory(),
        () => false,
      )))
  const leftOut = new Map<string, number>()
  const isPicture = ({ name }: { name: string }): boolean => {
    const extension = extname(name).toLowerCase()
    if (otherExtensions.includes(extension)) leftOut.set(extension, (leftOut.get(extension) ?? 0) + 1)
    return extensions.includes(extension)
  }
  const inside = await list(folder)
  const folders = await Promise.all(inside.map((entry) => isFolder(folder, entry)))
  const direct = inside.filter((entry, i) => isPicture(entry) && !folders[i])
  const classes = inside.filter((_, i) => folders[i])
  const found: Entry[] = direct.map(({ name }) => ({ path: join(folder, name), label: null }))
  let label = 0
  for (const { name } of classes) {
    const files = (await list(join(folder, name))).filter(isPicture)
    if (files.length > 0 && direct.length > 0) {
      throw new DataError(
        `${folder} holds pictures and folders of pictures (${name}); it must hold either the one or the other.`,
      )
    }
    for (const file of files) found.push({ path: join(folder, name, file.name), label })
    if (files.length > 0) label++
  }
  return { found, leftOut }
}

/** «12 files of other formats (.gif, .bmp) are left out» */
function leftOutRemark(folder: string, leftOut: ReadonlyMap<string, number>): string[] {
  const count = [...leftOut.values()].reduce((sum, files) => sum + files, 0)
  if (count === 0) return []
  const what = count === 1 ? 'a file of another format' : `${count} files of other formats`
  return [`${folder} also has ${what} (${[...leftOut.keys()].join(', ')}); only ${extensions.join(', ')} are read.`]
}

/** One picture as bytes [1, C, H, W]; null where the file is none. Throws DataError where it cannot be read at all. */
async function decode(path: string, channels: 'rgb' | 'grey'): Promise<Tensor | null> {
  const file = await readData(path)
  const decoded = await decodePicture(file, path, (image) =>
    image
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace(channels === 'grey' ? 'b-w' : 'srgb'),
  ).catch((error) => {
    if (error instanceof MissingPartError) throw error
    return null
  })
  if (!decoded) return null
  const { data, ...info } = decoded
  const C = channels === 'grey' ? 1 : 3
  const pixels = info.width * info.height
  const values = new Uint8Array(C * pixels)
  for (let c = 0; c < C; c++) {
    // a grey file may have one channel where three are wanted
    const from = Math.min(c, info.channels - 1)
    for (let i = 0; i < pixels; i++) values[c * pixels + i] = data[i * info.channels + from]
  }
  return { values, shape: [1, C, info.height, info.width] }
}

/**
 * Reads a folder of pictures.
 *
 * @throws DataError for a folder without pictures, files that are no pictures (named, with the count of good ones),
 *   pictures of different sizes where `size` is left out, and pictures smaller than `size`
 */
export async function readImageFolder(folder: string, options: ImageFolderOptions = {}): Promise<Pictures> {
  const { size, channels = 'rgb', limit } = options
  const { found: all, leftOut } = await listPictures(folder)
  const remarks = leftOutRemark(folder, leftOut)
  if (all.length === 0) {
    const others = remarks.length > 0 ? ` ${remarks[0]}` : ''
    throw new DataError(`${folder} holds no pictures; files that end in ${extensions.join(', ')} are read.${others}`)
  }
  const entries = evenly(all.length, limit).map((i) => all[i])
  const bad: string[] = []
  const odd: { path: string; shape: readonly number[] }[] = []
  let shape: readonly number[] | null = null
  let values = new Uint8Array(0)
  const together = availableParallelism()
  for (let first = 0; first < entries.length; first += together) {
    const count = Math.min(together, entries.length - first)
    const pictures = await Promise.all(entries.slice(first, first + count).map(({ path }) => decode(path, channels)))
    for (const [i, decoded] of pictures.entries()) {
      const { path } = entries[first + i]
      const picture = decoded && (size === undefined ? decoded : shrink(path, decoded, size))
      if (!picture) bad.push(path)
      else if (shape && picture.shape.join() !== shape.join()) odd.push({ path, shape: picture.shape })
      else {
        if (!shape) values = new Uint8Array(entries.length * picture.values.length)
        shape ??= picture.shape
        values.set(picture.values, (first + i) * picture.values.length)
      }
    }
  }
  if (bad.length > 0) {
    const named = bad
      .slice(0, MOST_NAMED)
      .map((path) => cut(path, 300))
      .join(', ')
    const more = bad.length > MOST_NAMED ? ` and ${bad.length - MOST_NAMED} more` : ''
    throw new DataError(
      `${named}${more} cannot be read as ${bad.length === 1 ? 'a picture' : 'pictures'}; ` +
        `${entries.length - bad.length} of the ${entries.length} files are good. Remove or replace what is not.`,
    )
  }
  const [, C, H, W] = shape!
  if (odd.length > 0) {
    throw new DataError(
      `${odd[0].path} is ${odd[0].shape[3]}×${odd[0].shape[2]} pixels, but the first picture of ${folder} is ` +
        `${W}×${H}; ${odd.length} of ${entries.length} differ from it. Give data.size, to which all are cut and resized.`,
    )
  }
  return {
    tensor: { values, shape: [entries.length, C, H, W] },
    labels: entries[0].label === null ? null : Uint16Array.from(entries, ({ label }) => label!),
    remarks,
  }
}
