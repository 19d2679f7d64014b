/**
 * Every variant, every kernel and the MLP's composites against the reference, at shapes with edges: FILE, to which a line of
 * JSON is appended for each case as it is done, and a size: full or small.
 */

import { appendFileSync, writeFileSync } from 'node:fs'
import { openWebgpu } from '../../../src/device/webgpu/node/index.js'
import { parityRuns } from '../../../test/parity/runs.js'

const [file, size] = process.argv.slice(2)
writeFileSync(file, '')
let [right, wrong] = [0, 0]
const open = (variants: Readonly<Record<string, string>>) => openWebgpu({ variants, autotune: 'off' })
for await (const result of parityRuns(open, size === 'small' ? 'few' : 'all')) {
  appendFileSync(file, `${JSON.stringify(result)}\n`)
  if (result.complaints.length === 0) right++
  else wrong++
  for (const complaint of result.complaints) process.stdout.write(`${result.what}: ${complaint}\n`)
}
process.stdout.write(`${right} right, ${wrong} wrong\n`)
process.exitCode = wrong > 0 || right === 0 ? 1 : 0
