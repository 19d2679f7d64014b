/**
 * Every call that changes a file fails once, in turn, through a whole training, an evaluation, a sampling; or all from there on
 * fail; or the process is killed before it. Whatever happens, the folder holds a checkpoint that loads or none, the message
 * says what was kept, and going on ends in the bits of a run that nothing happened to.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { engine, workFolder } from '../cli/lfm.js'
import { expectSurvived, tinyConfig } from './failing.js'
import { long, patience } from './forms.js'

const layer = new URL('./failing.mjs', import.meta.url).href
const cwd = workFolder()
const folderOf = (name: string): string => {
  const own = join(cwd, name)
  mkdirSync(own)
  writeFileSync(join(own, 'a.yaml'), tinyConfig(engine))
  return own
}

describe.each(long ? ['ENOSPC', 'EIO', 'EMFILE', 'rest', 'short'] : ['ENOSPC', 'rest'])(
  'a call that changes a file: %s',
  (how) => {
    // all commands in one process, which must be able to go on after each
    it.each([
      ['train', 3] as const,
      ['evaluate', 1] as const,
      ['sample', 1] as const,
      ...(long || how === 'ENOSPC' ? [['sub-flow', 1] as const, ['join', 2] as const, ['npy', 1] as const] : []),
    ])(
      '%s: nothing is lost, and the process goes on',
      async (what, few) => {
        const own = folderOf(`${how}-${what}`)
        const message = '^(?:.*)(no space is left|the disk failed|too many files are open)'
        const env = { LFM_FAIL_UNDER: `${own}/`, LFM_FAIL_MESSAGE: message, LFM_THREADS: '1' }
        await expectSurvived({ what, how, few, cwd: own, node: ['--import', layer], env })
      },
      patience(120_000),
    )
  },
)

describe('a process that is killed before a call that changes a file', () => {
  it.each([
    ['train', 2] as const,
    ['join', 1] as const,
    ['evaluate', 1] as const,
    ['sample', 1] as const,
    ...(long ? [['npy', 1] as const] : []),
  ])(
    '%s: nothing is lost, and it goes on to the same bits',
    async (what, few) => {
      const own = folderOf(`kill-${what}`)
      await expectSurvived({ what, how: 'kill', few, cwd: own, env: { LFM_THREADS: '1' } })
    },
    patience(120_000),
  )
})
