/**
 * Every config of examples/, exported: its chain, solver, clock and kind of network, narrower than it is so that the file is small.
 * `npm run exports` does it at full size (docs/export.md).
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, expect, it } from 'vitest'
import { drawnModel } from '../../bench/example-models.js'
import type { Model } from '../../src/networks/registry.js'
import { isAdaptive, overridden } from '../../src/ode/solver.js'
import { farthest, noise, rowLength } from './models.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-export-examples-'))
afterAll(() => rmSync(work, { recursive: true }))

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const narrow = (kind: Model['kind']): object =>
  kind === 'mlp' ? { hidden: [24, 16] } : { width: 8, depth: 1, groups: 4, headChannels: 8 }

it.each(readdirSync(examples).filter((file) => file.endsWith('.yaml')))('%s', async (file) => {
  await using flow = await drawnModel(join(examples, file), narrow)
  const { rowShape, settings, stages } = flow
  // pictures by few evaluations, and what finds its steps by a list of them
  const pictures = rowShape.length > 1
  const how = pictures
    ? ({ solver: 'midpoint', evaluations: 2 * stages.length } as const)
    : isAdaptive(settings.sample)
      ? ({ solver: 'rk4', steps: 4 } as const)
      : {}
  const out = join(work, file)
  await flow.export({ to: 'onnx', out, ...how })
  const n = pictures ? 1 : 40
  const shape = [n, ...rowShape]
  const z = noise(n * rowLength(rowShape))
  const session = await InferenceSession.create(join(out, 'sampler.onnx'))
  const { samples } = await session.run({ noise: new Tensor('float32', z, shape) }, ['samples'])
  await session.release()
  const { values } = await flow.decode({ values: z, shape }, { solver: overridden(settings.sample, how) })
  expect(samples.dims).toEqual(shape)
  expect(farthest(samples.data as Float32Array, Float32Array.from(values))).toBeLessThan(1e-4)
  expect(farthest(z, Float32Array.from(values))).toBeGreaterThan(1e-2)
  rmSync(out, { recursive: true })
})
