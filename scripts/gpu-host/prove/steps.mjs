/**
 * The steps of prove.mjs, in the order of their worth: is it right, then how fast is it. Each has a name, seconds (`small`: of
 * a rehearsal on a software adapter), the command, and the files that it leaves in the results' folder beside its log.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Bench rows: name, seconds, options; and what stands for them in a rehearsal. */
const benches = [
  {
    name: 'bench-rose',
    limit: { full: 60, small: 60 },
    // the small network's rows go through all layers in one launch
    full: ['--filter', 'step/rose', '--filter', 'mixed/rose', '--filter', 'step/tiny'],
    small: ['--filter', 'step/tiny', '--filter', 'mixed/tiny'],
  },
  {
    name: 'bench-products',
    limit: { full: 40, small: 40 },
    full: ['--filter', 'kernels/mat_mul', '--filter', 'kernels/linear_forward/4096-half'],
    small: ['--filter', 'kernels/mat_mul/10000x256x256'],
  },
  {
    name: 'bench-sampling',
    limit: { full: 40, small: 60 },
    full: ['rk4/rose', 'sample/rose/teacher-8', 'forward/rose', 'trace/rose'].flatMap((name) => ['--filter', name]),
    small: ['--filter', 'rk4/tiny'],
  },
  {
    name: 'bench-cifar10',
    limit: { full: 90, small: 60 },
    full: ['step/cifar10', 'mixed/cifar10', 'kernels/conv2d/64x64x3x3-half', 'rk4/cifar10'].flatMap((name) => [
      '--filter',
      name,
    ]),
    small: ['--filter', 'kernels/conv2d/64x64x3x3-8'],
  },
]

/** The same step with all of Dawn's checks, which is what users get unless they ask: what the checks cost. */
const checked = {
  name: 'bench-checked',
  limit: { full: 30, small: 60 },
  full: ['--safe', '--filter', 'step/rose', '--filter', 'step/tiny'],
  small: ['--safe', '--filter', 'step/tiny'],
}

/** PyTorch beside the rows that count, in the forms that it has. */
const torch = {
  name: 'bench-pytorch',
  limit: { full: 120, small: 60 },
  peers: 'none,pytorch-cuda,pytorch-cuda-tf32,pytorch-cuda-bf16,pytorch-cuda-compile,pytorch-cuda-compile-tf32',
  full: ['--filter', 'step/rose', '--filter', 'kernels/mat_mul/4096x4096x4096', '--filter', 'step/cifar10'],
  small: ['--filter', 'step/tiny'],
}

const SLOWEST = 3

export function steps({ node, out, small }) {
  const program = (file, ...args) => [node, '--import', 'tsx', join('scripts/gpu-host/prove', file), ...args]
  const size = small ? 'small' : 'full'
  const bench = (name, options, peers) => [
    ...[node, '--import', 'tsx', 'bench/main.ts', '--device', 'webgpu', '--peer', peers, ...options],
    ...['--json', join(out, `${name}.json`), ...(small ? ['--quick'] : [])],
  ]
  return [
    {
      name: 'devices',
      limit: { full: 30, small: 30 },
      command: program('devices.ts', join(out, 'devices.json')),
      files: ['devices.json'],
    },
    {
      name: 'parity',
      limit: { full: 180, small: 180 },
      command: program('parity.ts', join(out, 'parity.jsonl'), size),
      files: ['parity.jsonl'],
    },
    {
      name: 'learning',
      limit: { full: 40, small: 180 },
      command: program('learning.ts', join(out, 'learning.json'), size),
      files: ['learning.json'],
    },
    {
      name: 'unet',
      limit: { full: 40, small: 180 },
      command: program('unet.ts', join(out, 'unet.json')),
      files: ['unet.json'],
    },
    ...[...benches, checked].map((one) => ({
      name: one.name,
      limit: one.limit,
      command: bench(one.name, one[size], 'none'),
      files: [`${one.name}.json`],
    })),
    {
      name: torch.name,
      limit: torch.limit,
      command: bench(torch.name, torch[size], torch.peers),
      files: [`${torch.name}.json`],
    },
  ]
}

/** Cases of our own rows in these files, by their distance from the measured peak: the slowest first. */
function slowestCases(out) {
  const rows = readdirSync(out)
    .filter((file) => /^bench-.*\.json$/.test(file))
    .flatMap((file) => JSON.parse(readFileSync(join(out, file), 'utf8')).rows)
    .filter(({ peer, peakShare }) => peer === null && peakShare !== null)
    .sort((a, b) => a.peakShare - b.peakShare)
  return [...new Set(rows.map(({ suite, shape }) => `${suite}/${shape}`))].slice(0, SLOWEST)
}

/** What comes last: where the time of the slowest rows goes, and what the tuner has chosen. */
export function slowest({ node, out }) {
  const profile = () => [
    ...[node, '--import', 'tsx', 'bench/main.ts', '--device', 'webgpu', '--peer', 'none', '--profile', '--quick'],
    ...slowestCases(out).flatMap((name) => ['--filter', name]),
    ...['--json', join(out, 'profiles.json')],
  ]
  return [
    { name: 'profiles', limit: { full: 60, small: 60 }, command: profile, files: ['profiles.json'] },
    {
      name: 'tuner',
      limit: { full: 10, small: 20 },
      command: [node, '--import', 'tsx', 'scripts/gpu-host/prove/tuner.ts', join(out, 'tuner.json')],
      files: ['tuner.json'],
    },
  ]
}
