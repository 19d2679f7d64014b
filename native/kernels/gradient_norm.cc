/**
 * Sum of squares in blocks, the step's loss, the step counter; contract and reference in src/kernels/gradient_norm.ts.
 */

#include "kernel.h"
#include "kernels/state.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { GRADIENT, ROW_LOSS, STATE, PARTIALS, LOSS_RING };

float sum_of_squares(const float* x, int64_t count) {
  V sum[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * W <= count; i += 4 * W) {
    for (int j = 0; j < 4; j++) {
      const V value = load(x + i + j * W);
      sum[j] = fma(value, value, sum[j]);
    }
  }
  for (; i < count; i += W) {
    const V value = load_lanes(x + i, static_cast<int>(least<int64_t>(W, count - i)));
    sum[0] = fma(value, value, sum[0]);
  }
  return horizontal_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/** Short vector sums, added in double, so that the mean of many rows loses no digits. */
float mean(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i += 8 * W) {
    V part = zero();
    for (int64_t j = i; j < least<int64_t>(i + 8 * W, count); j += W) {
      part = part + load_lanes(x + j, static_cast<int>(least<int64_t>(W, count - j)));
    }
    sum += horizontal_sum(part);
  }
  return static_cast<float>(sum / static_cast<double>(count));
}

void run(const Call& call, Workers& workers) {
  const int64_t P = call[GRADIENT].size(), G = call[PARTIALS].size();
  const int64_t block = divide_up(P, G);
  float loss = 0;
  // the last task is the loss, the others are a block each
  parallel(workers, G + 1, [&](int64_t g, int) {
    if (g == G) {
      loss = mean(call[ROW_LOSS].floats(), call[ROW_LOSS].size());
    } else {
      const int64_t first = least(g * block, P);
      call[PARTIALS].floats()[g] = sum_of_squares(call[GRADIENT].floats() + first, least(block, P - first));
    }
  });
  uint32_t* const state = call[STATE].words();
  if (state[STATE_HALTED] != 0) return;
  call[LOSS_RING].floats()[state[STATE_STEP] % call[LOSS_RING].size()] = loss;
  if (loss - loss == 0) {
    state[STATE_STEP]++;
  } else {
    state[STATE_HALTED] = HALTED_LOSS;
  }
}

}  // namespace

extern const Kernel gradient_norm = {
    "gradient_norm", {"gradient", "row_loss", "state", "partials", "loss_ring"}, {}, run, nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
