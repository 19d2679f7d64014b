/** Opens the peers that were asked for and that have something to do; one that is missing is a line, not an end. */

import type { Case } from '../cases.js'
import type { PeerName } from '../options.js'
import { MissingPeer, type Peer } from './peer.js'
import type { PyTorchForm } from './pytorch.js'

export interface PeerSettings {
  readonly threads: number
  /** WebGPU without Dawn's checks, as ours */
  readonly fast: boolean
}

type Open = (settings: PeerSettings) => Promise<Peer>

const pytorch =
  (form: PyTorchForm): Open =>
  async ({ threads }) =>
    (await import('./pytorch.js')).openPyTorch(threads, form)

/** Each is loaded when it is opened, so that a package that is not there is a missing peer. */
const openers: Readonly<Record<PeerName, Open>> = {
  'tfjs-cpu': async () => (await import('./tfjs.js')).openTfjs('cpu'),
  'tfjs-wasm': async () => (await import('./tfjs.js')).openTfjs('wasm'),
  'tfjs-webgpu': async ({ fast }) => (await import('./tfjs.js')).openTfjs('webgpu', fast),
  onnxruntime: async ({ threads }) => (await import('./onnxruntime.js')).openOnnxRuntime(threads),
  pytorch: pytorch('pytorch'),
  'pytorch-compile': pytorch('pytorch-compile'),
  'pytorch-cuda': pytorch('pytorch-cuda'),
  'pytorch-cuda-tf32': pytorch('pytorch-cuda-tf32'),
  'pytorch-cuda-bf16': pytorch('pytorch-cuda-bf16'),
  'pytorch-cuda-compile': pytorch('pytorch-cuda-compile'),
  'pytorch-cuda-compile-tf32': pytorch('pytorch-cuda-compile-tf32'),
  'one-thread': async () => (await import('./one-thread.js')).openOneThread(),
}

export async function openPeers(
  names: readonly PeerName[],
  selected: readonly Case[],
  settings: PeerSettings,
  note: (message: string) => void,
): Promise<Peer[]> {
  const peers: Peer[] = []
  for (const name of names) {
    try {
      const peer = await openers[name](settings)
      if (selected.some((c) => peer.does(c.work(c.rows ?? 0)))) peers.push(peer)
      else await peer.close()
    } catch (error) {
      const absent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
      if (!absent && !(error instanceof MissingPeer)) throw error
      note(`${name} is left out: ${(error as Error).message.split('\n')[0]}`)
    }
  }
  return peers
}
