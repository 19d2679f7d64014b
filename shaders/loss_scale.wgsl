// Keeps the loss scale of a training state: see src/kernels/loss_scale.ts. One workgroup; at most 256 partial sums.
#include "group_sum.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"

struct Uniforms { partials: u32, growth: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32) {
  var term = 0.0;
  if (local < u.partials) { term = partials[local]; }
  let squares = group_sum(local, term);
  if (local != 0u || state[STATE_HALTED] != 0u) { return; }
  let exponent = state[STATE_LOSS_EXPONENT];
  let good = state[STATE_GOOD_STEPS] + 1u;
  if (!is_finite(squares)) {
    state[STATE_LOSS_EXPONENT] = max(exponent, 1u) - 1u;
    state[STATE_GOOD_STEPS] = 0u;
  } else if (good >= u.growth) {
    state[STATE_LOSS_EXPONENT] = min(exponent + 1u, LARGEST_LOSS_EXPONENT);
    state[STATE_GOOD_STEPS] = 0u;
  } else {
    state[STATE_GOOD_STEPS] = good;
  }
}
