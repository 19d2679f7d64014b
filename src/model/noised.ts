/** What a network says of rows at a point of their paths to noise, block by block: x_t = A x₀ + B ε, and its output there. */

import type { Device, DeviceBuffer, Executable } from '../device/device.js'
import { adaptiveStage } from '../kernels/adaptive_stage.js'
import { seedWords } from '../kernels/draws.js'
import { normal } from '../kernels/normal.js'
import type { Network } from '../networks/network.js'
import { ProgramBuilder } from '../program/program.js'

/** Noise of its own, apart from that of samples and of training. */
const STREAM = 2 ** 22

/** Parameters of a stage on the device. */
export interface NoisedStage {
  readonly parameters: DeviceBuffer
  readonly offset: number
}

export class NoisedRows {
  private readonly buffers: DeviceBuffer[] = []
  private readonly executables: Executable[] = []
  private readonly start: DeviceBuffer
  private readonly time: DeviceBuffer
  private readonly spread: DeviceBuffer
  private readonly first: DeviceBuffer
  private readonly state: DeviceBuffer
  private readonly out: DeviceBuffer
  private readonly condition: DeviceBuffer | null

  private constructor(
    device: Device,
    private readonly field: Network,
    readonly rows: number,
  ) {
    const buffer = (length: number, dtype?: 'u32'): DeviceBuffer => {
      const made = device.createBuffer(length, dtype)
      this.buffers.push(made)
      return made
    }
    const size = rows * field.dimension
    ;[this.start, this.state, this.out] = [buffer(size), buffer(size), buffer(size)]
    this.condition = field.condition > 0 ? buffer(rows * field.condition) : null
    ;[this.time, this.spread, this.first] = [buffer(rows), buffer(rows), buffer(1, 'u32')]
  }

  /** @param rows of a block. A condition that the network takes is zeros until `tell` says another */
  static async open(
    device: Device,
    field: Network,
    stages: readonly NoisedStage[],
    { rows, seed }: { rows: number; seed: number },
  ): Promise<NoisedRows> {
    const noised = new NoisedRows(device, field, rows)
    try {
      for (const stage of stages) noised.executables.push(await device.compile(noised.program(stage, seed).build()))
    } catch (error) {
      noised.dispose()
      throw error
    }
    return noised
  }

  private program({ parameters, offset }: NoisedStage, seed: number): ProgramBuilder {
    const { rows, field } = this
    const D = field.dimension
    const builder = new ProgramBuilder()
    const noise = builder.temporary([rows, D])
    builder.add(normal, { first: builder.tensor(this.first), y: noise }, { ...seedWords(seed), stream: STREAM })
    const [x, t] = [builder.tensor(this.state, [rows, D]), builder.tensor(this.time, [rows])]
    builder.add(
      adaptiveStage,
      {
        y: builder.tensor(this.start, [rows, D]),
        stages: builder.view(noise, [1, rows * D]),
        t,
        h: builder.tensor(this.spread, [rows]),
        out: x,
        stage_time: builder.temporary([rows]),
      },
      { coefficients: [1], node: 0 },
    )
    field.addVelocity(
      builder,
      {
        parameters: builder.tensor(parameters, [field.parameterLength], offset),
        x,
        t,
        condition: this.condition ? builder.tensor(this.condition, [rows, field.condition]) : undefined,
        out: builder.tensor(this.out, [rows, D]),
      },
      1,
    )
    return builder
  }

  /** What the rows of the next blocks are told, [n, C] as the network takes it, at most `rows` of them. */
  tell(conditions: Float32Array): void {
    this.condition?.write(conditions)
  }

  /**
   * States and outputs of a block, at most `rows` of them.
   * @param start A x₀, [n, D]
   * @param number of the first noise
   */
  async at(
    stage: number,
    { time, noise }: { readonly time: number; readonly noise: number },
    start: Float32Array,
    number: number,
    signal?: AbortSignal,
  ): Promise<{ x: Float32Array; out: Float32Array }> {
    this.start.write(start)
    this.time.write(new Float32Array(this.rows).fill(time))
    this.spread.write(new Float32Array(this.rows).fill(noise))
    this.first.write(Uint32Array.of(number >>> 0))
    await this.executables[stage].run(1, { signal })
    const [x, out] = await Promise.all([this.state.read(0, start.length), this.out.read(0, start.length)])
    return { x: x as Float32Array, out: out as Float32Array }
  }

  dispose(): void {
    for (const executable of this.executables) executable.dispose()
    for (const buffer of this.buffers) buffer.dispose()
  }
}
