/** Fused composites of the native engine, and their expansions, against the reference: in this process's CPU target. */

import { afterAll, beforeAll, describe } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/node/select.js'
import { describeOn } from '../devices.js'
import { compositeParity } from './composites.js'

await describeOn(['native'], 'fused composites', (device) => compositeParity(device, 'fused'))

const expanded = { mlp_backward: 'expanded', mlp_forward: 'expanded', mlp_tangents: 'expanded', integrate: 'expanded' }

await describeOn(['native'], 'expanded composites', () => {
  describe('forced', () => {
    let device: Device
    beforeAll(async () => {
      device = await openDevice('native', { variants: expanded })
    })
    afterAll(() => device?.dispose())
    compositeParity(() => device, 'expanded')
  })
})
