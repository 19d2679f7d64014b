/**
 * Runge–Kutta methods as data: Butcher tableaus of explicit methods (Hairer, Nørsett and Wanner, Solving Ordinary
 * Differential Equations I). Row s of `a` combines the stages before s; `nodes` are the stages' places in the step;
 * `weights` make the step.
 */

export interface Tableau {
  readonly name: string
  /** of convergence: the global error falls as stepᵒʳᵈᵉʳ */
  readonly order: number
  readonly nodes: readonly number[]
  readonly a: readonly (readonly number[])[]
  readonly weights: readonly number[]
  /** weights minus those of the embedded method: the error estimate; only adaptive methods have it */
  readonly error?: readonly number[]
}

export const euler: Tableau = { name: 'euler', order: 1, nodes: [0], a: [[]], weights: [1] }

/** The explicit midpoint rule, also called modified Euler; not Heun's trapezoidal rule. */
export const midpoint: Tableau = { name: 'midpoint', order: 2, nodes: [0, 1 / 2], a: [[], [1 / 2]], weights: [0, 1] }

/** Heun's method, the explicit trapezoidal rule; not the third-order method that bears his name too. */
export const heun: Tableau = { name: 'heun', order: 2, nodes: [0, 1], a: [[], [1]], weights: [1 / 2, 1 / 2] }

/** The classical method of Kutta (1901); not the 3/8 rule that torchdiffeq calls rk4. */
export const rk4: Tableau = {
  name: 'rk4',
  order: 4,
  nodes: [0, 1 / 2, 1 / 2, 1],
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  weights: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
}

/** Dormand and Prince (1980), 5(4) with seven stages; the last stage is the next step's first. */
export const dopri5: Tableau = {
  name: 'dopri5',
  order: 5,
  nodes: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
  ],
  weights: [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0],
  error: [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40],
}
