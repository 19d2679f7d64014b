/**
 * TensorFlow.js on its CPU, WebAssembly and WebGPU backends (the last on Dawn, as ours), which does what tfjs-works.ts
 * says. Its WebGPU backend runs with the toggles of our device. Nothing is read back but the loss of every READ_BACK-th
 * training step, as with ours, and one number at the end of a run.
 */

import { createRequire } from 'node:module'
import type * as Core from '@tensorflow/tfjs-core'
import { toggleOptions, toggleSets } from '../../src/device/webgpu/toggles.js'
import type { Work } from '../cases.js'
import type { Runner } from '../measure.js'
import { isPlain3x3 } from '../picture-works.js'
import { MissingPeer, type Peer } from './peer.js'
import type { Tf } from './tfjs-field.js'
import { kernelsDone, type Opened, openWork } from './tfjs-works.js'

export type Backend = 'cpu' | 'wasm' | 'webgpu'

const require = createRequire(import.meta.url)

/** Its WebAssembly has no gradient of a convolution's filter. */
const withoutFilterGradient = (backend: Backend): boolean => backend === 'wasm'

function does(backend: Backend, work: Work): boolean {
  if (work.kind === 'kernel') {
    if (!kernelsDone.includes(work.kernel)) return false
    if (work.kernel === 'conv2d_backward_weight' && withoutFilterGradient(backend)) return false
    return !work.kernel.startsWith('conv2d') || isPlain3x3(work)
  }
  if (work.net.kind === 'mlp') return work.kind === 'step' || work.kind === 'rk4'
  return work.kind !== 'step' || !withoutFilterGradient(backend)
}

export async function openTfjs(backend: Backend, fast = false): Promise<Peer> {
  const tf = await import('@tensorflow/tfjs-core')
  tf.enableProdMode()
  const details = await register(backend, fast)
  if (!(await tf.setBackend(backend).catch(() => false))) {
    throw new MissingPeer(`tfjs could not start its ${backend} backend on this machine.`)
  }
  return {
    name: `tfjs-${backend}`,
    version: tf.version_core,
    details,
    does: (work) => does(backend, work),
    async open(work) {
      // tfjs's file for Node leaves the gradients out; they enter a table that all copies of tfjs share. Their files are
      // modules without extensions in a package that says it has none, which only tsx's require takes
      if (work.kind === 'step') require('@tensorflow/tfjs-core/dist/register_all_gradients.js')
      await tf.setBackend(backend)
      return runner(tf, backend, openWork(tf, work))
    },
    async close() {
      tf.removeBackend(backend)
    },
  }
}

/** Loads the backend's package; returns what it runs on. */
async function register(backend: Backend, fast: boolean): Promise<string> {
  switch (backend) {
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu')
      return 'plain JavaScript, one thread'
    case 'wasm':
      await import('@tensorflow/tfjs-backend-wasm')
      // its threads need a browser's workers: in Node the package itself switches them off
      return 'WebAssembly with SIMD, one thread'
    case 'webgpu': {
      const { create, globals } = await import('webgpu')
      Object.assign(globalThis, globals)
      const gpu = create(toggleOptions(toggleSets[fast ? 'fast' : 'safe']))
      const adapter = await gpu.requestAdapter()
      if (!adapter) throw new MissingPeer('there is no WebGPU adapter.')
      // the backend looks for the browser's global
      Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true })
      await import('@tensorflow/tfjs-backend-webgpu')
      return adapter.info.description || adapter.info.vendor
    }
  }
}

function runner(
  tf: Tf,
  backend: Backend,
  { once, tensors, optimizer: own, readBack = Number.POSITIVE_INFINITY }: Opened,
): Runner {
  return {
    async run(times) {
      await tf.setBackend(backend)
      let last: Core.Tensor | undefined
      for (let i = 0; i < times; i++) {
        last?.dispose()
        last = tf.tidy(once)
        if ((i + 1) % readBack === 0) await last.data()
      }
      // one element: enough to wait for the queue, and nothing to copy
      const element = tf.tidy(() => tf.slice(tf.reshape(last!, [-1]), 0, 1))
      const [value] = await element.data()
      tf.dispose([element, last!])
      // a kernel that its WebGPU backend could not run shows in the numbers only
      if (!Number.isFinite(value)) throw new Error(`tfjs-${backend} computed ${value}: what it did cannot be compared.`)
    },
    dispose() {
      tf.dispose([...tensors])
      own?.dispose()
    },
  }
}
