/**
 * npm run test:validated: the WebGPU device under Vulkan's validation layer, which has to have nothing to say. First with its
 * own checks of synchronisation (hazards between launches and copies), then with instrumented shaders (accesses out of
 * bounds, races in workgroup memory), which find two planted mistakes before they are trusted. The layer is the one that
 * Debian's chromium-common brings, which is downloaded once into build/validation; LFM_VALIDATION_LAYER names another folder with
 * a libVkLayer_khronos_validation.so.
 *
 *     node scripts/validated/run.mjs [--long] [--seconds N]     --long: all cases, some ten minutes
 *                                                               --seconds: for each kind of check, at most
 *                                                     [--only PART]     PART: of a case's name, such as 'as half'
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const folder = join(root, 'build', 'validation')
const library = 'libVkLayer_khronos_validation.so'
const log = join(folder, 'messages.log')
const length = process.argv.includes('--long') ? 'long' : 'short'
const seconds = process.argv.includes('--seconds') ? process.argv[process.argv.indexOf('--seconds') + 1] : 'Infinity'
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : ''

function fail(message) {
  console.error(`test:validated: ${message}`)
  process.exit(1)
}

function bringLayer() {
  mkdirSync(folder, { recursive: true })
  const given = process.env.LFM_VALIDATION_LAYER
  if (given) return copyFileSync(join(given, library), join(folder, library))
  if (existsSync(join(folder, library))) return
  const debs = join(folder, 'debs')
  mkdirSync(debs, { recursive: true })
  const run = (command, args) => execFileSync(command, args, { cwd: debs, stdio: 'pipe', encoding: 'utf8' })
  try {
    if (process.getuid?.() === 0) run('apt-get', ['update', '-qq'])
    run('apt-get', ['download', '-q', 'chromium-common'])
    const [deb] = readdirSync(debs).filter((name) => name.endsWith('.deb'))
    run('dpkg-deb', ['-x', deb, 'x'])
    copyFileSync(join(debs, 'x/usr/lib/chromium', library), join(folder, library))
  } catch (error) {
    fail(
      `the layer is not there: apt-get could not bring chromium-common (${error.message.split('\n')[0]}). ` +
        `LFM_VALIDATION_LAYER may name a folder with a ${library}.`,
    )
  }
  rmSync(debs, { recursive: true })
}

/** Kinds of checks, as the layer's settings name them; core checks are on in the first alone, since both together take minutes. */
const kinds = {
  synchronisation: { validate_sync: true, syncval_shader_accesses_heuristic: true },
  shaders: { validate_core: false, gpuav_enable: true },
}
/** What the layer says once it has checked what it was told to. */
const enabled = { synchronisation: '- Synchronization', shaders: '- GPU-AV' }

/** Runs a program of this folder under the layer; returns what it printed and the layer's messages. */
function under(kind, ...args) {
  rmSync(log, { force: true })
  const common = { debug_action: 'VK_DBG_LAYER_ACTION_LOG_MSG', report_flags: 'error,warn,info', log_filename: log }
  const settings = Object.entries({ ...common, ...kinds[kind] })
  const lines = settings.map(([name, value]) => `khronos_validation.${name} = ${value}\n`)
  writeFileSync(join(folder, 'vk_layer_settings.txt'), lines.join(''))
  const [script, ...rest] = args
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', join('scripts/validated', script), ...rest],
    {
      cwd: root,
      encoding: 'utf8',
      env: {
        ...process.env,
        VK_ADD_LAYER_PATH: folder,
        VK_LAYER_PATH: folder,
        VK_INSTANCE_LAYERS: 'VK_LAYER_KHRONOS_validation',
        VK_LAYER_SETTINGS_PATH: folder,
      },
    },
  )
  writeFileSync(join(folder, `${kind}.ran`), stderr)
  const messages = existsSync(log) ? readFileSync(log, 'utf8') : ''
  if (!messages.includes(enabled[kind])) {
    fail(`the layer did not check ${kind}: it says\n${messages.slice(0, 2000) || 'nothing'}\n${stderr.slice(-2000)}`)
  }
  // what it says about its own settings, and what it changes for itself, is not about us
  const complaints = messages
    .split(/\n(?=Validation (?:Error|Warning|Information|Performance))/)
    .filter(
      (message) =>
        /^Validation (Error|Warning)/.test(message) && !/VALIDATION-SETTINGS|Setting-Limit-Adjusted/.test(message),
    )
  return { status, stdout, stderr, complaints }
}

bringLayer()
writeFileSync(
  join(folder, 'VkLayer_khronos_validation.json'),
  JSON.stringify({
    file_format_version: '1.2.0',
    layer: {
      name: 'VK_LAYER_KHRONOS_validation',
      type: 'GLOBAL',
      library_path: `./${library}`,
      api_version: '1.4.300',
      implementation_version: '1',
      description: 'Khronos Validation Layer',
      instance_extensions: [
        { name: 'VK_EXT_debug_utils', spec_version: '1' },
        { name: 'VK_EXT_layer_settings', spec_version: '2' },
      ],
    },
  }),
)

const planted = { bounds: 'access out of bounds', race: 'data race was detected', nothing: null }
for (const [mistake, said] of Object.entries(planted)) {
  const { complaints, stderr } = under('shaders', 'planted.ts', mistake)
  const found = said === null ? complaints.length === 0 : complaints.some((message) => message.includes(said))
  if (!found) fail(`of a planted mistake (${mistake}) the layer said:\n${complaints.join('\n') || stderr || 'nothing'}`)
  console.log(`planted: ${mistake}: ${said ?? 'no message, as it should be'}`)
}
for (const kind of Object.keys(kinds)) {
  const began = Date.now()
  const { status, stdout, stderr, complaints } = under(kind, 'suite.ts', length, seconds, only)
  const said = stdout.trim().split('\n').slice(-2).join('; ')
  console.log(`${kind}: ${said}, ${complaints.length} messages, ${((Date.now() - began) / 1000).toFixed(0)} s`)
  for (const message of complaints.slice(0, 5)) console.log(message)
  if (status !== 0) fail(`the suite ended with ${status}:\n${stdout}\n${stderr.slice(-4000)}`)
  if (complaints.length > 0) fail(`the layer reports ${complaints.length} mistakes; all are in ${log}`)
}
