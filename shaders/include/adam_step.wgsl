// One step of Adam or AdamW with clipping and an average of the parameters: see src/kernels/adam.ts. Every workgroup adds
// up the partial sums of squares for itself; the first one alone writes the state, in words that no other reads
// unless it changes nothing. Four parameters at a time where their number is a multiple of four (elements_wide.wgsl).
// The including file defines what else is done:
//   keep(i, next)          with Element i of the new parameters
//   after_a_skip()         to the state, where the gradient was not finite; by one invocation
//   after_a_good_step()    the same where it was finite
struct Uniforms {
  length: u32,
  partials: u32,
  beta1: f32,
  beta2: f32,
  one_minus_beta1: f32,
  one_minus_beta2: f32,
  epsilon: f32,
  weight_decay: f32,
  clip: f32,
  growth: u32,
}
override DECOUPLED: bool = false;
override HAS_AVERAGE: bool = false;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> parameters: array<Element>;
@group(0) @binding(2) var<storage, read> gradient: array<Element>;
@group(0) @binding(3) var<storage, read_write> m: array<Element>;
@group(0) @binding(4) var<storage, read_write> v: array<Element>;
@group(0) @binding(5) var<storage, read_write> average: array<Element>;
@group(0) @binding(6) var<storage, read> partials: array<f32>;
@group(0) @binding(7) var<storage, read> table: array<f32>;
@group(0) @binding(8) var<storage, read_write> state: array<u32>;

const THREADS = 64u;
// invocations that add up partial sums; then every one adds up theirs, so that there is one barrier
const SHARERS = 16u;
var<workgroup> shares: array<f32, SHARERS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  if (local < SHARERS) {
    var share = 0.0;
    for (var i = local; i < u.partials; i += SHARERS) { share += partials[i]; }
    shares[local] = share;
  }
  workgroupBarrier();
  var squares = 0.0;
  for (var i = 0u; i < SHARERS; i++) { squares += shares[i]; }
  if (state[STATE_HALTED] != 0u) { return; }
  let keeper = group.x == 0u && local == 0u;
  if (!is_finite(squares)) {
    if (keeper) {
      let in_a_row = state[STATE_SKIPPED_IN_A_ROW] + 1u;
      state[STATE_SKIPPED] += 1u;
      state[STATE_SKIPPED_IN_A_ROW] = in_a_row;
      if (in_a_row >= SKIPS_BEFORE_HALT) { state[STATE_HALTED] = HALTED_GRADIENT; } else { after_a_skip(); }
    }
    return;
  }
  if (keeper) {
    state[STATE_SKIPPED_IN_A_ROW] = 0u;
    after_a_good_step();
  }

  let norm = sqrt(squares);
  var clipping = 1.0;
  if (u.clip > 0.0 && norm > u.clip) { clipping = u.clip / norm; }
  let row = 4u * (state[STATE_STEP] - 1u);
  let rate = table[row];
  let correction1 = table[row + 1u];
  let correction2 = table[row + 2u];
  let average_decay = table[row + 3u];

  for (var i = group.x * THREADS + local; i < u.length / WIDTH; i += groups.x * THREADS) {
    let p = parameters[i];
    var g = clipping * gradient[i];
    var shrunk = p;
    if (DECOUPLED) { shrunk -= rate * u.weight_decay * p; } else { g += u.weight_decay * p; }
    let m_next = u.beta1 * m[i] + u.one_minus_beta1 * g;
    let v_next = u.beta2 * v[i] + u.one_minus_beta2 * g * g;
    let next = shrunk - rate * m_next * correction1 / (sqrt(v_next * correction2) + u.epsilon);
    m[i] = m_next;
    v[i] = v_next;
    parameters[i] = next;
    keep(i, next);
    if (HAS_AVERAGE) { average[i] = average_decay * average[i] + (1.0 - average_decay) * next; }
  }
}
