import type { Path } from './path.js'

/** The straight line, I_t = (1 − t) x_l + t x_r: the optimal-transport path of flow matching (Lipman et al. 2023). */
export const linear: Path = {
  description: 'the straight line between both ends',
  between: (t) => ({ left: 1 - t, right: t, leftRate: -1, rightRate: 1 }),
  closedForm: 'linear',
}
