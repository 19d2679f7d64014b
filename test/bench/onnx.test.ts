import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { layerWeight, onnxModel } from '../../bench/peers/onnx-model.js'
import { type MlpShape, specOf } from '../../bench/shapes.js'
import { normals } from '../../bench/values.js'
import { openReference } from '../../src/device/reference/device.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { ProgramBuilder } from '../../src/program/program.js'

/** The same network as the ONNX file has it, on the reference device. */
async function ours(net: MlpShape, xt: Float32Array, rows: number): Promise<Float32Array> {
  const device = openReference()
  const field = mlpNetwork(specOf(net))
  const widths = [net.dimension + 1, ...new Array<number>(net.layers).fill(net.width), net.dimension]
  const named = widths.slice(1).flatMap((outputs, i) => {
    const inputs = widths[i]
    return [
      { name: `layers.${i}.weight`, shape: [outputs, inputs], values: layerWeight(inputs, outputs) },
      { name: `layers.${i}.bias`, shape: [outputs], values: new Float32Array(outputs) },
    ]
  })
  const flat = field.fromTensors(new Map(named.map((tensor) => [tensor.name, tensor])), '')
  const columns = net.dimension + 1
  const x = new Float32Array(rows * net.dimension).map(
    (_, i) => xt[Math.floor(i / net.dimension) * columns + 1 + (i % net.dimension)],
  )
  const t = new Float32Array(rows).map((_, i) => xt[i * columns])
  const filled = (values: Float32Array) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    return buffer
  }
  const out = device.createBuffer(x.length)
  const builder = new ProgramBuilder()
  field.addVelocity(
    builder,
    {
      parameters: builder.tensor(filled(flat)),
      x: builder.tensor(filled(x), [rows, net.dimension]),
      t: builder.tensor(filled(t)),
      out: builder.tensor(out, [rows, net.dimension]),
    },
    1,
  )
  const executable = await device.compile(builder.build())
  await executable.run()
  const values = (await out.read()) as Float32Array
  await device.dispose()
  return values
}

describe('bench: the ONNX file of a network', () => {
  for (const activation of ['relu', 'elu', 'softplus', 'silu', 'tanh'] as const) {
    it(`computes what ours computes, ${activation}`, async () => {
      const net: MlpShape = {
        kind: 'mlp',
        name: 'small',
        batch: 1,
        dimension: 3,
        width: 20,
        layers: 2,
        activation,
        beta: activation === 'softplus' ? 20 : 1,
      }
      const rows = 17
      const xt = normals(rows * 4)
      const session = await InferenceSession.create(onnxModel(net))
      const { v } = await session.run({ xt: new Tensor('float32', xt, [rows, 4]) })
      const wanted = await ours(net, xt, rows)
      await session.release()
      expect(v.dims).toEqual([rows, 3])
      const got = v.data as Float32Array
      const worst = Math.max(...wanted.map((value, i) => Math.abs(value - got[i])))
      expect(worst).toBeLessThan(1e-5)
    })
  }
})
