// Adam with the float16 copy of the parameters and the loss scale: see src/kernels/adam_mixed.ts.
#include "elements.wgsl"
#include "half.wgsl"
#include "half_elements.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"
#include "adam_step.wgsl"

@group(0) @binding(9) var<storage, read_write> half_: array<HalfElement>;

fn keep(i: u32, next: Element) {
  half_[i] = half_each(next);
}

fn after_a_skip() {
  state[STATE_LOSS_EXPONENT] = max(state[STATE_LOSS_EXPONENT], 1u) - 1u;
  state[STATE_GOOD_STEPS] = 0u;
}

fn after_a_good_step() {
  let good = state[STATE_GOOD_STEPS] + 1u;
  if (good >= u.growth) {
    state[STATE_LOSS_EXPONENT] = min(state[STATE_LOSS_EXPONENT] + 1u, LARGEST_LOSS_EXPONENT);
    state[STATE_GOOD_STEPS] = 0u;
  } else {
    state[STATE_GOOD_STEPS] = good;
  }
}
