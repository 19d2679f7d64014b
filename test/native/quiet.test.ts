/** What a library writes to stderr while it is asked for something is kept back; the rest of it comes through afterwards. */

import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { describeOn } from '../devices.js'

/** Runs a program that imports `quietly`; what it wrote to stderr. */
function stderrOf(program: string): string {
  const code = `import { writeSync } from 'node:fs'
import { quietly } from ${JSON.stringify(String(new URL('../../src/device/node/quiet.ts', import.meta.url)))}
${program}`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const { stderr, stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'done\n' })
  return stderr
}

await describeOn(['native'], 'stderr', () => {
  test('Dawn’s own lines are left out, other text follows, and stderr is as before', () => {
    const program = `const value = quietly(() => {
  writeSync(2, 'Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit.\\n')
  writeSync(2, 'a driver says something\\n')
  return 7
})
writeSync(2, 'after ' + value)
console.log('done')`
    expect(stderrOf(program)).toBe('a driver says something\nafter 7')
  })

  test('an error goes through, and stderr is given back', () => {
    const program = `try {
  quietly(() => { writeSync(2, 'Warning: vkCreateInstance: Found no drivers!\\n'); throw new Error('none') })
} catch (error) {
  writeSync(2, error.message)
}
console.log('done')`
    expect(stderrOf(program)).toBe('none')
  })
})
