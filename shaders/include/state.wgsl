// The state words of training: see src/kernels/state.ts.
const STATE_STEP = 0u;
const STATE_HALTED = 1u;
const STATE_SKIPPED = 2u;
const STATE_SKIPPED_IN_A_ROW = 3u;
const HALTED_LOSS = 1u;
const HALTED_GRADIENT = 2u;
const SKIPS_BEFORE_HALT = 10u;
const STATE_LOSS_EXPONENT = 4u;
const STATE_GOOD_STEPS = 5u;
const LARGEST_LOSS_EXPONENT = 24u;
