/**
 * The demo: trains examples/demo.yaml, evaluates it, and ends with the path of the report. Arguments go to `lfm train`, so
 * `npm run demo -- --set train.steps=20` is a quick look.
 */

import { spawnSync } from 'node:child_process'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const run = join(root, 'runs', 'demo')
const lfm = (...args) => {
  const { status } = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const shown = relative(process.cwd(), run)
lfm(
  'train',
  relative(process.cwd(), join(root, 'examples', 'demo.yaml')),
  '--out',
  shown,
  '--force',
  ...process.argv.slice(2),
)
lfm('evaluate', shown)
console.log(`\nOpen the report in a browser: ${resolve(run, 'report.html')}`)
