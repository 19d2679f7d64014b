/** onnxruntime-node on its CPU provider, with as many threads as ours has: the forward pass only, it does not train. */

import { normals } from '../values.js'
import { onnxModel } from './onnx-model.js'
import type { Peer } from './peer.js'

export async function openOnnxRuntime(threads: number): Promise<Peer> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-node')
  return {
    name: 'onnxruntime',
    version: env.versions.node ?? env.versions.common ?? 'unknown',
    details: `CPU, ${threads} threads`,
    does: (work) => work.kind === 'forward' && work.net.kind === 'mlp',
    async open(work) {
      if (work.kind !== 'forward' || work.net.kind !== 'mlp') throw new Error(`onnxruntime does no ${work.kind}`)
      const { net, rows } = work
      const session = await InferenceSession.create(onnxModel(net), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionProviders: ['cpu'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      })
      const columns = net.dimension + 1
      const feeds = { xt: new Tensor('float32', normals(rows * columns), [rows, columns]) }
      return {
        async run(times) {
          for (let i = 0; i < times; i++) await session.run(feeds)
        },
        dispose: () => session.release(),
      }
    },
    close: async () => {},
  }
}
