// What dropout multiplies an element of the batch by, from its number and the step: see src/kernels/group_norm.ts. `u` has
// `seed_low`, `seed_high`, `stream`, `block`, `first_element`, `drop_below` (of 2^24; 0: no dropout) and `keep_scale`.
#include "philox.wgsl"
#include "state.wgsl"

fn dropout(i: u32) -> f32 {
  if (u.drop_below == 0u) { return 1.0; }
  let element = u.first_element + i;
  let seed = vec2u(u.seed_low, u.seed_high);
  let words = draw(seed, u.stream, PURPOSE_DROPOUT, element / 4u, state[STATE_STEP], u.block);
  return select(u.keep_scale, 0.0, (words[element % 4u] >> 8u) < u.drop_below);
}
