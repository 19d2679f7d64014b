/**
 * What the page carries beside its program, as one list of bytes: a line of JSON, the length of each file by its path, and then
 * the files. The build packs and deflates it (scripts/build-page.ts), the page unpacks it.
 */

export type Files = ReadonlyMap<string, Uint8Array<ArrayBuffer>>

export function pack(files: Files): Uint8Array<ArrayBuffer> {
  const lengths = Object.fromEntries([...files].map(([path, { length }]) => [path, length]))
  const parts = [new TextEncoder().encode(`${JSON.stringify(lengths)}\n`), ...files.values()]
  const packed = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    packed.set(part, at)
    at += part.length
  }
  return packed
}

export function unpack(packed: Uint8Array<ArrayBuffer>): Files {
  let at = packed.indexOf(10) + 1
  const lengths = JSON.parse(new TextDecoder().decode(packed.subarray(0, at))) as Record<string, number>
  return new Map(
    Object.entries(lengths).map(([path, length]) => {
      at += length
      return [path, packed.slice(at - length, at)]
    }),
  )
}

/** The files of a folder, by their paths in it. */
export const folderOf = (files: Files, folder: string): Files =>
  new Map(
    [...files].flatMap(([path, bytes]) =>
      path.startsWith(`${folder}/`) ? [[path.slice(folder.length + 1), bytes]] : [],
    ),
  )

/** Unit of stored coordinates: a quarter of a pixel of the page. */
const UNIT = 2 ** -8

/**
 * Points that move little from list to list: the first list, then differences, as 16-bit numbers whose low bytes come before
 * all high ones, since the high ones are mostly alike. That deflates well.
 */
export function packStates(states: readonly Float32Array[]): Uint8Array<ArrayBuffer> {
  const [n, length] = [states.length, states[0].length]
  const packed = new Uint8Array(2 * n * length)
  const before = new Int32Array(length)
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < length; i++) {
      const rounded = Math.round(states[k][i] / UNIT)
      const difference = rounded - before[i]
      packed[k * length + i] = difference
      packed[n * length + k * length + i] = difference >> 8
      before[i] = rounded
    }
  }
  return packed
}

/** @param n how many lists there are */
export function unpackStates(packed: Uint8Array<ArrayBuffer>, n: number): Float32Array[] {
  const length = packed.length / 2 / n
  const sums = new Int16Array(length)
  return Array.from({ length: n }, (_, k) => {
    for (let i = 0; i < length; i++) sums[i] += packed[k * length + i] | (packed[(n + k) * length + i] << 8)
    return Float32Array.from(sums, (x) => x * UNIT)
  })
}
