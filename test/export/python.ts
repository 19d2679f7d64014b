/** A Python that has a package, for checks by other people's programs; where there is none a line says what is skipped. */

import { spawnSync } from 'node:child_process'

/** An environment's python3 often hides the system's, which may be the one that has the package. */
const pythons = process.env.LFM_PYTHON ? [process.env.LFM_PYTHON] : ['python3', '/usr/bin/python3']

/** @param what is skipped without it */
export function pythonWith(pack: string, debian: string, what: string): string | null {
  const found = pythons.find((python) => spawnSync(python, ['-c', `import ${pack}`]).status === 0)
  if (!found) process.stderr.write(`\n*** SKIPPED: ${what}: no Python here has ${pack} (Debian: ${debian})\n`)
  return found ?? null
}

/** What a program prints, as JSON. */
export function askPython(python: string, program: string, args: readonly string[], cwd?: string) {
  const { stdout, stderr, status } = spawnSync(python, ['-c', program, ...args], { encoding: 'utf8', cwd })
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}
