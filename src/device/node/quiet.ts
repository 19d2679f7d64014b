/**
 * Dawn writes to stderr what is for its own developers: of limits that it lowers, and with places in its sources where there is
 * no Vulkan driver. The native addon keeps stderr for the moment; without it these lines are seen.
 */

import type { Quietly } from '../webgpu/node/adapter.js'
import { addonIfThere } from './addon.js'

/** What says nothing to who uses a library: its remedy, where there is one, is in the error that follows. */
const dawnsOwn = [
  /^Warning: \w+ artificially reduced from /,
  /^Warning: vkCreateInstance/,
  /^ +at \w+ \(.*\.cpp:\d+\)$/,
  /^$/,
]

const withoutDawnsOwn = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !dawnsOwn.some((pattern) => pattern.test(line)))
    .map((line) => `${line}\n`)
    .join('')

/** Does some work at once, without Dawn's own lines on stderr; what else is written there meanwhile comes after it. */
export const quietly: Quietly = (work) => {
  const addon = addonIfThere()
  if (!addon) return work()
  let result: { value: ReturnType<typeof work> } | { error: unknown } | undefined
  const once = (): void => {
    try {
      result = { value: work() }
    } catch (error) {
      result = { error }
    }
  }
  try {
    const rest = withoutDawnsOwn(addon.quietly(once).printed)
    if (rest) process.stderr.write(rest)
  } catch (error) {
    // there was no memory for what was printed: what the work came to is kept, a promise is somebody's to await
    if (!result) throw error
  }
  if (!result) return work()
  if ('error' in result) throw result.error
  return result.value
}
