/**
 * What was tried on the way to the settings of the examples, roughly in that order; each line changes something of one
 * above it. Most of it is at width 100, where a run costs a sixth of one at width 256.
 */

import {
  beta,
  early,
  finer,
  four,
  octaves,
  plain,
  push,
  rate3,
  rate6,
  type Setting,
  sevenEarly,
  trig,
  width,
} from './words.js'

const six100 = [push, width(100), early]
const four100 = [push, width(100), ...four]

export const search: readonly Setting[] = [
  {
    name: 'six-256-silu',
    label: 'six of width 256, 6 octaves, early steps, SiLU',
    set: [push, early, octaves(6), 'model.activation=silu'],
  },
  { name: 'six-100', label: 'six of width 100, 6 octaves, early steps', set: [...six100, octaves(6)] },
  { name: 'six-100-rate3', label: 'rate 3e-3', set: [...six100, octaves(6), ...rate3] },
  { name: 'six-100-rate3-7', label: 'rate 3e-3, 7 octaves', set: [...six100, octaves(7), ...rate3] },
  { name: 'six-100-rate3-5', label: 'rate 3e-3, 5 octaves', set: [...six100, octaves(5), ...rate3] },
  { name: 'six-100-rate3-4', label: 'rate 3e-3, 4 octaves', set: [...six100, octaves(4), ...rate3] },
  { name: 'six-100-rate6-5', label: 'rate 6e-3, 5 octaves', set: [...six100, octaves(5), ...rate6] },
  {
    name: 'six-100-rate3-5-beta',
    label: 'rate 3e-3, 5 octaves, times Beta(0.6, 1)',
    set: [...six100, octaves(5), ...rate3, beta(0.6, 1)],
  },
  {
    name: 'seven-100-rate3',
    label: 'rate 3e-3, 6 octaves, seven from γ = 0.005',
    set: [push, width(100), ...sevenEarly, octaves(6), ...rate3],
  },
  {
    name: 'four-100-rate3',
    label: '**four of width 100**, 5 octaves, rate 3e-3',
    set: [...four100, octaves(5), ...rate3],
  },
  { name: 'four-100-rate6', label: 'rate 6e-3', set: [...four100, octaves(5), ...rate6] },
  { name: 'four-100-rate6-6', label: 'rate 6e-3, 6 octaves', set: [...four100, octaves(6), ...rate6] },
  { name: 'four-100-rate6-4', label: 'rate 6e-3, 4 octaves', set: [...four100, octaves(4), ...rate6] },
  {
    name: 'four-100-rate6-005',
    label: 'rate 6e-3, γ = 0.005, 0.03, 0.2, free',
    set: [push, width(100), 'flow.gammas=[0.005, 0.03, 0.2, null]', four[1], octaves(5), ...rate6],
  },
  {
    name: 'four-100-rate6-7000',
    label: 'rate 6e-3, 7000 steps for the first',
    set: [push, width(100), four[0], 'train.steps=[7000, 2000, 1000, 2000]', octaves(5), ...rate6],
  },
  {
    name: 'four-100-rate6-beta',
    label: 'rate 6e-3, times Beta(0.6, 1)',
    set: [...four100, octaves(5), ...rate6, beta(0.6, 1)],
  },
  {
    name: 'four-100-rate6-ema',
    label: 'rate 6e-3, moving average 0.995',
    set: [...four100, octaves(5), ...rate6, 'train.ema=0.995'],
  },
  {
    name: 'four-100-rate6-softplus50',
    label: 'rate 6e-3, softplus50',
    set: [...four100, octaves(5), ...rate6, 'model.activation=softplus50'],
  },
  {
    name: 'four-160-rate6',
    label: '**four of width 160**, 5 octaves, rate 6e-3',
    set: [push, width(160), ...four, octaves(5), ...rate6],
  },
  {
    name: 'four-256-rate3',
    label: '**four of width 256**, 5 octaves, rate 3e-3',
    set: [push, ...four, octaves(5), ...rate3],
  },
  { name: 'four-256-rate3-4', label: '4 octaves, rate 3e-3', set: [push, ...four, octaves(4), ...rate3] },
  {
    name: 'plain-100-rate6',
    label: '**plain flow matching**, width 100, 6 octaves, rate 6e-3',
    set: [plain, width(100), octaves(6), ...rate6],
  },
  {
    name: 'plain-100-rate6-lean',
    label: 'plain, rate 6e-3, 6 octaves, times Beta(0.5, 1)',
    set: [plain, width(100), octaves(6), ...rate6, beta(0.5, 1)],
  },
  {
    name: 'plain-100-rate6-lean-5',
    label: 'plain, rate 6e-3, 5 octaves, times Beta(0.5, 1)',
    set: [plain, width(100), octaves(5), ...rate6, beta(0.5, 1)],
  },
  {
    name: 'plain-100-rate6-lean-trig',
    label: 'plain, rate 6e-3, 6 octaves, times Beta(0.5, 1), trig',
    set: [plain, width(100), octaves(6), ...rate6, beta(0.5, 1), trig],
  },
  {
    name: 'plain-100-rate6-lean-trig-5',
    label: 'plain, rate 6e-3, 5 octaves, times Beta(0.5, 1), trig',
    set: [plain, width(100), octaves(5), ...rate6, beta(0.5, 1), trig, finer],
  },
  {
    name: 'plain-256-rate3-lean',
    label: '**plain of width 256**, 5 octaves, rate 3e-3, times Beta(0.5, 1)',
    set: [plain, octaves(5), ...rate3, beta(0.5, 1)],
  },
]
