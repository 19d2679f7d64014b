/** The command line of the bench. */

import { parseArgs } from 'node:util'
import type { DeviceKind } from '../src/device/device.js'
import { LocalFlowError } from '../src/errors.js'

export const help = `npm run bench -- [options]

Times training steps, integration, single evaluations, likelihoods, matrix products and single kernels on each device
present, beside other libraries.

  --filter NAME     only cases that NAME is a part of: step, rose, step/rose, kernels/mat_mul; may be repeated
  --device KIND     native, webgpu or reference; may be repeated (default: native and webgpu, where they are)
  --peer NAME       tfjs-cpu, tfjs-wasm, tfjs-webgpu, onnxruntime (default: these), or in addition to them pytorch and
                    one-thread (the native device with a single one); none leaves the default out; may be repeated: none
                    with others measures those alone. PyTorch has other forms: pytorch-compile by torch.compile;
                    pytorch-cuda, pytorch-cuda-tf32, pytorch-cuda-bf16, pytorch-cuda-compile and
                    pytorch-cuda-compile-tf32 on a CUDA device
  --profile         prints where one repetition goes, kernel by kernel, where the device can time its launches
  --safe            WebGPU with all of Dawn's checks, ours and tfjs's; without it both run without them
  --variant K=V     takes variant V of kernel or composite K, as in integrate=fused; may be repeated
  --quick           fewer and shorter rounds, smaller batches for slow sides: minutes become seconds
  --json FILE       writes the result
  --compare FILE    says what became faster or slower since an earlier result
  --picture FILE    draws the table as a bar chart, .png or .svg
  --list            prints the names of all cases
  --help            prints this`

export const peerNames = [
  'tfjs-cpu',
  'tfjs-wasm',
  'tfjs-webgpu',
  'onnxruntime',
  'pytorch',
  'pytorch-compile',
  'pytorch-cuda',
  'pytorch-cuda-tf32',
  'pytorch-cuda-bf16',
  'pytorch-cuda-compile',
  'pytorch-cuda-compile-tf32',
  'one-thread',
] as const
export type PeerName = (typeof peerNames)[number]

const deviceNames: readonly DeviceKind[] = ['native', 'webgpu', 'reference']

export interface BenchOptions {
  readonly filters: readonly string[]
  /** null: those present */
  readonly devices: readonly DeviceKind[] | null
  readonly peers: readonly PeerName[]
  readonly profile: boolean
  /** WebGPU with the safe set of toggles */
  readonly safe: boolean
  /** forced variants, by contract name */
  readonly variants: Readonly<Record<string, string>>
  readonly quick: boolean
  readonly json: string | null
  readonly compare: string | null
  readonly picture: string | null
  readonly list: boolean
  readonly help: boolean
}

/** Repeated options, each of which may be a list with commas. */
const listed = (given: readonly string[] = []): string[] => given.flatMap((value) => value.split(','))

function oneOf<T extends string>(option: string, value: string, known: readonly T[], also: readonly string[] = []): T {
  if ((known as readonly string[]).includes(value)) return value as T
  throw new LocalFlowError(`--${option} must be one of ${[...known, ...also].join(', ')}, but is '${value}'.`)
}

function variantOf(given: string): [string, string] {
  const [name, variant, ...rest] = given.split('=')
  if (name && variant && rest.length === 0) return [name, variant]
  throw new LocalFlowError(`--variant must be a name and a variant, as in integrate=fused, but is '${given}'.`)
}

export function parseOptions(argv: readonly string[]): BenchOptions {
  let values: ReturnType<typeof parse>
  try {
    values = parse(argv)
  } catch (error) {
    throw new LocalFlowError(`${(error as Error).message}\n\n${help}`)
  }
  if (values.picture !== undefined && !/\.(png|svg)$/.test(values.picture)) {
    throw new LocalFlowError(`--picture must end in .png or .svg, but is '${values.picture}'.`)
  }
  const devices = listed(values.device).map((name) => oneOf('device', name, deviceNames))
  return {
    filters: listed(values.filter),
    devices: devices.length > 0 ? devices : null,
    peers: chosenPeers(listed(values.peer)),
    profile: values.profile ?? false,
    safe: values.safe ?? false,
    variants: Object.fromEntries((values.variant ?? []).map(variantOf)),
    quick: values.quick ?? false,
    json: values.json ?? null,
    compare: values.compare ?? null,
    picture: values.picture ?? null,
    list: values.list ?? false,
    help: values.help ?? false,
  }
}

const parse = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    options: {
      filter: { type: 'string', multiple: true },
      device: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      profile: { type: 'boolean' },
      safe: { type: 'boolean' },
      variant: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      json: { type: 'string' },
      compare: { type: 'string' },
      picture: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  }).values

/** What an install has is there without asking; 'none' clears it. */
const usualPeers: readonly PeerName[] = ['tfjs-cpu', 'tfjs-wasm', 'tfjs-webgpu', 'onnxruntime']

function chosenPeers(given: readonly string[]): PeerName[] {
  const named = given.filter((name) => name !== 'none').map((name) => oneOf('peer', name, peerNames, ['none']))
  const usual = given.includes('none') ? [] : usualPeers
  return peerNames.filter((name) => usual.includes(name) || named.includes(name))
}
