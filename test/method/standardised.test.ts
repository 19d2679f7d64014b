/**
 * A model of standardised rows against the same parameters without a scaler: what comes out is the image μ + σy of what the
 * other gives, what goes in is (x − μ)/σ, and a likelihood loses Σ log σ.
 */

import { expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device } from '../../src/device/device.js'
import { networkFor } from '../../src/networks/registry.js'
import { LocalFlow, type Samples } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'

const raw = { model: { hidden: [12], activation: 'tanh' }, flow: { gammas: [0.3, null] }, ode: { steps: 4 }, seed: 5 }
/**
 * Far from the origin, and of spreads on both sides of one: Σ log σ = log 0.06 ≈ −2.81 and log 16 ≈ 2.77. 100 is 5000 standard
 * deviations of 0.02 from 0, where float32 is too coarse.
 */
const scalers = { narrow: { mean: [100, -3], std: [0.02, 3] }, wide: { mean: [-7, 40], std: [8, 2] } }
const sigmas = { narrow: Math.log(0.06), wide: Math.log(16) }

function flows(device: Device, name: keyof typeof scalers) {
  const options = resolveOptions(raw)
  const network = networkFor(options.model, [2])
  // weights that bend paths and stretch volumes
  const subFlows = [1, 2].map((stream) => ({
    parameters: network.initialise(8, stream).map((w) => 2 * w),
    outputScale: 1.1,
  }))
  const parts = { options, raw, rowShape: [2], rowKind: 'points' as const, subFlows }
  return {
    plain: new LocalFlow({ ...parts, scaler: null }, device),
    standardised: new LocalFlow({ ...parts, scaler: scalers[name] }, device),
  }
}

const n = 40
const y = { values: Float32Array.from({ length: 2 * n }, (_, i) => 1.5 * Math.sin(1.3 * i + 0.2)), shape: [n, 2] }

await describeOn(['reference', 'native'], 'a model of standardised rows', (device) => {
  for (const name of ['narrow', 'wide'] as const) {
    const { mean, std } = scalers[name]
    const Values = name === 'narrow' ? Float64Array : Float32Array
    const image = ({ values, shape }: Samples) => ({
      values: new Values(Array.from(values, (value, i) => mean[i % 2] + std[i % 2] * value)),
      shape,
    })
    const x = image(y)
    /** (x − μ)/σ of what was kept of x */
    const back = {
      values: Float32Array.from(x.values, (value, i) => (value - mean[i % 2]) / std[i % 2]),
      shape: [n, 2],
    }

    test(`${name}: samples, decoded rows and trajectories are the images of the plain model's`, async () => {
      const { plain, standardised } = flows(device(), name)
      expect(await standardised.sample(50, { seed: 2 })).toEqual(image(await plain.sample(50, { seed: 2 })))
      expect(await standardised.decode(y)).toEqual(image(await plain.decode(y)))
      const [theirs, ours] = [await standardised.trajectory(y), await plain.trajectory(y)]
      expect(theirs.states).toEqual(ours.states.map(image))
      await Promise.all([plain.dispose(), standardised.dispose()])
    })

    test(`${name}: rows are encoded as their standardised values are`, async () => {
      const { plain, standardised } = flows(device(), name)
      expect(await standardised.encode(x)).toEqual(await plain.encode(back))
      const solver = { steps: 32 }
      const there = await standardised.decode(await standardised.encode(x, { solver }), { solver })
      there.values.forEach((value, i) => {
        expect(Math.abs(value - x.values[i]) / std[i % 2]).toBeLessThan(1e-3)
      })
      await Promise.all([plain.dispose(), standardised.dispose()])
    })

    test(`${name}: a log-likelihood is that of the standardised row minus Σ log σ`, async () => {
      const { plain, standardised } = flows(device(), name)
      for (const trace of ['exact', 'hutchinson'] as const) {
        const [theirs, ours] = [await standardised.logProb(x, { trace }), await plain.logProb(back, { trace })]
        theirs.forEach((value, i) => {
          expect(value).toBeCloseTo(ours[i] - sigmas[name], 4)
        })
      }
      await Promise.all([plain.dispose(), standardised.dispose()])
    })
  }
})
