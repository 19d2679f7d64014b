/** Names of keys in other libraries, for «did you mean»: letters alone, in lower case, by the key of this library. */

export const otherNames: Readonly<Record<string, readonly string[]>> = {
  'train.lr': ['learningrate', 'initiallr', 'maxlr', 'stepsize'],
  'train.batch': ['batchsize', 'minibatch', 'minibatchsize', 'bs', 'batches'],
  'train.steps': [
    'epochs',
    'epoch',
    'nepochs',
    'numepochs',
    'maxepochs',
    'iterations',
    'iters',
    'niter',
    'maxsteps',
    'numsteps',
  ],
  'train.ema': ['emadecay', 'averaging'],
  'train.clip': ['gradclip', 'clipgrad', 'gradientclip', 'gradientclipping', 'clipnorm', 'maxgradnorm', 'maxnorm'],
  'train.warmup': ['warmupsteps', 'numwarmupsteps'],
  'train.schedule': ['lrschedule', 'lrscheduler', 'scheduler', 'decay'],
  'train.optimizer': ['optim', 'optimiser', 'opt'],
  'train.weightDecay': ['wd', 'l2', 'regularization'],
  'train.precision': ['dtype', 'amp', 'fp16', 'mixedprecision', 'halfprecision'],
  'train.checkpointEvery': ['saveevery', 'savesteps', 'saveinterval', 'checkpointinterval'],
  'train.logEvery': ['logsteps', 'loginterval', 'loggingsteps'],
  'train.microBatches': ['gradaccum', 'gradientaccumulation', 'gradientaccumulationsteps', 'accumulategradbatches'],
  'model.hidden': ['hiddensize', 'hiddensizes', 'hiddendim', 'hiddendims', 'hiddenlayers', 'layers', 'widths', 'units'],
  'model.activation': ['act', 'nonlinearity', 'activationfn'],
  'model.kind': ['network', 'net', 'architecture', 'arch'],
  'model.multipliers': ['channelmult', 'channelmults', 'chmult', 'dimmults'],
  'model.depth': ['numresblocks', 'resblocks', 'nresblocks'],
  'model.width': ['channels', 'basechannels', 'modelchannels', 'numchannels'],
  'flow.gammas': ['gamma', 'subflows', 'stages', 'blocks'],
  'flow.interpolant': ['path', 'interpolation', 'probpath'],
  'ode.solver': ['method', 'sampler', 'integrator'],
  'ode.steps': ['nfe', 'evaluations', 'samplingsteps', 'numinferencesteps'],
  'data.path': ['file', 'filename', 'dataset', 'csv', 'root'],
  'data.standardise': ['standardize', 'normalise', 'normalize', 'scale'],
  'data.test': ['testsize', 'testsplit', 'testfraction'],
  'data.validation': ['val', 'valid', 'valsize', 'valsplit', 'validationsplit'],
  'data.size': ['imagesize', 'resolution', 'imgsize', 'resize'],
  'data.flips': ['flip', 'hflip', 'horizontalflip', 'randomflip'],
  seed: ['randomseed', 'rngseed', 'randomstate'],
  device: ['gpu', 'cuda', 'accelerator', 'backend', 'engine'],
}

/** A remark where the other library's thing is not quite the same. */
const remarks: readonly [RegExp, string][] = [
  [/epoch/, ' (batches, not passes through the data)'],
  [/^(nfe|evaluations)$/, ' (of each sub-flow; rk4 takes four evaluations a step)'],
]

/** The key for another library's name, with a remark; undefined if the name is not known. */
export function keyOfOtherName(written: string): { path: string; remark: string } | undefined {
  const plain = written.toLowerCase().replace(/[^a-z0-9]/g, '')
  const found = Object.entries(otherNames).find(([, others]) => others.includes(plain))
  if (!found) return undefined
  return { path: found[0], remark: remarks.find(([pattern]) => pattern.test(plain))?.[1] ?? '' }
}
