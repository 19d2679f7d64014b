/** Prints the sources of the native engine's kernels, as native/kernels/kernels.inc lists them: for binding.gyp. */

import { readFileSync } from 'node:fs'

const list = readFileSync(new URL('../native/kernels/kernels.inc', import.meta.url), 'utf8')
for (const [, folder, name] of list.matchAll(/^KERNEL\((\w+), (\w+)\)$/gm)) console.log(`native/${folder}/${name}.cc`)
