/** Whether a run folder holds a training that has ended, and what others read of it. */

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { manifestName, type RunManifest, readManifest } from '../../checkpoint/index.js'
import { reportName } from '../report.js'

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** Where a training stands: its report is the last that it writes. Throws CheckpointError for a folder that is damaged. */
export async function standingOf(run: string): Promise<'not begun' | 'begun' | 'ended'> {
  if (!(await isThere(join(run, manifestName)))) return 'not begun'
  const { progress } = await readManifest(run)
  return progress.phase === 'done' && (await isThere(join(run, reportName))) ? 'ended' : 'begun'
}

/** The files that hold the parameters of a run: their names are new for each content. */
export const parameterFiles = (run: string, { files }: Pick<RunManifest, 'files'>): string[] =>
  files.filter(({ name }) => name.startsWith('subflow-')).map(({ file }) => join(run, file))
