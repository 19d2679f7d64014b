// The factor of dropout for an element of the batch, from its index and the step: see src/kernels/group_norm.ts. `u` has
// `seed_low`, `seed_high`, `stream`, `block`, `first_element`, `drop_below` (of 2^24; 0: no dropout) and `keep_scale`.
#include "philox.wgsl"
#include "state.wgsl"

fn dropout_words(block: u32) -> vec4u {
  return draw(vec2u(u.seed_low, u.seed_high), u.stream, PURPOSE_DROPOUT, block, state[STATE_STEP], u.block);
}

fn dropout(i: u32) -> f32 {
  if (u.drop_below == 0u) { return 1.0; }
  let element = u.first_element + i;
  return select(u.keep_scale, 0.0, (dropout_words(element / 4u)[element % 4u] >> 8u) < u.drop_below);
}

// elements 4·i to 4·i + 3, where the first of the batch's is a multiple of four
fn dropout_4(i: u32) -> vec4f {
  if (u.drop_below == 0u) { return vec4f(1.0); }
  let words = dropout_words(u.first_element / 4u + i);
  return select(vec4f(u.keep_scale), vec4f(), (words >> vec4u(8u)) < vec4u(u.drop_below));
}
