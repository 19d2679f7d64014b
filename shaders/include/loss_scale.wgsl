// The loss scale of the training state, and what divides by it; one where a kernel is given no state.
#include "numeric.wgsl"
#include "state.wgsl"
override HAS_STATE: bool = false;

fn loss_scale() -> f32 {
  return select(1.0, power_of_two(i32(state[STATE_LOSS_EXPONENT])), HAS_STATE);
}

fn unscale() -> f32 {
  return select(1.0, power_of_two(-i32(state[STATE_LOSS_EXPONENT])), HAS_STATE);
}
