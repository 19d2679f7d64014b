import type { Path } from './path.js'
import { trig } from './trig.js'

/**
 * The Ornstein–Uhlenbeck process itself: I_t = cos(θt) x_l + sin(θt) z with cos θ = a, from x_l to a x_l + b z, so that data
 * of variance one keep that variance at every t. The free step has θ = π/2, where this is `trig`; between two given ends it is
 * `trig` too.
 */
export const arc: Path = {
  description: 'the noising process itself, at even steps of its angle',
  between: trig.between,
  noising(t, { decay, spread }) {
    const theta = Math.atan2(spread, decay)
    const [cos, sin] = [Math.cos(theta * t), Math.sin(theta * t)]
    return { left: cos, right: sin, leftRate: -theta * sin, rightRate: theta * cos }
  },
}
