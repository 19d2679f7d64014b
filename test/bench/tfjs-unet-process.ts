/**
 * The other side of peer-unets.test.ts: what tfjs's UNet computes on its CPU backend, as one line of JSON. A process of its
 * own, since only tsx loads the gradients of tfjs.
 */

import { createRequire } from 'node:module'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { unetOf } from '../../bench/peers/tfjs-unet.js'
import { learn, training } from '../../bench/peers/tfjs-works.js'
import { batch, type Computed, net, parameters, RATE } from './small-unet.js'

createRequire(import.meta.url)('@tensorflow/tfjs-core/dist/register_all_gradients.js')
await tf.setBackend('cpu')

const field = unetOf(tf, net, parameters())
const rows = batch.t.length
/** [B, C, H, W] to tfjs's [B, H, W, C]. */
const pictures = (values: Float32Array): tf.Tensor =>
  tf.transpose(tf.tensor(values, [rows, net.channels, net.height, net.breadth]), [0, 2, 3, 1])
const [x, target] = [pictures(batch.x), pictures(batch.target)]
const t = tf.tensor(batch.t, [rows, 1, 1, 1])

const velocity = [...tf.transpose(field.velocity(x, t, false), [0, 3, 1, 2]).dataSync()]
const state = training(tf, field, RATE)
const losses = [1, 2].map(() => learn(tf, field, state, { x, t, target }).dataSync()[0])
const computed: Computed = { velocity, losses }
process.stdout.write(JSON.stringify(computed))
