/** The UNet that engines and the bench's peers are held against the reference with. */

import type { UnetSpec } from '../src/networks/unet/spec.js'

/** Two levels with attention on the lower one, and groups of two channels. */
export const smallUnet: UnetSpec = {
  kind: 'unet',
  channels: 2,
  height: 8,
  breadth: 8,
  condition: 0,
  width: 8,
  multipliers: [1, 2],
  depth: 1,
  attention: [4],
  headChannels: 8,
  groups: 4,
  dropout: 0,
  scaleShift: false,
  residualResampling: false,
}
