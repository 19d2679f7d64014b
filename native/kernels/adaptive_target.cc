/** A target that weights the squared error of each row; contract and reference in src/kernels/adaptive_target.ts. */

#include <cmath>

#include "kernel.h"
#include "simd/lanes.h"
#include "simd/simd.h"

namespace lfm {
namespace LFM_TARGET {
namespace {

enum { VELOCITY, GOAL, OUT, ROW_LOSS };
enum { OFFSET };

void run(const Call& call, Workers& workers) {
  const int64_t B = call[VELOCITY].shape[0], D = call[VELOCITY].shape[1];
  const float offset = static_cast<float>(call.number(OFFSET));
  const float share = 1.0f / static_cast<float>(D);
  float* const row_loss = call[ROW_LOSS].floats();
  parallel_ranges(workers, B, most<int64_t>(1, 4096 / D), [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      const float *const v = call[VELOCITY].floats() + b * D, *const target = call[GOAL].floats() + b * D;
      float* const out = call[OUT].floats() + b * D;
      V sum = zero();
      for (int64_t d = 0; d < D; d += W) {
        const int lanes = static_cast<int>(least<int64_t>(W, D - d));
        const V residual = load_lanes(v + d, lanes) - load_lanes(target + d, lanes);
        sum = fma(residual, residual, sum);
      }
      const float loss = horizontal_sum(sum) * share;
      const float raised = loss + offset;
      const V weight = set1(1.0f / std::sqrt(raised * std::sqrt(raised)));
      for (int64_t d = 0; d < D; d += W) {
        const int lanes = static_cast<int>(least<int64_t>(W, D - d));
        const V value = load_lanes(v + d, lanes);
        store_lanes(out + d, fnma(weight, value - load_lanes(target + d, lanes), value), lanes);
      }
      row_loss[b] = loss;
    }
  });
}

}  // namespace

extern const Kernel adaptive_target = {"adaptive_target",
                                {"v", "target", "out", "row_loss"},
                                {{"offset", nullptr}},
                                run,
                                nullptr};

}  // namespace LFM_TARGET
}  // namespace lfm
