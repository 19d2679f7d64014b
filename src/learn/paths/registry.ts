/** The paths there are: a new one is a file beside this and a row here. */

import { arc } from './arc.js'
import { linear } from './linear.js'
import type { Path } from './path.js'
import { trig } from './trig.js'

export const paths = { linear, trig, arc } as const satisfies Record<string, Path>

export type PathName = keyof typeof paths
export const pathNames = Object.keys(paths) as [PathName, ...PathName[]]
