/**
 * What a person writes: the options of `LocalFlow.train`, and a config file.
 *
 * Written by scripts/configuration-docs.mjs from the schema in src/config/; change that, not this file.
 */

import type { DataOptions } from '../data/options.js'

/** A multilayer perceptron, for rows of columns. */
export interface MlpModelOptions {
  /** A multilayer perceptron, for rows of columns. Default: mlp. */
  kind?: 'mlp'
  /** Widths of the hidden layers. Takes a non-empty list of widths. Default: [256, 256, 256]. */
  hidden?: readonly number[]
  /**
   * Activation of the hidden layers. Takes relu, elu, softplus, softplus20 (softplus with β = 20), silu, gelu or tanh.
   * Default: softplus20.
   */
  activation?: 'relu' | 'elu' | 'softplus' | 'silu' | 'gelu' | 'tanh' | `softplus${number}`
  /** Whether the time enters at the first layer or at every one. Default: first. */
  time?: 'first' | 'every'
  /** Whether a condition enters at the first layer, or at every hidden one (docs/conditional.md). Default: first. */
  conditionAt?: 'first' | 'every'
  /**
   * Frequencies f: sin(f·x) and cos(f·x) of each coordinate enter beside x. Empty: none. Takes a list of at most 1000
   * frequencies above 0. Default: [].
   */
  fourier?: readonly number[]
  /** Learn the rows of each class apart, by the classes that the data have (docs/conditional.md). Default: false. */
  classes?: boolean
}

/** A UNet, for pictures [C, H, W]. */
export interface UnetModelOptions {
  /** A UNet, for pictures [C, H, W]. */
  kind: 'unet'
  /** Channels of the first level, for a multiplier of 1. Takes a whole number from 1 to 65536. Default: 32. */
  width?: number
  /**
   * Channels of each level, as multiples of width; each level has half the extents of the one before. Takes a non-empty
   * list of at most 16 whole numbers from 1 to 1024. Default: [1, 2, 2].
   */
  multipliers?: readonly number[]
  /**
   * Residual blocks of each level on the way down; one more on the way up. Takes a whole number from 1 to 64. Default:
   * 1.
   */
  depth?: number
  /**
   * Heights of the levels that have self-attention, such as 16. The middle always has it. Takes a list of at most 16
   * heights. Default: [16].
   */
  attention?: readonly number[]
  /** Channels of an attention head. Takes a whole number from 1 on. Default: 32. */
  headChannels?: number
  /**
   * Groups of every normalisation; must divide the channels of every level. Takes a whole number from 1 on. Default:
   * 32.
   */
  groups?: number
  /**
   * Dropout probability of the activations before the second convolution of a block. Takes a number from 0 to below 1.
   * Default: 0.
   */
  dropout?: number
  /**
   * The time scales and shifts the second normalisation of a block, instead of being added before it; so does a
   * condition, always. Default: false.
   */
  scaleShift?: boolean
  /**
   * Change the size inside residual blocks, by pooling and nearest neighbours, instead of by convolutions between them.
   * Default: false.
   */
  residualResampling?: boolean
  /** Learn the rows of each class apart, by the classes that the data have (docs/conditional.md). Default: false. */
  classes?: boolean
}

/** A UNet along the steps of sequences [steps, channels]. */
export interface Unet1dModelOptions {
  /** A UNet along the steps of sequences [steps, channels]. */
  kind: 'unet1d'
  /** Channels of the first level, for a multiplier of 1. Takes a whole number from 1 to 65536. Default: 64. */
  width?: number
  /**
   * Channels of each level, as multiples of width; each level has half the steps of the one before. Takes a non-empty
   * list of at most 16 whole numbers from 1 to 1024. Default: [1, 2, 4].
   */
  multipliers?: readonly number[]
  /**
   * Residual blocks of each level on the way down; one more on the way up. Takes a whole number from 1 to 64. Default:
   * 1.
   */
  depth?: number
  /** Steps under the kernel of a convolution. Takes an odd number from 1 to 31. Default: 5. */
  kernel?: number
  /**
   * Groups of every normalisation; must divide the channels of every level. Takes a whole number from 1 on. Default: 8.
   */
  groups?: number
  /**
   * Dropout probability of the activations before the second convolution of a block. Takes a number from 0 to below 1.
   * Default: 0.
   */
  dropout?: number
  /** Learn the rows of each class apart, by the classes that the data have (docs/conditional.md). Default: false. */
  classes?: boolean
}

/** The velocity field v(x, t): an mlp for rows of columns, a unet for pictures, a unet1d for sequences. */
export type ModelOptions = MlpModelOptions | UnetModelOptions | Unet1dModelOptions

/** The chain of sub-flows (docs/method.md). */
export interface FlowOptions {
  /**
   * Step sizes γ_n of the Ornstein–Uhlenbeck chain; a last null is the free sub-flow. Left out, and without a schedule:
   * n: auto. Takes a non-empty list of numbers above 0, the last of which may be null (the free sub-flow).
   */
  gammas?: readonly (number | null)[]
  /** Step sizes by a formula, in place of gammas. */
  schedule?:
    | {
        /** γ_n = c·ρ^(n−1). */
        kind: 'geometric'
        /** The number of sub-flows, the free one too. Takes a whole number from 1 to 1000. */
        n: number
        /** Whether the last sub-flow goes to noise (free) or is one more step. Default: free. */
        last?: 'free' | 'ou'
        /** The first step. Takes a number above 0. Default: 0.1. */
        c?: number
        /** The ratio of a step to the one before. Takes a number above 0. Default: 1.5. */
        rho?: number
      }
    | {
        /** Linear β: linspace(0.1, min(0.99 n, 20), n)/n. */
        kind: 'linear'
        /** The number of sub-flows, the free one too. Takes a whole number from 1 to 1000. */
        n: number
        /** Whether the last sub-flow goes to noise (free) or is one more step. Default: free. */
        last?: 'free' | 'ou'
      }
    | {
        /** Nichol and Dhariwal's cosine ᾱ. */
        kind: 'cosine'
        /** The number of sub-flows, the free one too. Takes a whole number from 1 to 1000. */
        n: number
        /** Whether the last sub-flow goes to noise (free) or is one more step. Default: free. */
        last?: 'free' | 'ou'
      }
  /**
   * auto: 3 sub-flows, γ = 0.05, 0.2, free, on paths linear, linear, arc, with 0.6, 0.2, 0.2 of the training steps
   * (docs/method.md). The same as leaving out gammas and schedule.
   */
  n?: 'auto'
  /**
   * Path between the two ends of a sub-flow; one for all or a list. linear: the straight line between both ends; trig:
   * a quarter of a circle between both ends; arc: the noising process itself, at even steps of its angle. Left out:
   * linear, but of n: auto. Takes linear, trig or arc, or a list of these with one for each sub-flow.
   */
  interpolant?: 'linear' | 'trig' | 'arc' | readonly ('linear' | 'trig' | 'arc')[]
  /**
   * How a right end is paired with a left one: its own image, that of another row of the batch, that of a fresh row,
   * or, in the free sub-flow alone, the noise that minibatch optimal transport gives it (flow.assignment). Default:
   * dependent.
   */
  coupling?: 'dependent' | 'shuffled' | 'independent' | 'optimal'
  /**
   * Distribution of the training times t; one for all or a list. Takes uniform, { beta: [α, β] }, { logitNormal: [mean,
   * standard deviation] }, { uShaped: [a] } or { cosine: [p] }, or a list of these with one for each sub-flow. Default:
   * uniform.
   */
  time?:
    | 'uniform'
    | {
        /** Numbers of this law: the Beta distribution, which leans to one end. Takes [α, β]. */
        beta: readonly [number, number]
      }
    | {
        /**
         * Numbers of this law: a normal number through the logistic function, which keeps to the middle (Esser et al.
         * 2024). Takes [mean, standard deviation].
         */
        logitNormal: readonly [number, number]
      }
    | {
        /**
         * Numbers of this law: density in proportion to cosh(a(t − ½)), which keeps to both ends (Lee, Lin and Fanti 2024,
         * with a = 4). Takes [a].
         */
        uShaped: readonly [number]
      }
    | {
        /**
         * Numbers of this law: density in proportion to cos(πt/2)^p, which leans to the data; with p = 2 the loss of a
         * plain flow on the arc is that of predicting the noise (Ho et al. 2020; Salimans and Ho 2022). Takes [p].
         */
        cosine: readonly [number]
      }
    | readonly (
        | 'uniform'
        | {
            /** Numbers of this law: the Beta distribution, which leans to one end. Takes [α, β]. */
            beta: readonly [number, number]
          }
        | {
            /**
             * Numbers of this law: a normal number through the logistic function, which keeps to the middle (Esser et al.
             * 2024). Takes [mean, standard deviation].
             */
            logitNormal: readonly [number, number]
          }
        | {
            /**
             * Numbers of this law: density in proportion to cosh(a(t − ½)), which keeps to both ends (Lee, Lin and Fanti 2024,
             * with a = 4). Takes [a].
             */
            uShaped: readonly [number]
          }
        | {
            /**
             * Numbers of this law: density in proportion to cos(πt/2)^p, which leans to the data; with p = 2 the loss of a
             * plain flow on the arc is that of predicting the noise (Ho et al. 2020; Salimans and Ho 2022). Takes [p].
             */
            cosine: readonly [number]
          }
      )[]
  /** Times drawn for each pair of ends; must divide train.batch. Takes a whole number from 1 on. Default: 1. */
  timesPerPair?: number
  /** Start a sub-flow from the parameters of the one before; the optimizer's state starts anew. Default: true. */
  warmStart?: boolean
  /** Scale the network's output by the target's spread. Default: false. */
  outputScale?: boolean
  /** The same as recipe: plain. Default: false. */
  plain?: boolean
  /**
   * What is trained in which order. local: a chain of sub-flows between the data and their noisy images; shared: one
   * network for all sub-flows of a chain, told which of them it is, with the steps of all of them (MLPs); plain: plain
   * flow matching: one free sub-flow, with all the training steps of a chain where one is configured; reflow: rectified
   * flow: plain flow matching, then fits on pairs of noise and what the model makes of it. Default: local.
   */
  recipe?: 'local' | 'shared' | 'plain' | 'reflow'
  /**
   * Where a sub-flow's left ends come from. learned: the data, pushed through the sub-flows before; simulated: the data
   * with the noise of the steps before, drawn anew for every batch. Default: learned.
   */
  push?: 'learned' | 'simulated'
  /**
   * Which sub-flow of a longer chain this is, where one is trained alone; lfm train --sub-flow writes it. Takes a
   * mapping with number, of and before.
   */
  part?: {
    /** Its number, from 1. Takes a whole number from 1 to 1000. */
    number: number
    /** Sub-flows of the chain. Takes a whole number from 1 to 1000. */
    of: number
    /** Γ, the time of the process at its left end. Takes a number from 0 on. */
    before: number
  }
  /** How noise is paired with rows where the coupling is optimal. */
  assignment?: {
    /**
     * Rows that are paired with as many rows of noise at a time (coupling: optimal). Takes a whole number from 1 on.
     * Default: 256.
     */
    block?: number
    /**
     * Training steps between two renewals of the pairs of all rows, with other blocks and other noise. Takes a whole
     * number from 1 on. Default: 500.
     */
    every?: number
  }
  /** Fits on pairs of noise and samples (recipe: reflow). */
  reflow?: {
    /**
     * Fits on pairs, each of the model that the one before made (recipe: reflow). Takes a whole number from 1 on.
     * Default: 1.
     */
    rounds?: number
    /**
     * Pairs that are made for a round. Left out: as many as there are training rows. Takes a whole number from 1 on.
     */
    pairs?: number
    /**
     * Distribution of the training times of these fits. Takes uniform, { beta: [α, β] }, { logitNormal: [mean, standard
     * deviation] }, { uShaped: [a] } or { cosine: [p] }. Default: uniform.
     */
    time?:
      | 'uniform'
      | {
          /** Numbers of this law: the Beta distribution, which leans to one end. Takes [α, β]. */
          beta: readonly [number, number]
        }
      | {
          /**
           * Numbers of this law: a normal number through the logistic function, which keeps to the middle (Esser et al.
           * 2024). Takes [mean, standard deviation].
           */
          logitNormal: readonly [number, number]
        }
      | {
          /**
           * Numbers of this law: density in proportion to cosh(a(t − ½)), which keeps to both ends (Lee, Lin and Fanti
           * 2024, with a = 4). Takes [a].
           */
          uShaped: readonly [number]
        }
      | {
          /**
           * Numbers of this law: density in proportion to cos(πt/2)^p, which leans to the data; with p = 2 the loss of a
           * plain flow on the arc is that of predicting the noise (Ho et al. 2020; Salimans and Ho 2022). Takes [p].
           */
          cosine: readonly [number]
        }
  }
}

/** The optimizer and its batches. Everything here starts anew with each sub-flow. */
export interface TrainingOptions {
  /** Rows in a batch. Takes a whole number from 1 to 100000000. Default: 1000. */
  batch?: number
  /**
   * Training steps of each sub-flow; one number, a list, or { total: } for all together, shared out equally or as n:
   * auto says. Left out: 2000, and { total: 12000 } with n: auto. Takes a whole number from 1 to 100000000, a list of
   * these with one for each sub-flow, or { total: … }.
   */
  steps?:
    | number
    | readonly number[]
    | {
        /** Training steps of all sub-flows together. Takes a whole number from 1 to 100000000. */
        total: number
      }
  /**
   * Learning rate. Left out: of an mlp 0.008 × (64 / width)^0.7 × (batch / 1000)^(1/3) × (7200 / steps of the longest
   * sub-flow)^(1/4), the last two together from 1/4 to 4, with a warm-up of 100 steps; of the others 0.001. Takes a
   * number above 0.
   */
  lr?: number
  /**
   * How weight decay acts: adam adds it to the gradient, adamw applies it to the weights (decoupled). Default: adam.
   */
  optimizer?: 'adam' | 'adamw'
  /** Decay rates of Adam's first and second moment. Takes two numbers from 0 to below 1. Default: [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Added to the square root of Adam's second moment. Takes a number above 0. Default: 1e-8. */
  eps?: number
  /** Weight decay. Takes a number from 0 on. Default: 0. */
  weightDecay?: number
  /**
   * Decay of a moving average of the parameters, which becomes the model; off: none. Takes a number between 0 and 1, or
   * off. Default: off.
   */
  ema?: number | 'off' | false | null
  /** Largest global norm of the gradient; off: no clipping. Takes a number above 0, or off. Default: off. */
  clip?: number | 'off' | false | null
  /**
   * Learning rate within each sub-flow: constant, falling to 0 by a cosine, or multiplied by a factor every so many
   * steps. Takes constant, cosine or { step: { every: 1000, factor: 0.99 } }. Default: cosine.
   */
  schedule?:
    | 'constant'
    | 'cosine'
    | {
        /** The rate is multiplied by a factor every so many steps. */
        step: {
          /** Steps between two changes of the rate. Takes a whole number from 1 on. */
          every: number
          /** What the rate is multiplied by. Takes a number above 0. */
          factor: number
        }
      }
  /**
   * mixed: products of float16 factors with float32 sums and master weights; WebGPU with shader-f16. Default: float32.
   */
  precision?: 'float32' | 'mixed'
  /**
   * Probability that a row is learnt from without its condition (classes, or columns of data.condition), anew in every
   * batch; above 0 samples can be guided (docs/conditional.md). Takes a number from 0 to below 1. Default: 0.1.
   */
  conditionDropout?: number
  /**
   * Learn rows with random columns given, anew in every batch, so that lfm impute can fill in the others
   * (train.objective: variational). Default: false.
   */
  masks?: boolean
  /**
   * Steps of each sub-flow in which the rate rises linearly from 0. Left out: 0, but where lr is. Takes a whole number
   * from 0 on.
   */
  warmup?: number
  /**
   * What is learnt from the data. flow-matching: the velocity of a flow; variational: of tables of mixed columns:
   * levels of a category by cross-entropy, from which its velocity follows, and the velocity of numbers (variational
   * flow matching); mean-flow: average velocities between any two times (flow.recipe: plain), for samples of one
   * evaluation or a few (ode.sample.evaluations), without likelihoods. Default: flow-matching.
   */
  objective?: 'flow-matching' | 'variational' | 'mean-flow'
  /** Batches from shuffled passes over the data, or drawn with replacement. Default: epochs. */
  sampling?: 'epochs' | 'replacement'
  /**
   * Steps between two checkpoints; off: only at the end of a sub-flow. Takes a whole number from 1 on, or off. Default:
   * 500.
   */
  checkpointEvery?: number | 'off' | false | null
  /**
   * Steps between two validation losses, where there are validation rows: the loss on up to 8192 of them, with the same
   * noise each time; off: none. Takes a whole number from 1 on, or off. Default: 500.
   */
  validateEvery?: number | 'off' | false | null
  /**
   * Validation losses in a row, none of them better than the best before, after which a sub-flow stops; its best
   * parameters become the model. off: all steps are taken, and the last parameters are the model. Takes a whole number
   * from 1 on, or off. Default: off.
   */
  patience?: number | 'off' | false | null
  /** Steps between two rows of the loss history. Takes a whole number from 1 on. Default: 50. */
  logEvery?: number
  /**
   * Compute the inside of the blocks of a unet or unet1d again in the backward pass, instead of keeping it: less
   * memory, a third more work. Default: false.
   */
  recompute?: boolean
  /**
   * Parts of equal size into which the batch of a unet or unet1d is cut, one after another; the gradients add up. Less
   * memory. Takes a whole number from 1 on. Default: 1.
   */
  microBatches?: number
  /**
   * Parts of equal size into which a batch is cut, whose gradients are added in their order: the work that several
   * processes can share (device.workers). The result depends on the parts, not on who computes them. Takes a whole
   * number from 1 to 8. Default: 1.
   */
  parts?: number
}

/** How ordinary differential equations are solved: four keys for all uses, and sections for one use. */
export interface OdeOptions {
  /**
   * The integrator. euler: one evaluation a step, order 1; midpoint: two evaluations a step, order 2; heun: two
   * evaluations a step, order 2, at both ends of the step; rk4: four evaluations a step, order 4; ab2: two-step
   * Adams–Bashforth: one evaluation a step, order 2; remembers across sub-flows with clock angle; ddim: one evaluation
   * a step, order 1, exact while the denoised point stays (Song et al. 2021); needs clock angle; dopri5: order 5, steps
   * controlled by rtol and atol.
   */
  solver?: 'euler' | 'midpoint' | 'heun' | 'rk4' | 'ab2' | 'ddim' | 'dopri5'
  /**
   * Steps through each sub-flow; with clock: angle a number is their mean. Not for dopri5. Takes a whole number from 1
   * to 100000, or a list of these with one for each sub-flow.
   */
  steps?: number | readonly number[]
  /**
   * What steps are even in: each sub-flow's own time (local), or one angle through the chain (docs/method.md). Not for
   * dopri5.
   */
  clock?: 'local' | 'angle'
  /** Relative tolerance (dopri5). Takes a number above 0. Default: 0.00001. */
  rtol?: number
  /** Absolute tolerance (dopri5). Takes a number above 0. Default: 0.00001. */
  atol?: number
  /** The training set through a trained sub-flow; left out: the keys above. */
  push?: {
    /**
     * The integrator. euler: one evaluation a step, order 1; midpoint: two evaluations a step, order 2; heun: two
     * evaluations a step, order 2, at both ends of the step; rk4: four evaluations a step, order 4; ab2: two-step
     * Adams–Bashforth: one evaluation a step, order 2; remembers across sub-flows with clock angle; ddim: one
     * evaluation a step, order 1, exact while the denoised point stays (Song et al. 2021); needs clock angle; dopri5:
     * order 5, steps controlled by rtol and atol.
     */
    solver?: 'euler' | 'midpoint' | 'heun' | 'rk4' | 'ab2' | 'ddim' | 'dopri5'
    /**
     * Steps through each sub-flow; with clock: angle a number is their mean. Not for dopri5. Takes a whole number from
     * 1 to 100000, or a list of these with one for each sub-flow.
     */
    steps?: number | readonly number[]
    /**
     * What steps are even in: each sub-flow's own time (local), or one angle through the chain (docs/method.md). Not
     * for dopri5.
     */
    clock?: 'local' | 'angle'
    /** Relative tolerance (dopri5). Takes a number above 0. */
    rtol?: number
    /** Absolute tolerance (dopri5). Takes a number above 0. */
    atol?: number
  }
  /** Sampling, encoding, decoding, trajectories; left out: the keys above. */
  sample?: {
    /**
     * The integrator. euler: one evaluation a step, order 1; midpoint: two evaluations a step, order 2; heun: two
     * evaluations a step, order 2, at both ends of the step; rk4: four evaluations a step, order 4; ab2: two-step
     * Adams–Bashforth: one evaluation a step, order 2; remembers across sub-flows with clock angle; ddim: one
     * evaluation a step, order 1, exact while the denoised point stays (Song et al. 2021); needs clock angle; dopri5:
     * order 5, steps controlled by rtol and atol.
     */
    solver?: 'euler' | 'midpoint' | 'heun' | 'rk4' | 'ab2' | 'ddim' | 'dopri5'
    /**
     * Steps through each sub-flow; with clock: angle a number is their mean. Not for dopri5. Takes a whole number from
     * 1 to 100000, or a list of these with one for each sub-flow.
     */
    steps?: number | readonly number[]
    /**
     * What steps are even in: each sub-flow's own time (local), or one angle through the chain (docs/method.md). Not
     * for dopri5.
     */
    clock?: 'local' | 'angle'
    /** Relative tolerance (dopri5). Takes a number above 0. */
    rtol?: number
    /** Absolute tolerance (dopri5). Takes a number above 0. */
    atol?: number
    /**
     * Evaluations of the network in all sub-flows together, at most, instead of steps. Left out: from steps. Takes a
     * whole number from 1 to 100000.
     */
    evaluations?: number
  }
  /** Likelihoods; left out: the keys above. */
  evaluate?: {
    /**
     * The integrator. euler: one evaluation a step, order 1; midpoint: two evaluations a step, order 2; heun: two
     * evaluations a step, order 2, at both ends of the step; rk4: four evaluations a step, order 4; ab2: two-step
     * Adams–Bashforth: one evaluation a step, order 2; remembers across sub-flows with clock angle; ddim: one
     * evaluation a step, order 1, exact while the denoised point stays (Song et al. 2021); needs clock angle; dopri5:
     * order 5, steps controlled by rtol and atol.
     */
    solver?: 'euler' | 'midpoint' | 'heun' | 'rk4' | 'ab2' | 'ddim' | 'dopri5'
    /**
     * Steps through each sub-flow; with clock: angle a number is their mean. Not for dopri5. Takes a whole number from
     * 1 to 100000, or a list of these with one for each sub-flow.
     */
    steps?: number | readonly number[]
    /**
     * What steps are even in: each sub-flow's own time (local), or one angle through the chain (docs/method.md). Not
     * for dopri5.
     */
    clock?: 'local' | 'angle'
    /** Relative tolerance (dopri5). Takes a number above 0. */
    rtol?: number
    /** Absolute tolerance (dopri5). Takes a number above 0. */
    atol?: number
    /**
     * Evaluations of the network in all sub-flows together, at most, instead of steps. Left out: from steps. Takes a
     * whole number from 1 to 100000.
     */
    evaluations?: number
    /** How likelihoods compute the divergence of the field. Left out: exact for an mlp, hutchinson for the others. */
    trace?: 'exact' | 'hutchinson'
    /** Random probes for each row of Hutchinson's estimator. Takes a whole number from 1 to 10000. Default: 8. */
    probes?: number
  }
}

/** How a student was distilled: what `lfm distill` writes into the config of its run, and nobody else. */
export interface DistillOptions {
  /**
   * What students are. pairs: each student is a map of one evaluation from a border to the next; terminal: such maps,
   * learnt from the teacher's velocity along their own paths, without states of it in between; any-step: one student,
   * the average velocity between any two times, which takes 1, 2, 4 … evaluations; into is how many by default; reflow:
   * each student is a flow with straight paths between two borders, so that likelihoods stay.
   */
  kind: 'pairs' | 'terminal' | 'any-step' | 'reflow'
  /**
   * Students K: evaluations of a sample. The teacher's angle is cut into as many pieces. Takes a whole number from 1 to
   * 64.
   */
  into: number
  /**
   * Training steps between two blocks of the teacher's states, of which each is used once and none is stored. Takes a
   * whole number from 1 to 100000. Default: 16.
   */
  every?: number
  /** The solver of the teacher's states. Left out: midpoint; ab2 of up to four maps of a single flow. */
  solver?: 'euler' | 'midpoint' | 'heun' | 'rk4' | 'ab2' | 'ddim'
  /**
   * Evaluations of the teacher for its states, in all. Left out: 16, or 4 a sub-flow; 8 of up to four maps of a single
   * flow; of any-step 32, 2 for each of 16 states. Takes a whole number from 1 to 100000.
   */
  evaluations?: number
  /**
   * Weight of classifier-free guidance of a conditional teacher's velocities, which students then have in their
   * networks. 1 is none. Takes a number above 0. Default: 1.
   */
  guidance?: number
  /** What the teacher is, where it is a student itself. */
  teacher?: {
    /**
     * What students are. pairs: each student is a map of one evaluation from a border to the next; terminal: such maps,
     * learnt from the teacher's velocity along their own paths, without states of it in between; any-step: one student,
     * the average velocity between any two times, which takes 1, 2, 4 … evaluations; into is how many by default;
     * reflow: each student is a flow with straight paths between two borders, so that likelihoods stay.
     */
    kind: 'pairs' | 'terminal' | 'any-step' | 'reflow'
    /**
     * Students K: evaluations of a sample. The teacher's angle is cut into as many pieces. Takes a whole number from 1
     * to 64.
     */
    into: number
  }
}

/** Options of `LocalFlow.train`: every key of a config but its data. All may be left out. */
export interface TrainOptions {
  /** The velocity field v(x, t): an mlp for rows of columns, a unet for pictures, a unet1d for sequences. */
  model?: ModelOptions
  /** The chain of sub-flows (docs/method.md). */
  flow?: FlowOptions
  /** The optimizer and its batches. Everything here starts anew with each sub-flow. */
  train?: TrainingOptions
  /** How ordinary differential equations are solved: four keys for all uses, and sections for one use. */
  ode?: OdeOptions
  /** How a student was distilled: what `lfm distill` writes into the config of its run, and nobody else. */
  distill?: DistillOptions
  /**
   * Seed of everything random: parts of the data, initial parameters, training, sampling. Takes a whole number from 0
   * to 2^53 - 1. Default: 0.
   */
  seed?: number
  /**
   * The device, or its kind with kernel variants. Takes auto, webgpu, native, reference or { kind, variants }. Default:
   * auto.
   */
  device?:
    | 'auto'
    | 'webgpu'
    | 'native'
    | 'reference'
    | {
        /** What computes: auto takes a hardware GPU, else native, else reference. Default: auto. */
        kind?: 'auto' | 'webgpu' | 'native' | 'reference'
        /**
         * Kernel variants to use, by kernel; the device chooses the others. Takes a mapping from kernels to variants.
         * Default: {}.
         */
        variants?: Readonly<Record<string, string | number>>
        /** WebGPU without Dawn's checks, once a program has passed with them on this adapter. Left out: with them. */
        fast?: boolean
        /**
         * Processes of this host that train together, each on some of the parts of a batch (train.parts). Left out: 1.
         * Takes a whole number from 1 on.
         */
        workers?: number
        /**
         * Adapters of WebGPU, one for each worker, in turn; the first one where there is one process. Each is a part of its
         * name, or its place as DRI_PRIME has it (pci-0000_03_00_0), which tells GPUs of one name apart where Mesa is
         * installed. Left out: the first GPU. Takes a list of adapters, each a part of its name or its place, such as
         * pci-0000_03_00_0.
         */
        adapters?: readonly string[]
      }
}

/** A config, as its YAML file says it; paths in it are relative to that file. */
export interface Config extends TrainOptions {
  /** What is learned, by `kind`. Files are split: a part is a count of rows, or a fraction below 1. */
  data: DataOptions
}
