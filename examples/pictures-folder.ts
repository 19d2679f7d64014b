/**
 * A folder of pictures: read, learnt by a small UNet, and new ones drawn as PNG files.
 *
 *     npx tsx pictures-folder.ts photos/
 *
 * Without a folder it draws one of discs. STEPS=3 trains for a moment only.
 */

import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { data, LocalFlow, metrics } from 'local-flow-matching'
import sharp from 'sharp'

const steps = Number(process.env.STEPS ?? 300)
const side = 16
const folder = await mkdtemp(join(tmpdir(), 'pictures-'))
const source = process.argv[2] ?? (await discs(200))

// cut to the middle, made smaller, grey; folders inside the folder would be classes
const { tensor, remarks = [] } = await data.readImageFolder(source, { size: side, channels: 'grey' })
for (const remark of remarks) console.log(remark)
console.log(`${tensor.shape[0]} pictures [${tensor.shape.slice(1).join(', ')}]`)

const flow = await LocalFlow.train(tensor, {
  model: { kind: 'unet', width: 16, multipliers: [1, 2], attention: [], headChannels: 8, groups: 8 },
  flow: { gammas: [0.3, null] },
  train: { batch: 32, steps },
  ode: { steps: 4 },
  seed: 1,
  onProgress: (progress) => {
    if (progress.phase === 'train' && progress.step === progress.steps) {
      console.log(`sub-flow ${progress.subFlow} of ${progress.subFlows}: loss ${progress.loss.toFixed(4)}`)
    }
  },
})

// values in [−1, 1] as bytes
const pictures = metrics.quantise(await flow.sample(16, { seed: 3 }))
await flow.dispose()
const drawn = join(folder, 'samples')
await mkdir(drawn)
for (let i = 0; i < 16; i++) {
  const pixels = pictures.values.subarray(i * side * side, (i + 1) * side * side)
  await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
    .png()
    .toFile(join(drawn, `${i}.png`))
}
console.log(`16 samples are in ${drawn}`)

/** Discs of random place, size and grey. */
async function discs(count: number): Promise<string> {
  const at = join(folder, 'discs')
  await mkdir(at)
  for (let i = 0; i < count; i++) {
    const part = (k: number): number => Math.abs(Math.sin(12.9898 * (i + 1) * k)) // any numbers from 0 to 1 do
    const [x, y, r] = [8 + 16 * part(1), 8 + 16 * part(2), 3 + 5 * part(3)]
    const svg = `<svg width="32" height="32"><rect width="32" height="32" fill="white"/><circle cx="${x}" cy="${y}" r="${r}" fill="rgb(${[1, 1, 1].map(() => Math.round(140 * part(4))).join()})"/></svg>`
    await sharp(Buffer.from(svg))
      .png()
      .toFile(join(at, `${i}.png`))
  }
  return at
}
