/**
 * The packages whose code is native and that pictures alone need: sharp reads and writes them, resvg draws figures. npm
 * installs their part for the platform as an optional dependency, so that it is missing after `--omit=optional`, in
 * node_modules that were copied from another platform, and where there is none for it.
 */

import { MissingPartError } from '../errors.js'

const tasks = { sharp: 'reads and writes pictures', '@resvg/resvg-js': 'draws figures' } as const
type Name = keyof typeof tasks

function missing(name: Name, cause: unknown): MissingPartError {
  const reason = (cause as Error).message.split('\n').find((line) => line.trim() !== '') ?? 'no reason was given'
  return new MissingPartError(
    `The package ${name}, which ${tasks[name]}, cannot be loaded for ${process.platform}-${process.arch} ` +
      `(${reason.trim().replace(/[:.]$/, '')}). npm install --include=optional ${name} brings it.`,
  )
}

/** Throws MissingPartError where it cannot be loaded. */
export async function loadSharp(): Promise<typeof import('sharp')['default']> {
  return (
    await import('sharp').catch((cause) => {
      throw missing('sharp', cause)
    })
  ).default
}

/** Throws MissingPartError where it cannot be loaded. */
export function loadResvg(): Promise<typeof import('@resvg/resvg-js')> {
  return import('@resvg/resvg-js').catch((cause) => {
    throw missing('@resvg/resvg-js', cause)
  })
}

/** Why no figure can be drawn on this machine; null where all that it takes is there. */
export async function missingForFigures(): Promise<MissingPartError | null> {
  try {
    await loadResvg()
    await loadSharp()
    return null
  } catch (error) {
    if (error instanceof MissingPartError) return error
    throw error
  }
}
