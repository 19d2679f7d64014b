import type { Path } from './path.js'

/** I_t = cos(πt/2) x_l + sin(πt/2) x_r (Albergo and Vanden-Eijnden 2023), between the ends of the paper's sub-flows too. */
export const trig: Path = {
  description: 'a quarter of a circle between both ends',
  between(t) {
    const angle = (Math.PI / 2) * t
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    return { left: cos, right: sin, leftRate: (-Math.PI / 2) * sin, rightRate: (Math.PI / 2) * cos }
  },
  closedForm: 'trig',
}
