/**
 * Findings in a file, one for each adapter and driver: $XDG_CACHE_HOME/local-flow-matching/webgpu-{hash}.json, or under
 * ~/.cache; on Windows under %LOCALAPPDATA%. The file is written at once under another name and renamed, so that a reader never sees half of it; one that
 * is damaged, or that cannot be written, costs a line and the time to find out anew.
 */

import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { makeFolder } from '../../../files/folders.js'
import type { AdapterInfo } from '../adapter-info.js'
import type { FindingKind, Findings } from '../findings.js'

/** Entries of one kind that a file keeps: the newest. */
const MOST_ENTRIES = 2000

const table = z.record(z.string(), z.string())
const schema = z.object({
  format: z.literal(1),
  adapter: z.string(),
  driver: z.string(),
  passed: table,
  tuned: table,
})
type Content = z.output<typeof schema>

export function cacheFolder(platform: string = process.platform, env: NodeJS.ProcessEnv = process.env): string {
  const usual = platform === 'win32' ? env.LOCALAPPDATA : undefined
  return join(env.XDG_CACHE_HOME || usual || join(homedir(), '.cache'), 'local-flow-matching')
}

type Adapter = Pick<AdapterInfo, 'name' | 'driver'>

const pathOf = ({ name, driver }: Adapter, folder: string): string =>
  join(folder, `webgpu-${createHash('sha256').update(`${name}\n${driver}`).digest('hex').slice(0, 16)}.json`)

/** All that the file of an adapter says, for people who want to read it; throws where there is none. */
export const knownFindings = (adapter: Adapter, folder = cacheFolder()): Readonly<Content> =>
  schema.parse(JSON.parse(readFileSync(pathOf(adapter, folder), 'utf8')))

export function fileFindings(adapter: Adapter, warn: (message: string) => void, folder = cacheFolder()): Findings {
  const { name, driver } = adapter
  const path = pathOf(adapter, folder)
  let warned = false
  const once = (message: string): void => {
    if (!warned) warn(message)
    warned = true
  }
  const empty: Content = { format: 1, adapter: name, driver, passed: {}, tuned: {} }
  const read = (): Content => {
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch {
      return empty
    }
    try {
      return schema.parse(JSON.parse(text))
    } catch {
      once(`${path} is damaged and is written anew.`)
      return empty
    }
  }
  let content = read()
  return {
    get: (kind, key) => content[kind][key],
    set(kind, entries) {
      // what another process found out meanwhile stays
      content = merged(merged(read(), 'passed', content.passed), 'tuned', content.tuned)
      content = merged(content, kind, entries)
      const temporary = `${path}.${process.pid}`
      try {
        makeFolder(folder)
        writeFileSync(temporary, `${JSON.stringify(content, null, 1)}\n`)
        renameSync(temporary, path)
      } catch (error) {
        try {
          rmSync(temporary, { force: true })
        } catch {
          // the folder itself is none
        }
        once(`${path} cannot be written (${(error as Error).message}), so it is found out anew each time.`)
      }
    },
  }
}

function merged(content: Content, kind: FindingKind, entries: Readonly<Record<string, string>>): Content {
  const all = Object.entries({ ...content[kind], ...entries })
  return { ...content, [kind]: Object.fromEntries(all.slice(-MOST_ENTRIES)) }
}
