/**
 * Writes checkpoint after checkpoint until it is killed; run by the kill test in a process of its own. Every file of
 * checkpoint g is filled with g; «frozen» is written once for each four and carried over between. A line with g on
 * stdout says that its promise has resolved.
 */

import { type CheckpointContent, readManifest, writeCheckpoint } from '../../src/checkpoint/index.js'

const dir = process.argv[2]
const filled = (g: number, length: number): CheckpointContent => ({
  tensors: { values: { values: new Float32Array(length).fill(g), shape: [length] } },
})

const first = await readManifest(dir).then(
  ({ progress }) => progress.step + 1,
  () => 1,
)
for (let g = first; ; g++) {
  const fresh = g === 1 || g % 4 === 0
  const files: Record<string, CheckpointContent> = {
    'a.safetensors': filled(g, 60_000),
    'b.safetensors': filled(g, 30_000),
  }
  if (fresh) files['frozen.safetensors'] = filled(g, 10_000)
  await writeCheckpoint(dir, {
    files,
    keep: fresh ? [] : ['frozen.safetensors'],
    manifest: {
      packageVersion: '0.0.0',
      created: new Date().toISOString(),
      config: { raw: {}, resolved: {} },
      seed: 0,
      device: {},
      variants: {},
      progress: { subFlow: 1, step: g, phase: 'train' },
    },
  })
  process.stdout.write(`${g}\n`)
}
