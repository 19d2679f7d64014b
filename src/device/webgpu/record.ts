/** Recording launches: all that JavaScript does in a replay. */

/** One launch, ready to be recorded. */
export interface Recorded {
  readonly pipeline: GPUComputePipeline
  readonly bindGroup: GPUBindGroup
  readonly groups: readonly [number, number, number]
}

/** Records so many replays of a list of launches. */
export function record(pass: GPUComputePassEncoder, launches: readonly Recorded[], replays = 1): void {
  let current: GPUComputePipeline | undefined
  for (let replay = 0; replay < replays; replay++) {
    for (const { pipeline, bindGroup, groups } of launches) {
      if (pipeline !== current) pass.setPipeline(pipeline)
      current = pipeline
      pass.setBindGroup(0, bindGroup)
      // every argument is converted on its way into Dawn
      if (groups[1] === 1 && groups[2] === 1) pass.dispatchWorkgroups(groups[0])
      else pass.dispatchWorkgroups(groups[0], groups[1], groups[2])
    }
  }
}
