/** The UNets of the bench's peers are the library's function: the same weights give the same velocities and losses. */

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Conversation } from '../../bench/peers/conversation.js'
import { MissingPeer } from '../../bench/peers/peer.js'
import { startPyTorch } from '../../bench/peers/pytorch.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { batch, type Computed, distance, net, ours, parameters, RATE } from './small-unet.js'

const wanted = await ours()

function expectSame({ velocity, losses }: Computed): void {
  expect(velocity).toHaveLength(wanted.velocity.length)
  expect(distance(velocity, wanted.velocity)).toBeLessThan(2e-5)
  expect(losses).toHaveLength(2)
  // the first update of Adam is the gradient's sign, which float32 may turn where it is next to nothing
  expect(distance(losses, wanted.losses)).toBeLessThan(2e-4)
}

describe('bench: UNets of peers', () => {
  it('have something to show: a step changes the loss by far more than the peers may differ', () => {
    const [before, after] = wanted.losses
    expect(Math.abs(before - after)).toBeGreaterThan(0.02)
    expect(Math.max(...wanted.velocity.map(Math.abs))).toBeGreaterThan(0.5)
  })

  it('tfjs computes what ours computes', () => {
    const script = fileURLToPath(new URL('tfjs-unet-process.ts', import.meta.url))
    const output = execFileSync(process.execPath, ['--import', 'tsx', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    expectSame(JSON.parse(output) as Computed)
  })

  it('PyTorch computes what ours computes, in both of its layouts', async ({ skip }) => {
    let conversation: Conversation
    try {
      conversation = (await startPyTorch(1)).conversation
    } catch (error) {
      if (!(error instanceof MissingPeer)) throw error
      process.stderr.write(`\n*** NOT TESTED: the UNet in PyTorch, since ${error.message}\n`)
      return skip()
    }
    try {
      const given = unetNetwork(net).toTensors(parameters(), '')
      const answer = (await conversation.ask({
        check: {
          net: { spec: net },
          parameters: given.map(({ name, shape, values }) => ({ name, shape, values: [...values] })),
          x: [...batch.x],
          t: [...batch.t],
          target: [...batch.target],
          rate: RATE,
        },
      })) as Readonly<Record<string, Computed>>
      expect(Object.keys(answer)).toEqual(['contiguous', 'channels_last'])
      for (const computed of Object.values(answer)) expectSame(computed)
    } finally {
      conversation.end()
    }
  })
})
