/** What the adapters of this machine are and can do: FILE; fails where there is none. */

import { writeFileSync } from 'node:fs'
import { listAdapters, openWebgpu } from '../../../src/device/webgpu/node/index.js'

const [file] = process.argv.slice(2)
const found = []
for (const { name } of await listAdapters()) {
  const device = await openWebgpu({ adapter: name, autotune: 'off' })
  found.push(device.info)
  await device.dispose()
}
writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`)
const [first] = found
if (!first) throw new Error('Dawn found no adapter; run.sh devices says what is missing.')
const { driver, matrixUnits, lacks } = first.details
process.stdout.write(
  `${first.name} (${first.type}), ${driver}, matrix units: ${matrixUnits}, lacks: ${JSON.stringify(lacks)}\n`,
)
