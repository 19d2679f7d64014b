/**
 * Parameters under the names that PyTorch code has for them: `net.0.weight` … of the paper's official code for an MLP, those of
 * guided-diffusion for a UNet, of pictures or of sequences. An output scale is multiplied into the last layer, since neither knows one.
 */

import { CheckpointError } from '../errors.js'
import type { NamedTensor, Network } from '../networks/network.js'
import type { Model } from '../networks/registry.js'

interface Names {
  /** of a name, or of those in a message */
  official(own: string): string
  own(official: string): string
  /** the layer whose output is the velocity, of the names of all */
  output(names: readonly string[]): string
}

const guidedDiffusion: Names = { official: (own) => own, own: (official) => official, output: () => 'out.2.' }

const names: Record<Model['kind'], Names> = {
  mlp: {
    official: (own) => own.replace(/\blayers\./g, 'net.'),
    own: (official) => official.replace(/^net\./, 'layers.'),
    output: (all) => all.at(-1)!.replace(/\.\w+$/, '.'),
  },
  unet: guidedDiffusion,
  unet1d: guidedDiffusion,
}

/** The state_dict of a stage's network. */
export function officialTensors(
  network: Network,
  kind: Model['kind'],
  { parameters, outputScale }: { readonly parameters: Float32Array; readonly outputScale: number },
): NamedTensor[] {
  const tensors = network.toTensors(parameters, '')
  const output = names[kind].output(tensors.map(({ name }) => name))
  return tensors.map(({ name, shape, values }) => ({
    name: names[kind].official(name),
    shape,
    values: outputScale !== 1 && name.startsWith(output) ? values.map((value) => outputScale * value) : values,
  }))
}

/** Flat parameters [P] of a state_dict. Throws CheckpointError where a name is missing or a shape does not fit. */
export function fromOfficial(network: Network, kind: Model['kind'], tensors: readonly NamedTensor[]): Float32Array {
  const own = tensors.map((tensor) => ({ ...tensor, name: names[kind].own(tensor.name) }))
  try {
    return network.fromTensors(new Map(own.map((tensor) => [tensor.name, tensor])), '')
  } catch (error) {
    throw error instanceof CheckpointError ? new CheckpointError(names[kind].official(error.message)) : error
  }
}
