// The end of a step's loss, by one workgroup of 256: the mean of the rows' losses into the ring, and the step counter; see
// src/kernels/gradient_norm.ts.
fn step_loss(local: u32) {
  var term = 0.0;
  for (var b = local; b < u.rows; b += 256u) { term += row_loss[b] / f32(u.rows); }
  let loss = group_sum(local, term);
  if (local != 0u || state[STATE_HALTED] != 0u) { return; }
  let step = state[STATE_STEP];
  loss_ring[step % u.ring] = loss;
  if (is_finite(loss)) { state[STATE_STEP] = step + 1u; } else { state[STATE_HALTED] = HALTED_LOSS; }
}
