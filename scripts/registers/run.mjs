/**
 * npm run registers: what a GPU's compiler makes of the kernels that take the time, without a GPU: Mesa's radv compiles for a
 * card that RADV_FORCE_FAMILY names, and a Vulkan layer (layer.cc) writes down registers, spills, workgroup memory and subgroups
 * that fit beside one another. It is a second opinion: NVIDIA's compiler is another, but what one cannot keep in registers,
 * the other may not either.
 *
 *     node scripts/registers/run.mjs [--family navi31] [--check] [FILTER...]
 *
 * FILTER: a part of a work's name, such as products/rose. --check: nothing may be spilled, or kept in memory for want of
 * a register; where this machine cannot look (no x86-64, no radv, no Vulkan headers, no compiler) it says so and passes.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const folder = join(root, 'build', 'registers')
const statistics = join(folder, 'statistics.jsonl')
const library = 'liblfm_registers.so'
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { family: { type: 'string', default: 'navi31' }, check: { type: 'boolean', default: false } },
})

function cannot(why) {
  if (!values.check) {
    console.error(`registers: ${why}`)
    process.exit(1)
  }
  console.log(`\n*** SKIPPED: registers of kernels were not looked at: ${why} ***\n`)
  process.exit(0)
}

const drivers = ['radeon_icd.json', 'radeon_icd.x86_64.json'].map((name) => join('/usr/share/vulkan/icd.d', name))
const driver = drivers.find(existsSync)
if (!driver) cannot(`no radv is installed (${drivers.join(', ')}): Debian's mesa-vulkan-drivers has it`)

mkdirSync(folder, { recursive: true })
try {
  execFileSync(
    process.env.CXX ?? 'g++',
    ['-std=c++20', '-O1', '-shared', '-fPIC', '-o', join(folder, library), join(root, 'scripts/registers/layer.cc')],
    { stdio: 'pipe', encoding: 'utf8' },
  )
} catch (error) {
  cannot(
    `the layer does not compile; it needs a C++20 compiler and Debian's libvulkan-dev:\n${error.stderr ?? error.message}`,
  )
}
writeFileSync(
  join(folder, 'registers.json'),
  JSON.stringify({
    file_format_version: '1.2.0',
    layer: {
      name: 'VK_LAYER_LFM_registers',
      type: 'GLOBAL',
      library_path: `./${library}`,
      api_version: '1.3.0',
      implementation_version: '1',
      description: 'Statistics of compute pipelines, of a driver without a card',
    },
  }),
)
writeFileSync(statistics, '')

const { status, stdout, stderr } = spawnSync(
  process.execPath,
  ['--import', 'tsx', 'scripts/registers/list.ts', ...positionals],
  {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: {
      ...process.env,
      LFM_REGISTERS: statistics,
      RADV_FORCE_FAMILY: values.family,
      VK_ADD_LAYER_PATH: folder,
      VK_DRIVER_FILES: driver,
      VK_INSTANCE_LAYERS: 'VK_LAYER_LFM_registers',
      VK_LAYER_PATH: folder,
    },
  },
)
// of a card that is not there Mesa says several times that it has no address
const said = stderr.replace(/^ac_compute_device_uuid.*\n/gm, '').trim()
const found = stdout.split('\n').filter(Boolean).map(JSON.parse)
if (status !== 0 || found.length === 0 || said) {
  console.error(`registers: ended with ${status}, ${found.length} pipelines\n${said.slice(-4000)}`)
  process.exit(1)
}

const columns = {
  work: (one) => one.work,
  variant: (one) => one.variant,
  shader: (one) => one.shader,
  registers: (one) => one.VGPRs,
  // bytes of memory that a subgroup uses in place of registers
  'in memory': (one) => one['Scratch size'],
  spilled: (one) => one['Spilled VGPRs'] + one['Spilled SGPRs'],
  workgroup: (one) => one['LDS size'],
  subgroups: (one) => one['Subgroups per SIMD'],
  instructions: (one) => one.Instructions,
}
const table = [Object.keys(columns), ...found.map((one) => Object.values(columns).map((column) => String(column(one))))]
const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
for (const row of table) {
  console.log(
    row
      .map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}
const bad = found.filter((one) => columns['in memory'](one) > 0 || columns.spilled(one) > 0)
if (values.check && bad.length > 0) {
  console.error(`registers: ${bad.length} of ${found.length} pipelines do not keep in registers what they have to`)
  process.exit(1)
}
