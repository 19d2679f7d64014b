/** CMake's side of a build on systems that the suites do not run on: what is configured for them, without their compilers. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'lfm-systems-'))
const cmake = spawnSync('cmake', ['--version']).status === 0
if (!cmake)
  process.stderr.write('\n*** NOT TESTED: what CMake configures for macOS and Windows, since there is no CMake\n')
afterAll(() => rmSync(work, { recursive: true, force: true }))

describe.skipIf(!cmake)('CMakeLists.txt', { timeout: 120_000 }, () => {
  it.each([
    ['Darwin', 'arm64', ['neon'], true],
    ['Darwin', 'x86_64', ['avx512', 'avx2', 'baseline'], true],
    ['Windows', 'AMD64', ['avx512', 'avx2', 'baseline'], false],
    ['Windows', 'ARM64', ['neon'], false],
  ])('is configured for %s on %s, with the parts of its instruction sets', (system, processor, targets, apple) => {
    const folder = join(work, `${system}-${processor}`)
    const toolchain = `${folder}.cmake`
    writeFileSync(
      toolchain,
      `set(CMAKE_SYSTEM_NAME ${system})
set(CMAKE_SYSTEM_PROCESSOR ${processor})
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CXX_COMPILER_WORKS 1)
# of the other system, which this one does not have
set(CMAKE_HAVE_LIBC_PTHREAD 1)
`,
    )
    const given = [`-DCMAKE_TOOLCHAIN_FILE=${toolchain}`, `-DCMAKE_JS_INC=${work}`, `-DLFM_NODE_API_INCLUDES=${work}`]
    const { status, stderr } = spawnSync('cmake', ['-G', 'Unix Makefiles', '-S', root, '-B', folder, ...given], {
      encoding: 'utf8',
    })
    expect(status, stderr).toBe(0)
    const link = readFileSync(join(folder, 'CMakeFiles/lfm.dir/link.txt'), 'utf8')
    const made = readFileSync(join(folder, 'CMakeFiles/lfm.dir/build.make'), 'utf8')
    const parts = ['neon', 'avx512', 'avx2', 'baseline'].filter((target) => made.includes(`lfm_${target}.`))
    expect(parts).toEqual(targets)
    // where scripts/build-addon.mjs looks for it: Windows' libraries are programs to CMake, which have another folder
    expect(made).toMatch(/^Release\/lfm\.node:/m)
    expect(link.includes('-undefined dynamic_lookup')).toBe(apple)
  })
})
