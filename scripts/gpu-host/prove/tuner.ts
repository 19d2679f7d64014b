/** What the tuner has chosen on the first adapter of this machine: FILE. */

import { writeFileSync } from 'node:fs'
import { knownFindings } from '../../../src/device/webgpu/node/cache-file.js'
import { listAdapters } from '../../../src/device/webgpu/node/index.js'

const [file] = process.argv.slice(2)
const [adapter] = await listAdapters()
const { tuned, passed } = knownFindings(adapter)
// a key is a class and a hash of its candidates
const choices = Object.fromEntries(
  Object.entries(tuned).map(([key, choice]) => [key.replace(/ [0-9a-f]+$/, ''), choice]),
)
writeFileSync(file, `${JSON.stringify({ adapter: adapter.name, driver: adapter.driver, choices }, null, 1)}\n`)
process.stdout.write(`${Object.keys(choices).length} choices, ${Object.keys(passed).length} programs proved\n`)
